"""record() and append(): in the caller's transaction, numbered without a gap, never waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, transaction

from console.database import Logins
from core.errors import NarrowgateError
from ledger import personal, write
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.models import Node, Outbox

ADA = Actor("person", "1", "ada")
SHOP = Subject("resource", "2", "shop")


@pytest.fixture
def unwritten(fresh_database: Logins) -> Iterator[None]:
    """A transaction in a database where nothing was ever recorded; undone at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def numbers() -> list[tuple[str, int]]:
    return list(Outbox.objects.order_by("node", "node_seq").values_list("node", "node_seq"))


@pytest.mark.usefixtures("unwritten")
def test_an_entry_says_who_what_and_when() -> None:
    session = uuid4()
    uid = write.record(
        Event.SESSION_OPENED, actor=ADA, subject=SHOP, session=session, details={"client": "psql"}, source="127.0.0.1"
    )
    row = Outbox.objects.get()
    says = json.loads(bytes(row.leaf))
    assert row.event == says["event"] == "session:opened"
    assert UUID(says["id"]) == uid
    assert says["actor"]["name"].startswith("sha256:")
    assert personal.revealed(says)["actor"] == {"id": "1", "kind": "person", "name": "ada"}
    assert says["subject"] == {"id": "2", "kind": "resource", "name": "shop"}
    assert says["session"] == str(session)
    assert says["details"] == {"client": "psql"}
    assert (says["node"], says["node_seq"]) == (row.node, 1)
    assert says["occurred"].endswith("Z")
    assert "action" not in says


@pytest.mark.usefixtures("unwritten")
def test_numbers_of_one_transaction_follow_each_other() -> None:
    for _ in range(3):
        write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    assert [seq for _, seq in numbers()] == [1, 2, 3]
    assert len({node for node, _ in numbers()}) == 1


@pytest.mark.usefixtures("unwritten")
def test_many_at_once_are_what_each_alone_would_be() -> None:
    """Many go by COPY, few by INSERT: the same numbers, the same leaves, nobody's name in either."""
    told = [write.draft(Event.RECORD_READ, actor=ADA, subject=SHOP, details={"number": one}) for one in range(20)]
    for count in (1, write.MANY - 1, write.MANY, 20):
        with transaction.atomic():
            write.record_all(told[:count])
        rows = list(Outbox.objects.order_by("-id")[:count])[::-1]
        says = [json.loads(bytes(row.leaf)) for row in rows]
        assert [one["id"] for one in says] == [str(one.id) for one in told[:count]]
        assert [one["node_seq"] for one in says] == [row.node_seq for row in rows]
        assert {row.node for row in rows} == {one["node"] for one in says}
        assert {one["actor"]["name"] for one in says} == {personal.commitments_to(told)[ADA.id, ADA.name]}


@pytest.mark.usefixtures("unwritten")
def test_of_many_that_json_cannot_say_none_is_recorded() -> None:
    told = [write.draft(Event.RECORD_READ, actor=ADA, subject=SHOP) for _ in range(20)]
    told.append(write.draft(Event.RECORD_READ, actor=ADA, subject=SHOP, details={"when": object()}))
    with pytest.raises(ValueError, match="cannot say"), transaction.atomic():
        write.record_all(told)
    assert not Outbox.objects.exists()


@pytest.mark.usefixtures("unwritten")
def test_what_rolls_back_leaves_no_gap() -> None:
    write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    with transaction.atomic():
        write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
        transaction.set_rollback(True)
    write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    assert [seq for _, seq in numbers()] == [1, 2]


def test_outside_a_transaction_nothing_is_recorded(fresh_database: Logins, django_db_blocker: object) -> None:
    with pytest.raises(NarrowgateError, match="there is none"):
        write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)


@pytest.mark.usefixtures("unwritten")
def test_details_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot say"):
        write.record(Event.RECORD_READ, actor=ADA, subject=SHOP, details={"when": object()})
    assert not Outbox.objects.exists()


def test_two_transactions_take_two_lanes_and_neither_waits(fresh_database: Logins) -> None:
    with psycopg.connect(fresh_database.app) as other:
        other.execute(write.TAKE_SQL, ["node-1/lane-other", 1])
        other.commit()
        held = other.execute(write.TAKE_LANE_SQL, [1, "node-1/lane-"]).fetchone()
        assert held is not None
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    ((node, seq),) = numbers()
    assert node != "node-1/lane-other"
    assert seq == 1


def test_a_freed_lane_is_used_again(fresh_database: Logins) -> None:
    for _ in range(3):
        with transaction.atomic():
            write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    assert Node.objects.count() == 1
    assert [seq for _, seq in numbers()] == [1, 2, 3]


def test_the_gateway_appends_many_at_once(fresh_database: Logins) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(fresh_database.gateway) as gateway:
            drafts = [write.draft(Event.ACTION_ALLOWED, actor=ADA, subject=SHOP, action=uuid4()) for _ in range(5)]
            async with gateway.transaction():
                await write.append(gateway, "node-1/gateway", drafts)
            async with gateway.transaction(force_rollback=True):
                await write.append(gateway, "node-1/gateway", drafts[:2])
            async with gateway.transaction():
                await write.append(gateway, "node-1/gateway", [])
                await write.append(gateway, "node-1/gateway", drafts[2:3])

    asyncio.run(run())
    assert numbers() == [("node-1/gateway", n) for n in range(1, 7)]
    assert [json.loads(bytes(row.leaf))["node_seq"] for row in Outbox.objects.order_by("id")] == [1, 2, 3, 4, 5, 6]


def test_the_gateway_is_refused_before_anything_is_sent(fresh_database: Logins) -> None:
    async def run() -> None:
        async with await psycopg.AsyncConnection.connect(fresh_database.gateway) as gateway:
            bad = write.draft(Event.ACTION_ALLOWED, actor=ADA, subject=SHOP, details={"n": float("nan")})
            async with gateway.transaction():
                await write.append(gateway, "node-1/gateway", [bad])

    with pytest.raises(ValueError, match="cannot say"):
        asyncio.run(run())
    assert numbers() == []
