"""The recorder's own way of running prepared statements: values, errors, large parameters, a connection that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import AsyncConnection

from console.database import Logins
from gateway.statements import Statements

T = TypeVar("T")
LARGE = 8 << 20  # more than a socket's buffers hold


def running(logins: Logins, story: Callable[[Statements], Awaitable[T]]) -> T:
    """What `story` gives, told over a connection of its own."""

    async def tell() -> T:
        connection: AsyncConnection[Any] = await AsyncConnection.connect(logins.gateway, autocommit=True)
        statements = Statements(connection)
        try:
            async with asyncio.timeout(30):
                return await story(statements)
        finally:
            await statements.close()

    return asyncio.run(tell())


def test_the_first_row_comes_back_as_text(fresh_database: Logins) -> None:
    async def story(statements: Statements) -> list[object]:
        return [
            await statements.run("SELECT %s::int + 1, %s::text, NULL", ["41", "ünï"]),
            await statements.run("SELECT 1 WHERE %s::bool", ["f"]),
            await statements.run("SET LOCAL lock_timeout = 0", []),
            await statements.run("SELECT %s::int + 1, %s::text, NULL", ["1", ""]),
        ]

    assert running(fresh_database, story) == [[b"42", "ünï".encode(), b""], None, None, [b"2", b"", b""]]


def test_an_error_ends_one_statement_alone(fresh_database: Logins) -> None:
    async def story(statements: Statements) -> object:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await statements.run("SELECT 1 / %s::int", ["0"])
        with pytest.raises(psycopg.errors.SyntaxError):
            await statements.run("SELEC %s", ["0"])
        assert not statements.lost
        return await statements.run("SELECT 1 / %s::int", ["1"])

    assert running(fresh_database, story) == [b"1"]


def test_parameters_larger_than_a_socket_takes_at_once(fresh_database: Logins) -> None:
    async def story(statements: Statements) -> object:
        return await statements.run("SELECT length(%s::text), pg_sleep(0.01)", ["x" * LARGE])

    assert running(fresh_database, story) == [str(LARGE).encode(), b""]


@pytest.mark.parametrize("meanwhile", [True, False])
def test_a_connection_that_ends_is_said_to_be_lost(fresh_database: Logins, meanwhile: bool) -> None:
    """While a statement runs, and between two."""

    async def story(statements: Statements) -> None:
        row = await statements.run("SELECT pg_backend_pid()", [])
        assert row is not None
        async with await AsyncConnection.connect(fresh_database.gateway, autocommit=True) as other:
            runs = asyncio.ensure_future(statements.run("SELECT pg_sleep(20)", [])) if meanwhile else None
            await asyncio.sleep(0.1)
            await other.execute("SELECT pg_terminate_backend(%s)", [int(row[0])])
            await asyncio.sleep(0.1)
        with pytest.raises(psycopg.OperationalError):
            await (runs or statements.run("SELECT 1", []))
        assert statements.lost

    running(fresh_database, story)
