"""The reading room: who may read what, that reading leaves an entry, and that evidence taken from it verifies."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import AsyncClient, Client
from django.urls import reverse

from accounts.models import User
from activity.actions import Opening, open_session
from console.database import Logins
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify import verify
from tests.approvals.world import World, assemble, held
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _session(world: World) -> Opening:
    opening = Opening(
        id=new_id(), agent_id=world.agent.id, agent_name=world.agent.name, resource_id=world.resource.id,
        resource_name=world.resource.name, credential_id=new_id(), node_id=new_id(), source="127.0.0.1",
    )  # fmt: skip
    open_session(opening)
    return opening


def _reads() -> list[dict[str, Any]]:
    rows = Outbox.objects.filter(event="record:read").order_by("node_seq")
    return [revealed(json.loads(bytes(row.leaf))) for row in rows]


@pytest.mark.parametrize(
    ("who", "status"),
    [
        ("auditor", 200),
        ("ciso", 200),
        ("engineer", 200),
        ("administrator", 200),
        ("reviewer", 200),
        ("owner", 200),
        ("outsider", 404),
    ],
)
def test_a_session_is_for_those_it_concerns(world: World, who: str, status: int) -> None:
    opened = _session(world)
    person = getattr(world.cast, who)
    assert _as(person).get(reverse("record:session", args=[opened.id])).status_code == status
    listed = world.agent.name in _as(person).get(reverse("record:sessions")).content.decode()
    assert listed is (status == 200)


@pytest.mark.parametrize(
    ("who", "status"),
    [("auditor", 200), ("ciso", 200), ("engineer", 200), ("reviewer", 404), ("owner", 404), ("outsider", 404)],
)
def test_the_ledger_itself_is_for_those_who_answer_for_the_whole(world: World, who: str, status: int) -> None:
    person = getattr(world.cast, who)
    assert _as(person).get(reverse("record:ledger")).status_code == status
    if status == 404:
        assert _as(person).get(reverse("record:entry", args=[0])).status_code == 404
        assert _as(person).post(reverse("record:evidence")).status_code == 404


def test_each_page_read_is_one_entry_that_says_which(world: World) -> None:
    opened = _session(world)
    client = _as(world.cast.auditor)
    client.get(reverse("record:sessions"), {"agent": "support"})
    client.get(reverse("record:session", args=[opened.id]))
    client.get(reverse("record:ledger"), {"event": "hold:asked"})
    read = _reads()
    assert [one["subject"]["name"] for one in read] == ["sessions", "replay", "ledger"]
    assert {one["actor"]["name"] for one in read} == {"Aldo Auditor"}
    assert read[0]["details"] == {"agent": "support"}
    assert read[1]["session"] == str(opened.id)


def test_what_is_refused_is_not_a_read(world: World) -> None:
    _as(world.cast.outsider).get(reverse("record:session", args=[_session(world).id]))
    assert _reads() == []


def test_filters_leave_what_matches_and_say_so_when_nothing_does(world: World) -> None:
    _session(world)
    client = _as(world.cast.auditor)
    assert world.agent.name in client.get(reverse("record:sessions"), {"state": "open"}).content.decode()
    assert "No session here matches." in client.get(reverse("record:sessions"), {"agent": "nobody"}).content.decode()
    assert client.get(reverse("record:sessions"), {"after": "not a key"}).status_code == 200


def test_evidence_is_not_there_before_a_checkpoint(world: World) -> None:
    answer = _as(world.cast.auditor).post(reverse("record:evidence"))
    assert answer.status_code == 302
    assert answer.headers["Location"] == reverse("record:ledger")


def test_evidence_taken_from_the_page_verifies_offline(
    fresh_cast: Cast, fresh_database: Logins, tmp_path: Path
) -> None:
    held(assemble(fresh_cast))
    _sequence(fresh_database, tmp_path)
    package = tmp_path / "evidence.zip"
    package.write_bytes(async_to_sync(_taken)(fresh_cast.auditor))
    report = verify(package)
    assert report.ok, report
    page = _as(fresh_cast.auditor).get(reverse("record:entry", args=[3])).content.decode()
    assert "as signed" in page
    assert Outbox.objects.filter(event="export:made").count() == 1


def _sequence(logins: Logins, folder: Path) -> None:
    """Run the sequencer until everything recorded so far is signed."""
    sequencer = Sequencer(logins.sequencer, FileSigner.load_or_create(folder / "ledger.key", "tests"))
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    from ledger.queries import state

    try:
        for _ in range(100):
            now = state()
            if now.checkpoint and not now.pending and now.checkpoint.size == now.size > 3:
                return
            threading.Event().wait(0.05)
    finally:
        stop.set()
        thread.join()


async def _taken(person: User) -> bytes:
    client = AsyncClient()
    await client.aforce_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer: Any = await client.post(reverse("record:evidence"))
    assert answer.status_code == 200
    return b"".join([part async for part in answer.streaming_content])
