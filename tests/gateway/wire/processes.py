"""A gateway as a process of its own, seen from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict

from tests.gateway.wire.world import World


class Process:
    """A gateway that can be killed."""

    def __init__(self, world: World) -> None:
        code = "from tests.gateway.wire.gateway_process import main; main()"
        settings = {name: str(value) for name, value in asdict(world.config).items()}
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "GATEWAY_CONFIG": repr(settings)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def kill(self) -> None:
        """As the kernel would: no time for a last word."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
