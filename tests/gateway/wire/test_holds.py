"""A held statement waits in its client, is settled somewhere else, and runs at most once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest

from activity.models import Action
from approvals import actions as approvals
from approvals.granting import Wider
from approvals.models import Hold, Scope
from core.db import db_now
from gateway import holds as waiting
from gateway.postgres import catalog_load, resources
from gateway.postgres.catalog import Catalog
from ledger.models import Outbox
from tests.gateway.wire.world import World, eventually

DELETE = "DELETE FROM orders WHERE customer_id = 7"


class Asked:
    """A statement that a client runs in a thread."""

    def __init__(self, world: World, statement: str = DELETE, **how: Any) -> None:
        self.notices: list[str] = []
        self.connection = world.connect(**how)
        self.connection.add_notice_handler(lambda notice: self.notices.append(str(notice.message_primary)))
        self._pool = ThreadPoolExecutor(1)
        self.result: Future[int] = self._pool.submit(lambda: self.connection.execute(statement).rowcount)

    def hold(self) -> Hold:
        """The hold once it is there."""
        found = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert found is not None
        return found

    def error(self) -> psycopg.Error:
        """How it failed."""
        error = self.result.exception(20)
        assert isinstance(error, psycopg.Error), error
        return error

    def close(self) -> None:
        """Leave: the thread that waits hears that the connection ended. Of one that is closed beneath it, it would hear nothing."""
        if not self.connection.closed:
            with socket.socket(fileno=os.dup(self.connection.fileno())) as own, suppress(OSError):
                own.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown()
        self.connection.close()


@pytest.fixture
def asked(world: World) -> Any:
    opened: list[Asked] = []

    def ask(*arguments: Any, **how: Any) -> Asked:
        opened.append(Asked(world, *arguments, **how))
        return opened[-1]

    yield ask
    for one in opened:
        one.close()


Ask = Callable[..., Asked]


def _waiting(count: int) -> bool:
    return Hold.objects.filter(status="waiting").count() == count


def _orders(world: World) -> int:
    with world.target() as target:
        row = target.execute("SELECT count(*) FROM orders WHERE customer_id = 7").fetchone()
    return int(row[0]) if row else -1


def test_approved_it_runs_once_and_the_client_gets_its_result(world: World, asked: Ask) -> None:
    before, client = _orders(world), asked()
    hold = client.hold()
    assert (hold.status, hold.requirement, _orders(world)) == ("waiting", {"dba": 1}, before)
    assert any(
        str(hold.id) in words and "http://console.test/queue/" in words for words in eventually(lambda: client.notices)
    )
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
    assert client.result.result(20) == before == 5
    hold.refresh_from_db()
    assert (hold.status, _orders(world)) == ("released", 0)
    action = eventually(lambda: Action.objects.filter(id=hold.action_id, status="done").first())
    assert action is not None
    assert (action.decision, action.rows, action.verb) == ("hold", 5, "sql:delete")
    events = set(Outbox.objects.values_list("event", flat=True))
    assert {"hold:asked", "hold:approved", "action:released", "action:done"} <= events


def test_what_a_grant_covers_does_not_wait_and_is_still_decided_and_recorded(world: World, asked: Ask) -> None:
    hold = asked().hold()
    wider = Wider(Scope.SHAPE, 60, 1)
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=wider)
    with world.connect() as connection:
        began = time.monotonic()
        assert connection.execute("DELETE FROM orders WHERE customer_id = 8").rowcount == 5
        assert time.monotonic() - began < 5
    covered = Hold.objects.get(grant__hold=hold)
    assert (covered.status, covered.reviews.count()) == ("released", 0)
    assert Outbox.objects.filter(event="grant:used").count() == 1
    third = asked("DELETE FROM orders WHERE customer_id = 9")
    assert third.hold().grant_id is None  # it was for one time


def test_it_is_estimated_without_running(world: World, asked: Ask) -> None:
    hold = asked().hold()
    estimate = eventually(lambda: Hold.objects.get(id=hold.id).estimate)
    assert estimate is not None
    assert (estimate["rows"], estimate["of"], estimate["exact"]) == (5, 500, True)
    sample = estimate["sample"]
    assert len(sample["rows"]) == 5
    assert set(sample["hidden"]) < set(sample["columns"])


@pytest.mark.parametrize(
    ("change", "reads"),
    [("", 0), ("CREATE POLICY late ON orders USING (true)", 1), ("COMMENT ON TABLE orders IS 'Nothing of it'", 0)],
)
def test_the_catalog_is_read_again_at_the_release_only_where_it_changed(
    world: World, asked: Ask, monkeypatch: pytest.MonkeyPatch, change: str, reads: int
) -> None:
    client = asked()
    hold = client.hold()
    eventually(lambda: Hold.objects.get(id=hold.id).estimate)
    read: list[float] = []
    load = catalog_load.load

    async def counted(*given: Any, **named: Any) -> Catalog:
        read.append(time.monotonic())
        return await load(*given, **named)

    monkeypatch.setattr(resources, "LOOK_EVERY", 60.0)
    monkeypatch.setattr(resources, "load", counted)
    if change:
        with world.target() as target:
            target.execute(change)
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
    client.result.exception(20)
    assert len(read) == reads


def test_denied_it_does_not_run(world: World, asked: Ask) -> None:
    client = asked()
    hold = client.hold()
    approvals.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="Not today.")
    error = client.error()
    assert error.sqlstate == "42501"
    assert str(hold.action_id) in str(error)
    assert _orders(world) == 5
    assert Action.objects.get(id=hold.action_id).status == "denied"
    assert client.connection.execute("SELECT 1").fetchone() == (1,)


def test_the_deadline_denies(world: World, asked: Ask) -> None:
    client = asked()
    hold = client.hold()
    Hold.objects.filter(id=hold.id).update(
        asked_at=db_now() - timedelta(minutes=9), deadline=db_now() - timedelta(seconds=1)
    )
    assert client.error().sqlstate == "42501"
    hold.refresh_from_db()
    assert (hold.status, _orders(world)) == ("expired", 5)


def test_cancel_withdraws(world: World, asked: Ask) -> None:
    client = asked()
    hold = client.hold()
    client.connection.cancel_safe()
    assert client.error().sqlstate == "57014"
    hold.refresh_from_db()
    assert (hold.status, _orders(world)) == ("withdrawn", 5)


def test_a_client_that_left_finds_its_hold_again(world: World, asked: Ask) -> None:
    first = asked()
    hold = first.hold()
    first.close()
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
    assert Hold.objects.get(id=hold.id).status == "approved"
    assert _orders(world) == 5
    again = asked()
    assert again.result.result(20) == 5
    assert Hold.objects.get(id=hold.id).status == "released"
    assert Hold.objects.count() == 1
    assert eventually(lambda: Action.objects.get(id=hold.action_id).status == "done")


def test_two_clients_that_ask_the_same_get_one_run(world: World, asked: Ask) -> None:
    clients = [asked(), asked()]
    hold = clients[0].hold()
    eventually(lambda: Outbox.objects.filter(event="hold:joined").exists())
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
    errors = [client.result.exception(20) for client in clients]
    assert sorted(error is None for error in errors) == [False, True]
    assert _orders(world) == 0


def test_what_its_names_mean_is_checked_again(world: World, asked: Ask) -> None:
    client = asked()
    hold = client.hold()
    with world.target() as target:
        target.execute("ALTER TABLE orders ADD COLUMN surprise int")
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
    assert client.error().sqlstate == "42501"
    assert _orders(world) == 5


def test_in_a_transaction_it_waits_a_minute_at_most_and_a_denial_aborts(world: World, asked: Ask) -> None:
    client = asked("BEGIN; INSERT INTO log (line) VALUES ('before'); DELETE FROM orders WHERE id = 1")
    hold = client.hold()
    assert not hold.in_transaction
    approvals.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="No.")
    client.error()
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO log (line) VALUES ('one')")
        waits = pool.submit(connection.execute, DELETE)
        held = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert held is not None
        assert held.in_transaction
        assert held.locks == ["public.log"]
        assert held.deadline - held.asked_at <= timedelta(seconds=60)
        approvals.deny(held.id, actor=world.cast.reviewer, seen=held.digest, reason="No.")
        assert isinstance(waits.exception(20), psycopg.errors.InsufficientPrivilege)
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.execute("ROLLBACK")


def test_parameters_are_part_of_what_is_approved(world: World) -> None:
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, "DELETE FROM orders WHERE customer_id = %s", [7])
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        assert "-- $1 = " in hold.shown
        approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
        assert runs.result(20).rowcount == 5
        other = pool.submit(connection.execute, "DELETE FROM orders WHERE customer_id = %s", [8])
        again = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert again is not None
        connection.cancel_safe()
        assert isinstance(other.exception(20), psycopg.errors.QueryCanceled)


def test_too_many_holds_are_refused(world: World, asked: Ask) -> None:
    for number in range(5):
        asked(f"DELETE FROM orders WHERE id = {number}")
        eventually(partial(_waiting, number + 1))
    error = asked("DELETE FROM orders WHERE id = 9").error()
    assert "already wait for people" in str(error)
    assert Action.objects.filter(code="too_many_holds", status="denied").count() == 1


def test_reminders_repeat(world: World, asked: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "REMIND", 0.2)
    client = asked()
    client.hold()
    assert eventually(lambda: len(client.notices) >= 3)
