"""The queue's websocket: a pipe that names holds to those who may see them, and to nobody else."""

import asyncio
import contextlib
import json
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.conf import settings
from django.test import Client

from accounts.models import User
from approvals import consumers
from approvals.live import GROUP
from tests.approvals.world import World, held


def _cookie(person: User) -> bytes:
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}".encode()


async def _heard(cookie: bytes, hold: UUID) -> list[Any]:
    """What one open queue hears within a moment of a change of `hold`; empty when it was not let in."""
    from console.asgi import application  # it needs Django, which the fixtures set up

    headers = [(b"cookie", cookie), (b"host", b"localhost"), (b"origin", b"http://localhost")]
    communicator: Any = ApplicationCommunicator  # asgiref publishes no types for it
    socket = communicator(
        application,
        {"type": "websocket", "path": "/ws/queue/", "headers": headers, "query_string": b"", "subprotocols": []},
    )
    await socket.send_input({"type": "websocket.connect"})
    if (await socket.receive_output(5))["type"] != "websocket.accept":
        return []
    await get_channel_layer().group_send(GROUP, {"type": "hold.changed", "hold": str(hold)})
    heard = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            heard.append(json.loads((await socket.receive_output(1))["text"]))
    return heard


def test_a_reviewer_hears_which_hold_changed_and_nothing_about_it(fresh_world: World) -> None:
    hold = held(fresh_world)
    heard = async_to_sync(_heard)(_cookie(fresh_world.cast.reviewer), hold.id)
    assert {"type": "hold", "hold": str(hold.id)} in heard
    assert all(message.keys() <= {"type", "hold"} for message in heard)


@pytest.mark.parametrize("who", ["outsider", "administrator"])
def test_what_one_hears_is_what_one_may_see(fresh_world: World, who: str) -> None:
    hold = held(fresh_world)
    heard = async_to_sync(_heard)(_cookie(getattr(fresh_world.cast, who)), hold.id)
    assert ({"type": "hold", "hold": str(hold.id)} in heard) is (who == "administrator")


def test_who_may_see_a_change_is_asked_once_however_many_queues_are_open(
    fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    def watchers(hold: UUID) -> frozenset[UUID]:
        asked.append(hold)
        return frozenset({hold})

    monkeypatch.setattr(consumers, "watchers", watchers)

    async def many() -> list[frozenset[UUID]]:
        hold = fresh_world.agent.id
        return await asyncio.gather(*[consumers.may_see("one event", hold) for _ in range(50)])

    heard = async_to_sync(many)()
    assert (len(heard), len(set(heard)), asked) == (50, 1, [fresh_world.agent.id])


def test_nobody_signed_in_is_not_let_in(fresh_world: World) -> None:
    assert async_to_sync(_heard)(b"", held(fresh_world).id) == []
