"""The queue's websocket: a pipe that names holds to those who may see them, and to nobody else."""

import asyncio
import contextlib
import json
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.test import Client

from accounts import pipes
from accounts.models import User
from accounts.signed_in import signed_in
from approvals import consumers, live, presence
from approvals.live import hold_changed
from approvals.queries import watchers
from core.db import db_now
from tests.approvals.world import World, approve, held


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
    await sync_to_async(hold_changed)(hold)
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


async def _open(cookie: bytes) -> Any:
    from console.asgi import application  # it needs Django, which the fixtures set up

    headers = [(b"cookie", cookie), (b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "websocket", "path": "/ws/queue/", "headers": headers, "query_string": b"", "subprotocols": []}
    communicator: Any = ApplicationCommunicator  # asgiref publishes no types for it
    socket = communicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(5))["type"] == "websocket.accept"
    return socket


def test_who_may_see_a_change_is_asked_once_however_many_queues_are_open(
    fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[UUID] = []

    def watching(hold: UUID) -> frozenset[UUID]:
        asked.append(hold)
        return watchers(hold)

    monkeypatch.setattr(live, "watchers", watching)
    hold, cookie = held(fresh_world), _cookie(fresh_world.cast.reviewer)
    asked.clear()

    async def many() -> list[list[Any]]:
        sockets = [await _open(cookie) for _ in range(20)]
        await sync_to_async(hold_changed)(hold.id)
        return [[json.loads((await socket.receive_output(5))["text"]) for _ in range(2)] for socket in sockets]

    heard = async_to_sync(many)()
    assert all({"type": "hold", "hold": str(hold.id)} in one for one in heard)
    assert asked == [hold.id]


def test_who_is_still_signed_in_is_asked_for_all_at_once(fresh_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(keys: Any) -> dict[str, User]:
        asked.append(len(keys))
        return signed_in(keys)

    hold = held(fresh_world)
    cookies = [_cookie(person) for person in (fresh_world.cast.reviewer, fresh_world.cast.teammate) * 10]

    async def many() -> list[Any]:
        sockets = [await _open(cookie) for cookie in cookies]
        monkeypatch.setattr(pipes, "signed_in", counting)
        await sync_to_async(hold_changed)(hold.id)
        return [[json.loads((await socket.receive_output(5))["text"]) for _ in range(2)] for socket in sockets]

    heard = async_to_sync(many)()
    assert all({"type": "hold", "hold": str(hold.id)} in one for one in heard)
    assert len(asked) < 8  # of 20 pages; those of one person are told at the same time
    assert sum(asked) == 20


def test_where_nobody_can_be_asked_every_page_hears_of_it_and_the_next_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the error the server closes the websocket: the page comes back and fetches what it did not hear."""

    def lost(_keys: Any) -> dict[str, User]:
        raise DatabaseError

    async def told() -> list[Any]:
        porter = pipes.Porter.here()
        monkeypatch.setattr(pipes, "signed_in", lost)
        both = await asyncio.gather(porter.person("a"), porter.person("b"), return_exceptions=True)
        monkeypatch.setattr(pipes, "signed_in", lambda _keys: {})
        return [*both, await porter.person("a")]

    first, second, nobody = async_to_sync(told)()
    assert isinstance(first, DatabaseError)
    assert isinstance(second, DatabaseError)
    assert nobody is None


def test_whoever_signs_out_hears_nothing_more_and_is_closed(
    fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold, cookie = held(fresh_world), _cookie(fresh_world.cast.reviewer)
    monkeypatch.setattr(consumers.QueueConsumer, "beat_every", 0.2)

    async def signed_out() -> list[Any]:
        gone, stays = await _open(cookie), await _open(_cookie_of_another)
        await sync_to_async(Session.objects.filter(session_key=cookie.partition(b"=")[2].decode()).delete)()
        await sync_to_async(hold_changed)(hold.id)
        heard = [await gone.receive_output(5) for _ in range(2)]
        told = {"type": "beat"}
        while told == {"type": "beat"}:  # as many as there is time for
            told = json.loads((await stays.receive_output(5))["text"])
        return [*heard, told]

    _cookie_of_another = _cookie(fresh_world.cast.teammate)
    first, last, told = async_to_sync(signed_out)()
    assert json.loads(first["text"]) == {"type": "beat"}
    assert (last["type"], last["code"]) == ("websocket.close", 4401)
    assert told == {"type": "hold", "hold": str(hold.id)}


@pytest.mark.django_db
@pytest.mark.parametrize("spoilt", ["password", "closed", "expired", "epoch"])
def test_a_session_is_nobodys_once_its_person_changed(world: World, spoilt: str) -> None:
    rita = world.cast.reviewer
    key = _cookie(rita).partition(b"=")[2].decode()
    assert signed_in([key, "", "nobody's"]) == {key: rita}
    {
        "password": lambda: User.objects.filter(id=rita.id).update(password="another"),
        "closed": lambda: User.objects.filter(id=rita.id).update(is_active=False),
        "epoch": lambda: User.objects.filter(id=rita.id).update(session_epoch=7),
        "expired": lambda: Session.objects.update(expire_date=db_now()),
    }[spoilt]()
    assert signed_in([key]) == {}


def test_nobody_signed_in_is_not_let_in(fresh_world: World) -> None:
    assert async_to_sync(_heard)(b"", held(fresh_world).id) == []


def test_colleagues_see_who_has_a_hold_open(fresh_world: World) -> None:
    rita, tom, hold = fresh_world.cast.reviewer, fresh_world.cast.teammate, held(fresh_world)
    theirs, others = _cookie(rita), _cookie(tom)

    async def looked() -> list[Any]:
        mine, colleague = await _open(theirs), await _open(others)
        await colleague.receive_output(5)  # a sign of life
        for said in ("no JSON", "[]", '{"looking": "none"}', '{"looking": 1}', json.dumps({"looking": str(hold.id)})):
            await mine.send_input({"type": "websocket.receive", "text": said})
        return [json.loads((await colleague.receive_output(5))["text"])]

    assert async_to_sync(looked)() == [{"type": "looked", "hold": str(hold.id)}]
    assert presence.lookers(hold.id, tom) == [str(rita)]
    assert presence.lookers(hold.id, rita) == []


@pytest.mark.django_db
def test_nobody_looks_at_what_they_may_not_see_or_what_is_settled(world: World, client: Client) -> None:
    hold = held(world)
    assert not presence.look(hold.id, world.cast.outsider)
    assert presence.look(hold.id, world.cast.reviewer)
    assert not presence.look(hold.id, world.cast.reviewer)  # no news
    client.force_login(world.cast.teammate)
    assert "Being looked at by Rita Reviewer." in client.get(f"/queue/{hold.id}/").content.decode()
    client.force_login(world.cast.reviewer)
    assert "Being looked at" not in client.get(f"/queue/{hold.id}/").content.decode()
    approve(hold, world.cast.reviewer)
    assert not presence.look(hold.id, world.cast.teammate)
