"""Agents at work: real `psql` processes through the gate."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import IO

from tests.serving import RunningServer


@dataclass
class Psql:
    """A running psql and everything it has said so far."""

    process: subprocess.Popen[str]
    output: IO[str]

    def said(self) -> str:
        """Its output and its notices."""
        self.output.seek(0)
        return self.output.read()

    def held(self, seconds: float = 20) -> str:
        """The address of the hold that its notice names, as soon as it is told."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            ended = self.process.poll() is not None
            found = re.search(r"NOTICE:.*(https?://\S+/queue/\S+/)", self.said(), re.DOTALL)
            if found:
                return found[1]
            if ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"psql was not told of a hold: {self.said()}")

    def wait(self, seconds: float = 20) -> tuple[int, str]:
        """Its exit status and what it said, once it has ended."""
        status = self.process.wait(seconds)
        return status, self.said()

    def leave(self) -> None:
        """End it as Ctrl-C does: what still waits is taken back."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.output.close()


def psql(
    server: RunningServer, agent: str, *statements: str, purpose: str = "A test", resource: str = "shop", key: str = ""
) -> Psql:
    """Start psql as `agent` at a resource, over TLS with the server's certificate checked."""
    own = ("--key", key) if key else ()
    token = server.narrowgate("token", agent, "--purpose", purpose, "--resource", resource, *own)
    assert token.returncode == 0, token.stderr
    host, port = server.demo["gateway"]["postgres"].rsplit(":", 1)
    where = f"host={host} port={port} dbname={resource} user={agent} sslmode=verify-full sslrootcert={server.demo['gateway']['ca']}"
    output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 -- closed by leave()
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", where, *(part for one in statements for part in ("-c", one))]
    environment = {**os.environ, "PGPASSWORD": token.stdout.strip()}
    process = subprocess.Popen(command, stdout=output, stderr=output, text=True, env=environment)
    return Psql(process, output)
