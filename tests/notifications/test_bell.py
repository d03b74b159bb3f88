"""The bell's websocket: says that there is something, to whom it is for, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.pipes import group_of
from tests.cast import Cast


def _cookie(person: User) -> bytes:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()


async def _heard(path: str, cookie: bytes, told: User) -> list[Any]:
    """What one open page hears when `told` is told something; empty when it was not let in."""
    from console.asgi import application  # it needs Django, which the fixtures set up

    headers = [(b"cookie", cookie), (b"host", b"localhost"), (b"origin", b"http://localhost")]
    communicator: Any = ApplicationCommunicator  # asgiref publishes no types for it
    scope = {"type": "websocket", "path": path, "headers": headers, "query_string": b"", "subprotocols": []}
    socket = communicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    if (await socket.receive_output(5))["type"] != "websocket.accept":
        return []
    await get_channel_layer().group_send(group_of(told.id), {"type": "notified"})
    heard = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            heard.append(json.loads((await socket.receive_output(1))["text"]))
    return heard


@pytest.mark.parametrize("path", ["/ws/bell/", "/ws/queue/", "/ws/incidents/"])
def test_one_hears_of_ones_own_and_of_nobody_elses(fresh_cast: Cast, path: str) -> None:
    cookie = _cookie(fresh_cast.reviewer)
    assert {"type": "notified"} in async_to_sync(_heard)(path, cookie, fresh_cast.reviewer)
    assert {"type": "notified"} not in async_to_sync(_heard)(path, cookie, fresh_cast.teammate)


def test_nobody_signed_in_is_not_let_in(fresh_cast: Cast) -> None:
    assert async_to_sync(_heard)("/ws/bell/", b"", fresh_cast.reviewer) == []
