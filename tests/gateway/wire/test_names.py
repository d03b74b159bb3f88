"""A name means what the resource took it for, never what a failed or rolled back statement would have made it."""

from __future__ import annotations

import time

import psycopg
import pytest

from tests.gateway.wire.world import World


def test_a_prepare_that_failed_does_not_change_what_a_name_means(world: World) -> None:
    with world.connect() as connection:
        connection.execute("PREPARE p AS UPDATE log SET line = 'changed'")
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            connection.execute("PREPARE p AS SELECT 1")
        with world.target() as target:
            target.execute("REVOKE UPDATE ON log FROM shop_gate")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="permission denied"):
            connection.execute("EXECUTE p")  # still the UPDATE, so the resource itself says no


def test_a_deallocate_that_failed_frees_no_name(world: World) -> None:
    with world.connect() as connection:
        connection.execute("PREPARE p AS SELECT 'first'")
        connection.execute("BEGIN")
        with pytest.raises(psycopg.errors.DivisionByZero):
            connection.execute("SELECT 1 / 0")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("DEALLOCATE p")
        connection.execute("ROLLBACK")
        assert connection.execute("EXECUTE p").fetchone() == ("first",)


def test_cursors_and_prepared_statements_work(world: World) -> None:
    with world.connect() as connection:
        connection.execute("PREPARE named (int) AS SELECT name FROM customers WHERE id = $1")
        assert connection.execute("EXECUTE named (4)").fetchone() == ("Name 4",)
        connection.execute("DEALLOCATE named")
        with pytest.raises(psycopg.Error):
            connection.execute("EXECUTE named (4)")
        connection.execute("BEGIN")
        connection.execute("DECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id")
        assert connection.execute("FETCH 2 FROM c").fetchall() == [(1,), (2,)]
        connection.execute("CLOSE c")
        with pytest.raises(psycopg.Error):
            connection.execute("FETCH 1 FROM c")


def test_an_unknown_portal_or_statement_is_refused(world: World) -> None:
    with world.connect() as connection:
        result = connection.pgconn.exec_prepared(b"never made", [])
        assert b"does not exist" in result.error_message
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_schema_change_behind_the_gates_back_is_noticed(world: World) -> None:
    with world.connect() as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM made_later")
        with world.target() as target:
            target.execute("CREATE TABLE made_later (id int); INSERT INTO made_later VALUES (1)")
            target.execute("GRANT SELECT ON made_later TO shop_gate")
        time.sleep(1.1)
        assert connection.execute("SELECT * FROM made_later").fetchone() == (1,)
