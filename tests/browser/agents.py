"""Agents at work: real `psql` processes through the gate."""

from __future__ import annotations

import os
import subprocess
import tempfile
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

    def wait(self, seconds: float = 20) -> tuple[int, str]:
        """Its exit status and what it said, once it has ended."""
        status = self.process.wait(seconds)
        return status, self.said()

    def leave(self) -> None:
        """End it as Ctrl-C twice would."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.output.close()


def psql(server: RunningServer, agent: str, *statements: str, purpose: str = "A test") -> Psql:
    """Start psql as `agent` at the demo's shop, over TLS with the server's certificate checked."""
    token = server.narrowgate("token", agent, "--purpose", purpose)
    assert token.returncode == 0, token.stderr
    host, port = server.demo["gateway"]["postgres"].rsplit(":", 1)
    where = f"host={host} port={port} dbname=shop user={agent} sslmode=verify-full sslrootcert={server.demo['gateway']['ca']}"
    output = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 -- closed by leave()
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", where, *(part for one in statements for part in ("-c", one))]
    environment = {**os.environ, "PGPASSWORD": token.stdout.strip()}
    process = subprocess.Popen(command, stdout=output, stderr=output, text=True, env=environment)
    return Psql(process, output)
