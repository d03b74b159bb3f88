"""The whole server as a separate process, as a newcomer starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console import embedded
from console.state_folder import CLUSTERS

READY_WITHIN = 120.0  # seconds, the demo's history included
STOPPED_WITHIN = 30.0
OURS = (
    "DATABASE_URL",
    "DATABASE_GATEWAY_URL",
    "DATABASE_SEQUENCER_URL",
    "NARROWGATE_STATE",
    "SECRET_KEY",
    "KEY_PASSPHRASE",
)


@dataclass
class RunningServer:
    """A server process and what its `demo.json` says."""

    state: Path
    process: subprocess.Popen[bytes]

    @property
    def demo(self) -> dict[str, Any]:
        """The content of `demo.json`."""
        said: dict[str, Any] = json.loads((self.state / "demo.json").read_text(encoding="utf-8"))
        return said

    def narrowgate(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the command line against this server."""
        command = [str(Path(sys.executable).with_name("narrowgate")), "--state", str(self.state), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send `how`, wait for the end, give the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(STOPPED_WITHIN)

    def start_again(self) -> None:
        """Start it anew on its state folder, once it has ended."""
        self.process = start(self.state).process


def start(state: Path, *arguments: str) -> RunningServer:
    """Start a server on `state` and wait until it is ready. Raises AssertionError with its output otherwise."""
    log = state.parent / f"{state.name}.log"
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    (state / "demo.json").unlink(missing_ok=True)
    with log.open("ab") as output:
        command = [sys.executable, "-m", "console.serve", "--state", str(state), *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    server = RunningServer(state, process)
    give_up = time.monotonic() + READY_WITHIN
    while not (state / "demo.json").exists():
        if process.poll() is not None or time.monotonic() > give_up:
            process.kill()
            process.wait()
            raise AssertionError(log.read_text(encoding="utf-8")[-4000:])
        time.sleep(0.05)
    return server


@contextmanager
def temporary_state() -> Iterator[Path]:
    """A state folder that the database's account can reach, gone afterwards, whatever is in it."""
    with tempfile.TemporaryDirectory(prefix="narrowgate-tests-") as folder:
        base = Path(folder)
        base.chmod(0o755)
        state = base / "state"
        try:
            yield state
        finally:
            if state.exists():
                for name in CLUSTERS:
                    embedded.destroy(state, name)


def family(pid: int) -> set[int]:
    """The processes that descend from `pid`, as Linux tells it."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except OSError:
            continue
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found
