"""Pages of one thing ask the database a bounded number of times, however much there is to say of it."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from activity.models import Action, Session
from approvals.models import Hold
from core.ids import new_id
from ledger.models import Entry
from tests.approvals.world import held
from tests.audit.reports import conftest as reports
from tests.audit.reports.conftest import Room, act

room, signer = reports.room, reports.signer  # the fixtures


@pytest.fixture
def session(room: Room) -> Session:
    """A session with allowed actions and one that people approved; another action of its agent waits."""
    world = room.world
    waiting = held(world, shown="DELETE FROM customers WHERE id = 3")
    opened = Session.objects.create(
        id=waiting.session_id, agent_id=world.agent.id, agent_name=world.agent.name, resource_id=world.resource.id,
        resource_name=world.resource.name, credential_id=new_id(), node_id=new_id(), source="127.0.0.1",
        protocol="postgres", began_at=timezone.now(),
    )  # fmt: skip
    for number in range(3):
        act(world.agent, world, timezone.now(), session_id=opened.id, number=number + 1)
    released = Hold.objects.filter(status=Hold.Status.RELEASED)[0]
    Action.objects.filter(id=released.action_id).update(session_id=opened.id, number=9)
    return opened


def asked(person: User, address: str) -> int:
    """How many queries the page takes once its person has been here before."""
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    number = 0

    def count(execute: object, *of: object) -> object:
        nonlocal number
        number += 1
        return execute(*of)  # type: ignore[operator]  # Django's own

    for _ in range(2):
        number = 0
        with connection.execute_wrapper(count):
            assert client.get(address).status_code == 200
    return number


def test_each_stays_within_its_bound(room: Room, session: Session) -> None:
    cast, agent = room.cast, reverse("console:agent", args=[room.world.agent.name])
    replay, queue = reverse("record:session", args=[session.id]), reverse("queue:queue")
    found = {
        (who, what): asked(getattr(cast, who), address)
        for who, what, address in (
            ("ciso", "agent", agent), ("owner", "agent", agent),
            ("auditor", "session", replay), ("owner", "session", replay),
            ("reviewer", "queue", queue), ("owner", "queue", queue),
        )
    }  # fmt: skip
    assert max(found.values()) <= 15, found


def test_a_replay_asks_no_more_however_many_entries_its_actions_have(room: Room, session: Session) -> None:
    replay = reverse("record:session", args=[session.id])
    before = asked(room.cast.auditor, replay)
    for number, entry in enumerate(Entry.objects.order_by("index")[:12], start=20):
        act(room.world.agent, room.world, timezone.now(), session_id=session.id, number=number, entry_id=entry.uid)
    assert asked(room.cast.auditor, replay) <= before + 1  # all of their hashes at once
