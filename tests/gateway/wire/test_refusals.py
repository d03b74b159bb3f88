"""A refusal says why, comes in the protocol's order, and aborts what the protocol says it aborts."""

from __future__ import annotations

import re
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from activity.models import Action, Session
from tests.gateway.wire.world import World, eventually

Connection = psycopg.Connection[Any]
NAMED = re.compile(r"\(action ([0-9a-f-]{36})\)")


@pytest.fixture
def world(standing_world: World) -> World:
    """One for all of these: none changes what another looks at."""
    return standing_world


def test_a_denied_statement_says_policy_reason_and_action(world: World) -> None:
    with world.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as refused:
            connection.execute("TRUNCATE orders")
        assert "Nobody truncates. [policy no-truncate]" in str(refused.value)
        found = NAMED.search(str(refused.value))
        assert found
        action = Action.objects.get(id=UUID(found[1]))
        assert (action.status, action.decision, action.code, action.verb) == (
            "denied",
            "deny",
            "forbidden",
            "sql:truncate",
        )
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (500,)


@pytest.mark.parametrize(
    "statement",
    [
        "DO $$ BEGIN END $$",
        "SELECT set_config('role', 'postgres', false)",
        "SET ROLE postgres",
        "this is not SQL",
        "SELECT * FROM pg_authid",
        "LISTEN x",
    ],
)
def test_what_is_not_understood_or_not_allowed_is_refused_and_recorded(world: World, statement: str) -> None:
    with world.connect() as connection:
        with pytest.raises(psycopg.Error) as refused:
            connection.execute(statement)
        assert refused.value.diag.sqlstate in {"42501", "42601"}
        found = NAMED.search(str(refused.value))
        assert found
        assert Action.objects.get(id=UUID(found[1])).status == "denied"
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_refusal_aborts_the_transaction_upstream_too(world: World) -> None:
    with world.connect() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO log (line) VALUES ('lost')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("TRUNCATE orders")
        assert _status(connection) == TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1")
        connection.execute("COMMIT")
        assert _status(connection) == TransactionStatus.IDLE
        assert connection.execute("SELECT count(*) FROM log WHERE line = 'lost'").fetchone() == (0,)


def test_a_refusal_fails_its_pipeline_in_order(world: World) -> None:
    with world.connect() as connection:
        cursors = _pipelined(
            connection,
            psycopg.errors.InsufficientPrivilege,
            "INSERT INTO log (line) VALUES ('first') RETURNING line",
            "TRUNCATE orders",
            "INSERT INTO log (line) VALUES ('never')",
        )
        assert cursors[0].fetchone() == ("first",)
        assert connection.execute("SELECT count(*) FROM log WHERE line IN ('first', 'never')").fetchone() == (0,)


def test_what_an_errors_pipeline_skips_is_not_said_to_have_run(world: World) -> None:
    with world.connect() as connection:
        _pipelined(
            connection, psycopg.errors.UniqueViolation, "INSERT INTO log (line) VALUES ('rolled back')",
            "INSERT INTO customers VALUES (1, 'twice', 'twice', NULL, NULL, NULL)", "UPDATE customers SET name = 'skipped' WHERE id = 1",
        )  # fmt: skip
        assert connection.execute("SELECT name FROM customers WHERE id = 1").fetchone() == ("Name 1",)
        session = Session.objects.latest("began_at")
    statuses = {"sql:insert": {"rolled_back", "failed"}, "sql:update": {"failed"}}
    eventually(lambda: Action.objects.filter(status__in=("released", "pending")).count() == 0)
    for verb, expected in statuses.items():
        asked = Action.objects.filter(session_id=session.id, verb=verb)
        assert set(asked.values_list("status", flat=True)) <= expected


def test_every_statement_of_a_text_is_decided_before_any_runs(world: World) -> None:
    with world.connect() as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO log (line) VALUES ('a'); TRUNCATE orders")
        assert connection.execute("SELECT count(*) FROM log WHERE line = 'a'").fetchone() == (0,)


def test_an_error_of_the_resource_comes_through(world: World) -> None:
    with world.connect() as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.UniqueViolation, match="customers_pkey"):
            connection.execute("INSERT INTO customers VALUES (1, 'twice', 'twice', NULL, NULL, NULL)")
        assert connection.execute("SELECT 2").fetchone() == (2,)


def _status(connection: Connection) -> TransactionStatus:
    return connection.info.transaction_status


def _pipelined(
    connection: Connection, error: type[psycopg.Error], *statements: LiteralString
) -> list[psycopg.Cursor[Any]]:
    pipeline = connection.pipeline()
    pipeline.__enter__()
    cursors = [connection.execute(statement) for statement in statements]
    with pytest.raises(error):
        pipeline.__exit__(None, None, None)
    return cursors
