"""Every websocket × every role: an event reaches those who may see what it is about, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.conf import settings

from accounts.pipes import group_of
from approvals.consumers import websocket_urls as queue_urls
from approvals.live import hold_changed
from console.database import Logins
from monitoring.actions import GROUP as INCIDENTS
from monitoring.consumers import websocket_urls as incident_urls
from tests.bring.callers import browser
from tests.cast import Cast
from tests.matrix.everything import ROLES, Everything, everything
from tests.matrix.test_matrix import LETTERS

Heard = list[dict[str, Any]]
WHO_HEARS = {
    "ws/queue/": ("hold", "RCAEOM"),
    "ws/incidents/": ("incident", "CAEOM"),
    "ws/bell/": ("notified", "R"),
}


def test_every_websocket_is_here() -> None:
    assert {str(one.pattern) for one in [*queue_urls, *incident_urls]} == set(WHO_HEARS)


def test_every_websocket_for_every_role(fresh_cast: Cast, fresh_database: Logins, tmp_path: Path) -> None:
    with everything(fresh_cast, fresh_database.sequencer, tmp_path) as world:
        cookies = {role: browser(getattr(world.cast, role)).cookies for role in ROLES}
        for path, (kind, hears) in WHO_HEARS.items():
            given = {role: cookies[role][settings.SESSION_COOKIE_NAME].value for role in ROLES}
            heard = async_to_sync(_all)(path, {**given, "nobody": ""}, world)
            told = {role for role, said in heard.items() if any(one["type"] == kind for one in said)}
            assert told == {LETTERS[letter] for letter in hears}, path
            assert not heard["nobody"]
            assert all(one.keys() <= {"type", kind} for said in heard.values() for one in said)  # identifiers alone


async def _all(path: str, cookies: dict[str, str], world: Everything) -> dict[str, Heard]:
    """What everybody's open page hears when the hold, the incident and the reviewer's notifications change."""
    sockets = {role: await _open(path, cookie) for role, cookie in cookies.items()}
    layer: Any = get_channel_layer()
    await sync_to_async(hold_changed)(world.hold.id)
    await layer.group_send(INCIDENTS, {"type": "incident.changed", "incident": str(world.incident.id)})
    await layer.group_send(group_of(world.cast.reviewer.id), {"type": "notified"})
    heard = await asyncio.gather(*[_heard(socket) for socket in sockets.values()])
    return dict(zip(sockets, heard, strict=True))


async def _open(path: str, cookie: str) -> Any:
    from console.asgi import application  # it needs Django, which the fixtures set up

    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    headers += [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode())] if cookie else []
    communicator: Any = ApplicationCommunicator
    scope = {"type": "websocket", "path": f"/{path}", "headers": headers, "query_string": b"", "subprotocols": []}
    socket = communicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    return socket if (await socket.receive_output(5))["type"] == "websocket.accept" else None


async def _heard(socket: Any) -> Heard:
    heard: Heard = []
    if socket is None:
        return heard
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            heard.append(json.loads((await socket.receive_output(1.5))["text"]))
    return heard
