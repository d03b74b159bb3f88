"""A gateway in a process of its own, for tests that kill it."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from pathlib import Path

import django
import uvloop


def main() -> None:
    """Start the gateway that GATEWAY_CONFIG describes, print its address, run until killed."""
    django.setup()
    from gateway.service import Config, start

    said = ast.literal_eval(os.environ["GATEWAY_CONFIG"])
    config = Config(
        said["dsn"], said["console_url"], Path(said["certificate"]), Path(said["key"]), said["key_password"]
    )

    async def run() -> None:
        service = await start(config)
        sys.stdout.write(service.addresses["postgres"] + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()

    uvloop.run(run())
