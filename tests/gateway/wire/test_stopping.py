"""Revoked, suspended, expired: it ends within a second, running statements included. And what a killed gate leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection as database

from activity.actions import cut_session
from activity.models import Action, GatewayNode, Session
from agents import actions as inventory
from agents.models import Agent, Credential
from approvals import actions as approvals
from approvals.models import Hold
from gateway import service, snapshot
from ledger.models import Outbox
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.processes import Process
from tests.gateway.wire.world import Gateway, World, eventually

SLOW = "SELECT count(*) FROM generate_series(1, 1000000000) a"


@pytest.mark.parametrize("how", ["revoke", "suspend"])
def test_revoking_and_suspending_end_sessions_and_what_runs_within_a_second(world: World, how: str) -> None:
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, SLOW)
        eventually(lambda: Action.objects.filter(status="released").exists())
        began = time.monotonic()
        if how == "revoke":
            credential = Credential.objects.get()
            inventory.revoke_credential(credential.id, actor=world.cast.engineer, reason="Stolen.")
        else:
            inventory.suspend(world.agent.id, actor=world.cast.engineer, reason="Odd.")
        error = runs.exception(10)
        took = time.monotonic() - began
    assert isinstance(error, psycopg.OperationalError | psycopg.errors.AdminShutdown)
    assert took < 1.0
    with world.target() as target:
        busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_gate' AND state = 'active'"
        assert eventually(lambda: target.execute(busy).fetchone() == (0,), within=1)
    assert eventually(lambda: Session.objects.get().ended_at is not None)


def test_a_cut_session_ends_within_a_second_with_what_runs_and_no_other_does(world: World) -> None:
    with world.connect() as connection, world.connect() as bystander, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, SLOW)
        running = eventually(lambda: Action.objects.filter(status="released").first())
        assert running is not None
        began = time.monotonic()
        cut_session(running.session_id, actor=world.cast.ciso, reason="It reads too much.")
        error = runs.exception(10)
        took = time.monotonic() - began
        assert bystander.execute("SELECT 1").fetchone() == (1,)
        with world.connect() as again:
            assert again.execute("SELECT 1").fetchone() == (1,)
    assert isinstance(error, psycopg.OperationalError | psycopg.errors.AdminShutdown)
    assert took < 1.0
    with world.target() as target:
        busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_gate' AND state = 'active'"
        assert eventually(lambda: target.execute(busy).fetchone() == (0,), within=1)
    ended = eventually(lambda: Session.objects.filter(id=running.session_id, ended_at__isnull=False).first())
    assert ended is not None
    assert ended.end_reason == "A person cut this session."
    assert eventually(lambda: Action.objects.get(id=running.id).status == "failed")
    assert "too much" not in Action.objects.get(id=running.id).message


def test_what_waited_in_a_cut_session_waits_on(world: World) -> None:
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        asks = pool.submit(connection.execute, "DELETE FROM orders WHERE id = 1")
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        cut_session(hold.session_id, actor=world.cast.engineer, reason="A drill.")
        assert asks.exception(5) is not None
    assert Hold.objects.get().status == "waiting"


def test_a_revoked_credential_opens_no_session(world: World) -> None:
    params = world.params()
    inventory.revoke_credential(Credential.objects.get().id, actor=world.cast.engineer, reason="Stolen.")
    with pytest.raises(psycopg.OperationalError, match="revoked"):
        psycopg.connect(**params)


def test_a_held_statement_of_a_suspended_agent_never_runs(world: World) -> None:
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, "DELETE FROM orders")
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        inventory.suspend(world.agent.id, actor=world.cast.engineer, reason="Odd.")
        assert runs.exception(10) is not None
    with world.target() as target:
        assert target.execute("SELECT count(*) FROM orders").fetchone() == (500,)


def test_an_expired_credential_ends_the_session_at_the_next_statement(world: World) -> None:
    with world.connect() as connection:
        _, session = next(iter(world.gateway.service._sessions.values()))
        object.__setattr__(session.caller, "expires", time.time() - 1)
        with pytest.raises(psycopg.OperationalError, match="has expired"):
            connection.execute("SELECT 1")


def test_a_session_that_breaks_before_its_first_message_leaves_the_resource(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_credential: object) -> bool:
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(service, "is_alive", lost)
    with pytest.raises(psycopg.OperationalError), world.connect() as connection:
        connection.execute("SELECT 1")
    with world.target() as target:
        there = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'shop_gate'"
        assert eventually(lambda: target.execute(there).fetchone() == (0,))
    assert eventually(lambda: not world.gateway.service._sessions)


def test_without_its_database_the_gate_releases_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "PATIENCE", 0.2)
    with world.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        world.gateway.run(world.gateway.service._watch.stop())
        time.sleep(1.1)
        with pytest.raises(psycopg.Error, match="has not heard from its database"):
            connection.execute("SELECT 1")


def test_the_recorder_survives_losing_its_connection(world: World) -> None:
    with world.connect() as connection, psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        connection.execute("SELECT 1")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name IN ('narrowgate recorder', 'narrowgate watch')",
            [database.settings_dict["NAME"]],  # other workers have gateways in the same cluster
        )
        eventually(lambda: _works(connection))
    eventually(lambda: not Action.objects.filter(status="released").exists())
    assert not Action.objects.filter(status="uncertain").exists()


def _works(connection: psycopg.Connection[Any]) -> bool:
    try:
        return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.Error:
        return False


# ---- a gate in a process of its own ----
@pytest.fixture
def killable(prepared: World) -> Iterator[Process]:
    process = Process(prepared)
    yield process
    process.close()


def _connect(world: World, process: Process) -> psycopg.Connection[Any]:
    return world.connect(port=process.port)


@pytest.mark.process
def test_a_held_statement_survives_the_gate_and_approving_runs_nothing_twice(
    prepared: World, killable: Process
) -> None:
    with _connect(prepared, killable) as connection, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, "DELETE FROM orders WHERE customer_id = 7")
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        killable.kill()
        assert isinstance(runs.exception(10), psycopg.OperationalError)
    prepared.gateway = Gateway(prepared.config)
    try:
        assert Hold.objects.get(id=hold.id).status == "waiting"
        assert Action.objects.get(id=hold.action_id).status == "held"
        approvals.approve(hold.id, actor=prepared.cast.reviewer, seen=hold.digest)
        with prepared.connect() as connection, prepared.target() as target:
            time.sleep(0.5)
            assert target.execute("SELECT count(*) FROM orders WHERE customer_id = 7").fetchone() == (5,)
            assert connection.execute("DELETE FROM orders WHERE customer_id = 7").rowcount == 5
        assert Hold.objects.get(id=hold.id).status == "released"
        assert Hold.objects.count() == 1
        assert eventually(lambda: Action.objects.get(id=hold.action_id).status == "done")
    finally:
        prepared.gateway.stop()


@pytest.mark.process
def test_killed_between_release_and_result_it_is_uncertain_and_never_runs_again(
    prepared: World, killable: Process
) -> None:
    with prepared.target() as target, _connect(prepared, killable) as connection, ThreadPoolExecutor(1) as pool:
        target.execute("BEGIN")
        target.execute("LOCK TABLE orders")  # so that the result stays out
        runs = pool.submit(connection.execute, "UPDATE orders SET note = 'changed' WHERE id = 1")
        action = eventually(lambda: Action.objects.filter(verb="sql:update", status="released").first())
        assert action is not None
        killable.kill()
        assert isinstance(runs.exception(10), psycopg.OperationalError)
        target.execute("ROLLBACK")
    prepared.gateway = Gateway(prepared.config)
    try:
        action.refresh_from_db()
        assert action.status == "uncertain"
        assert action.outcome_entry_id is not None
        assert Outbox.objects.filter(event="action:uncertain").count() == 1
        assert Session.objects.get(id=action.session_id).ended_at is not None
        assert GatewayNode.objects.filter(stopped_at=None).count() == 1
    finally:
        prepared.gateway.stop()
    action.refresh_from_db()
    assert action.status == "uncertain"


def test_who_waits_at_the_https_door_is_told_that_the_gate_stops(world: World) -> None:
    wish = {"operation": "payments.transfer", "arguments": {"amount": 5000}}
    with served(world) as address, client(world, address) as http, ThreadPoolExecutor(1) as pool:
        proven = {"Authorization": f"Bearer {world.token()}"}
        asked = http.post("/v1/actions", json=wish, headers=proven | {"Idempotency-Key": "before"})
        waits = pool.submit(http.get, f"/v1/actions/{asked.json()['id']}?wait=60", headers=proven)
        service = world.gateway.service
        assert eventually(lambda: service._holds._waiting)
        world.gateway.loop.call_soon_threadsafe(service.leave)
        answer = waits.result(10)
        assert (answer.status_code, answer.json()["status"]) == (202, "held")
        late = http.post("/v1/actions", json=wish, headers=proven | {"Idempotency-Key": "after"})
    assert (late.status_code, late.json()["code"]) == (503, "shutting_down")
    assert late.json()["remedy"] == "Ask again in a moment."
    assert Hold.objects.get().status == "waiting"


def test_stopping_in_order_leaves_nothing_open(prepared: World) -> None:
    prepared.gateway = Gateway(prepared.config)
    connection = prepared.connect()
    connection.execute("SELECT 1")
    prepared.gateway.stop()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    assert not Action.objects.filter(status__in=("released", "pending")).exists()
    assert not Session.objects.filter(ended_at=None).exists()
    assert GatewayNode.objects.get().stopped_at is not None
    assert Agent.objects.count() == 1


def test_expiry_counts_when_it_is_asked_not_while_people_think(world: World) -> None:
    with world.connect() as connection, ThreadPoolExecutor(1) as pool:
        runs = pool.submit(connection.execute, "DELETE FROM orders WHERE customer_id = 7")
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        _, session = next(iter(world.gateway.service._sessions.values()))
        object.__setattr__(session.caller, "expires", time.time() - 1)
        approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
        assert runs.result(10).rowcount == 5


def test_a_resource_takes_as_many_connections_as_it_says(world: World) -> None:
    inventory.change_resource(world.resource.id, actor=world.cast.engineer, connections=1)
    with world.connect(), pytest.raises(psycopg.OperationalError, match="takes no more connections"):
        world.connect()


def test_a_resource_that_is_gone_is_said_to_be(world: World) -> None:
    inventory.change_resource(world.resource.id, actor=world.cast.engineer, host="/nonexistent")
    with pytest.raises(psycopg.OperationalError, match="cannot be reached"):
        world.connect()
    assert Session.objects.get().end_reason == "The resource cannot be reached."
