"""The gate's own database fails, or the resource: clients hear of it within seconds, in their protocol, and nothing passes that is not recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from django.db import connection as database
from django.db import connections

from activity.models import Action
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.world import World, eventually

SOON = 5.0
"""Seconds within which whoever asks hears that it cannot be."""
WISH = {"operation": "payments.transfer", "arguments": {"amount": 5}}
CHANGE = "UPDATE orders SET note = 'changed' WHERE id = 1"


@contextmanager
def failing(world: World, name: str) -> Iterator[None]:
    """A database that ends whoever uses it and takes nobody in, until the block ends."""
    with psycopg.connect(world.cluster.admin_dsn, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            connections.close_all()


@contextmanager
def soon() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SOON


def test_without_its_database_the_gate_says_so_and_passes_nothing(world: World) -> None:
    name = database.settings_dict["NAME"]
    with served(world) as address, client(world, address) as http, world.connect() as connection:
        proven, params = {"Authorization": f"Bearer {world.token()}"}, world.params()
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (100,)
        with failing(world, name):
            for statement in ("SELECT count(*) FROM customers", CHANGE):
                with soon(), pytest.raises(psycopg.errors.CannotConnectNow, match="Try again in a moment"):
                    connection.execute(statement)
            with (
                soon(),
                pytest.raises(
                    psycopg.OperationalError, match=r"Something broke at the gate|not heard from its database"
                ),
            ):
                psycopg.connect(**params)
            with soon():
                answer = http.post("/v1/actions", json=WISH, headers=proven | {"Idempotency-Key": "failing"})
            assert (answer.status_code, answer.json()["code"] in {"deaf", "record_unavailable", "broken"}) == (
                503,
                True,
            )
        assert eventually(lambda: works(connection), within=30)
        with world.target() as target:
            assert target.execute("SELECT note FROM orders WHERE id = 1").fetchone() == ("note 1",)
        assert connection.execute(CHANGE).rowcount == 1
    assert eventually(lambda: not Action.objects.filter(status="released", enforced=True).exists(), within=30)


def works(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    try:
        return connection.execute("SELECT count(*) FROM customers").fetchone() == (100,)
    except psycopg.Error:
        return False


def test_without_the_resource_its_clients_hear_so_and_each_action_has_an_outcome(world: World) -> None:
    name = psycopg.conninfo.conninfo_to_dict(world.shop_dsn)["dbname"]
    assert isinstance(name, str)
    with (
        closing(world.target()) as target,
        world.connect() as busy,
        world.connect() as idle,
        ThreadPoolExecutor(1) as pool,
    ):
        target.execute("BEGIN")
        target.execute("LOCK TABLE orders")
        runs = pool.submit(busy.execute, CHANGE)
        action = eventually(lambda: Action.objects.filter(verb="sql:update", status="released").first())
        assert action is not None
        with failing(world, name):
            with soon():
                assert isinstance(runs.exception(SOON), psycopg.OperationalError)
            with soon(), pytest.raises(psycopg.OperationalError):
                idle.execute("SELECT 1")
            with soon(), pytest.raises(psycopg.OperationalError, match=r"cannot be reached|does not let the gate in"):
                world.connect()
    assert eventually(lambda: Action.objects.get(id=action.id).status in {"failed", "uncertain"}, within=30)
    assert not Action.objects.filter(status="released").exists()
    with world.connect() as again:
        assert again.execute("SELECT note FROM orders WHERE id = 1").fetchone() == ("note 1",)
