"""One gateway of two dies, or only seems to: nothing that it released stays without an outcome, and the other goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection as database

from activity.models import Action, GatewayNode, Session
from core.db import db_now
from gateway import liveness
from ledger.models import Outbox
from tests.gateway.wire.processes import Process
from tests.gateway.wire.world import World, eventually

LOCKS = "SELECT count(*) FROM pg_locks AS held JOIN pg_database AS d ON d.oid = held.database WHERE locktype = 'advisory' AND classid = %s AND d.datname = %s"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name = 'narrowgate alive'"


@pytest.fixture
def other(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A second gateway of the same deployment; the first looks more often than it would."""
    monkeypatch.setattr(liveness, "DEAD_AFTER", 2.0)
    monkeypatch.setattr(liveness, "LOOK_EVERY", 0.2)
    process = Process(world)
    yield process
    process.close()


@pytest.mark.process
def test_what_a_gateway_that_died_had_released_is_uncertain_and_the_other_goes_on(world: World, other: Process) -> None:
    with (
        world.target() as target,
        world.connect(port=other.port) as lost,
        world.connect() as kept,
        ThreadPoolExecutor(1) as pool,
    ):
        target.execute("BEGIN")
        target.execute("LOCK TABLE orders")  # so that the result stays out
        runs = pool.submit(lost.execute, "UPDATE orders SET note = 'changed' WHERE id = 1")
        action = eventually(lambda: Action.objects.filter(verb="sql:update", status="released").first())
        assert action is not None
        other.kill()
        assert isinstance(runs.exception(5), psycopg.OperationalError)
        assert kept.execute("SELECT count(*) FROM customers").fetchone() == (100,)
        assert eventually(lambda: Action.objects.get(id=action.id).status == "uncertain", within=30)
        target.execute("ROLLBACK")
        assert kept.execute("SELECT count(*) FROM customers").fetchone() == (100,)
    assert Outbox.objects.filter(event="action:uncertain").count() == 1
    assert eventually(lambda: Session.objects.get(id=action.session_id).ended_at is not None)
    assert GatewayNode.objects.filter(stopped_at=None).get().id == world.gateway.service.node_id


@pytest.mark.process
def test_a_gateway_that_lives_is_left_alone_whatever_becomes_of_its_lock(world: World, other: Process) -> None:
    name = database.settings_dict["NAME"]
    with (
        world.connect(port=other.port) as connection,
        psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin,
    ):
        assert admin.execute(LOCKS, [liveness.LOCK_CLASS, name]).fetchone() == (2,)
        assert admin.execute(END, [name]).rowcount == 2
        assert eventually(lambda: admin.execute(LOCKS, [liveness.LOCK_CLASS, name]).fetchone() == (2,), within=30)
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert GatewayNode.objects.filter(stopped_at=None).count() == 2
    assert not Action.objects.filter(status="uncertain").exists()


def test_one_that_was_taken_for_dead_ends_what_it_carries_and_begins_anew(world: World) -> None:
    with world.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        GatewayNode.objects.update(stopped_at=db_now())
        with pytest.raises(psycopg.OperationalError, match="lost its database for too long"):
            eventually(lambda: connection.execute("SELECT 1").fetchone() != (1,), within=30)
    assert eventually(lambda: GatewayNode.objects.get().stopped_at is None)
    with world.connect() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
