"""The HTTPS door before a gateway, served as the one-process server does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from django.conf import settings

from gateway import https
from gateway.door import Door
from tests.gateway.wire.world import World, eventually


@contextmanager
def served(world: World) -> Iterator[str]:
    """The door's address, until the block ends."""
    config = world.config
    assert config.agents_ca is not None
    tls = https.context(config.certificate, config.key, config.key_password, config.agents_ca)
    door = Door(world.gateway.service.ways)
    server = https.Server(door, tls, timeout_graceful_shutdown=1)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.run_coroutine_threadsafe(server.serve(sockets=[listener]), world.gateway.loop)
    eventually(lambda: server.started)
    kept = settings.GATEWAY_URL
    settings.GATEWAY_URL = f"https://localhost:{listener.getsockname()[1]}"
    try:
        yield settings.GATEWAY_URL
    finally:
        server.should_exit = True
        task.result(10)
        settings.GATEWAY_URL = kept


def trusting(world: World) -> ssl.SSLContext:
    """TLS as a client of this world has it."""
    return ssl.create_default_context(cafile=str(world.ca))


def client(world: World, door: str) -> httpx.Client:
    """An HTTP client of the door."""
    return httpx.Client(base_url=door, verify=trusting(world), timeout=30)
