"""psql, psycopg, asyncpg and SQLAlchemy, unmodified, through the gate."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session as Orm

from tests.gateway.wire.world import World


@pytest.fixture
def world(standing_world: World) -> World:
    """One for all of these: none changes what another looks at."""
    return standing_world


def test_psql_reads(world: World) -> None:
    done = world.psql("-Atc", "SELECT name FROM customers WHERE id = 7")
    assert (done.stdout, done.stderr, done.returncode) == ("Name 7\n", "", 0)


def test_psql_describes_tables(world: World) -> None:
    done = world.psql("-c", r"\d customers")
    assert "customers_pkey" in done.stdout, done.stderr
    assert world.psql("-c", r"\d").returncode == 0


def test_psycopg_reads_with_parameters_and_named_statements(world: World) -> None:
    with world.connect() as connection:
        connection.prepare_threshold = 0
        for number in (1, 2, 3):
            row = connection.execute(
                "SELECT name, total FROM orders JOIN customers c ON c.id = customer_id WHERE orders.id = %s", [number]
            ).fetchone()
            assert row is not None
            assert row[0] == f"Name {1 + number % 100}"


def test_psycopg_rolls_back(world: World) -> None:
    with world.connect() as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("INSERT INTO log (line) VALUES ('one')")
        assert connection.execute("SELECT count(*) FROM log WHERE line = 'one'").fetchone() == (0,)


def test_asyncpg_reads_and_writes(world: World) -> None:
    token, context = world.token(), ssl.create_default_context(cafile=str(world.ca))

    async def talk() -> Any:
        connection = await asyncpg.connect(
            host="localhost", port=world.port, user=world.agent.name, password=token, database="shop", ssl=context
        )
        try:
            await connection.execute("INSERT INTO log (line) VALUES ($1)", "from asyncpg")
            async with connection.transaction():
                cursor = await connection.cursor("SELECT id FROM orders ORDER BY id")
                first = await cursor.fetch(3)
            many = await connection.fetch("SELECT id, name, score FROM customers WHERE score > $1 ORDER BY id", 98)
            return (
                [row["id"] for row in first],
                [tuple(row) for row in many],
                await connection.fetchval("SELECT line FROM log"),
            )
        finally:
            await connection.close()

    assert asyncio.run(talk()) == ([1, 2, 3], [(99, "Name 99", 99), (100, "Name 100", 100)], "from asyncpg")


def test_the_database_is_the_resource(world: World) -> None:
    with pytest.raises(psycopg.OperationalError, match="another resource"):
        world.connect(dbname="payroll")


def test_the_user_is_the_agent(world: World) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"belongs to support\.production"):
        world.connect(user="somebody.else")


def test_a_wrong_token_is_refused(world: World) -> None:
    with pytest.raises(psycopg.OperationalError, match="not an access token"):
        world.connect(password="secret")


def test_the_target_login_is_not_the_agents(world: World) -> None:
    done = world.psql("-Atc", "SELECT 1 AS one")
    assert done.stdout == "1\n"
    assert "shop_gate" not in done.stderr


def test_sqlalchemy_looks_around_reads_and_writes(world: World) -> None:
    """It asks a database much of itself before its first statement, and puts many into one."""
    engine = sa.create_engine("postgresql+psycopg://", creator=world.connect, pool_size=2)
    try:
        assert "customers" in sa.inspect(engine).get_table_names()
        log = sa.Table("log", sa.MetaData(), sa.Column("id", sa.BigInteger, sa.Identity()), sa.Column("line", sa.Text))
        with engine.begin() as connection:
            connection.execute(log.insert(), [{"line": f"from SQLAlchemy {number}"} for number in range(20)])
        with Orm(engine) as orm, orm.begin():
            found = (
                orm.execute(sa.select(log.c.line).where(log.c.line.like("from SQLAlchemy%")).order_by(log.c.id))
                .scalars()
                .all()
            )
            assert found[:2] == ["from SQLAlchemy 0", "from SQLAlchemy 1"]
        with pytest.raises(sa.exc.ProgrammingError), engine.begin() as connection:
            connection.execute(sa.text("TRUNCATE log"))
    finally:
        engine.dispose()
