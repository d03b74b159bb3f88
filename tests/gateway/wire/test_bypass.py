"""The public corpus of ways around the gate, in SQL: the target is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.gateway.bypass import cases
from tests.gateway.wire.world import World

STATE = """SELECT (SELECT count(*) FROM orders), (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
    (SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = 'public'::regnamespace), (SELECT count(*) FROM pg_authid WHERE rolsuper),
    (SELECT count(*) FROM pg_rules WHERE schemaname = 'public'), (SELECT n_tup_del + n_tup_upd FROM pg_stat_user_tables WHERE relname = 'orders')"""


@pytest.fixture
def connection(standing_world: World) -> Iterator[psycopg.Connection[Any]]:
    with standing_world.connect() as connection:
        yield connection


@pytest.mark.parametrize("case", cases("postgres"))
def test_the_target_is_as_it_was(
    standing_world: World, connection: psycopg.Connection[Any], case: dict[str, str]
) -> None:
    with standing_world.target() as target:
        before = target.execute(STATE).fetchone()
        result = connection.pgconn.exec_(case["sql"].encode())
        assert result.status == psycopg.pq.ExecStatus.FATAL_ERROR
        assert target.execute(STATE).fetchone() == before
