"""What psql, psycopg, asyncpg and pgbench ask of the system catalogs is a plain read."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from typing import Any

import psycopg
import pytest
from asyncpg import introspection
from psycopg._typeinfo import TypeInfo
from psycopg.types.composite import CompositeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.range import RangeInfo

from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import SELECT, SESSION
from gateway.postgres.classify import classify
from gateway.postgres.masking import plan

COMMANDS = r"\d|\dt|\dt+|\d customers|\d+ customers|\d orders_id_seq|\d active_customers|\d+ events|\df|\df+|\dn|\dn+|\dv|\du|\di|\ds|\dT|\dp|\dx|\dC|\do|\dD|\sf touch|\sv renamed"  # fmt: skip
LOOKS_LIKE_QUERY = re.compile(r"^[/*]+ QUERY [*/]+\n(.*?)\n[/*]{20,}$", re.DOTALL | re.MULTILINE)

PSQL_18_LIST = r"""
SELECT d.datname as "Name", pg_catalog.pg_get_userbyid(d.datdba) as "Owner",
  pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding",
  CASE d.datlocprovider WHEN 'b' THEN 'builtin' WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu' END AS "Locale Provider",
  d.datcollate as "Collate", d.datctype as "Ctype", d.datlocale as "Locale", d.daticurules as "ICU Rules",
  CASE WHEN pg_catalog.array_length(d.datacl, 1) = 0 THEN '(none)' ELSE pg_catalog.array_to_string(d.datacl, E'\n') END
FROM pg_catalog.pg_database d ORDER BY 1
"""

PGBENCH_START = """
select o.n, p.partstrat, pg_catalog.count(i.inhparent) from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on (n.oid = c.relnamespace)
  cross join lateral (select pg_catalog.array_position(pg_catalog.current_schemas(true), n.nspname)) as o(n)
  left join pg_catalog.pg_partitioned_table as p on (p.partrelid = c.oid)
  left join pg_catalog.pg_inherits as i on (c.oid = i.inhparent)
 where c.relname = 'pgbench_accounts' and o.n is not null group by 1, 2 order by 1 asc limit 1
"""

ASYNCPG_RESET = "SELECT pg_advisory_unlock_all();\nCLOSE ALL;\nUNLISTEN *;\nRESET ALL;"


def is_plain_read(sql: str, catalog: Catalog) -> bool:
    read = classify(sql, catalog)
    plan(read, frozenset())
    return read.verbs <= {SELECT, SESSION}


@pytest.fixture(scope="module")
def psql() -> str:
    found = shutil.which("psql")
    assert found, "psql is needed here; script/test says how to install it"
    return found


@pytest.mark.parametrize("command", COMMANDS.split("|"))
def test_psql_backslash_commands(command: str, psql: str, shop_dsn: str, catalog: Catalog) -> None:
    # Names that the shop's own functions and operators could stand in for are not psql's: it writes pg_catalog.
    done = subprocess.run([psql, "-XE", shop_dsn, "-c", command], capture_output=True, text=True, check=True)
    queries = LOOKS_LIKE_QUERY.findall(done.stdout)
    assert queries
    bare = Catalog(
        **{
            **{name: getattr(catalog, name) for name in ("database", "search_path", "relations", "tags", "inherits")},
            "system_types": catalog.system_types,
            "system_functions": catalog.system_functions,
        }
    )
    for sql in queries:
        assert is_plain_read(sql, bare), sql


def test_psql_list_and_pgbench(catalog: Catalog) -> None:
    assert is_plain_read(PSQL_18_LIST, catalog)
    assert is_plain_read(PGBENCH_START, catalog)


def test_asyncpg(catalog: Catalog) -> None:
    queries = [value for value in vars(introspection).values() if isinstance(value, str) and "SELECT" in value]
    assert len(queries) >= 3
    for sql in queries:
        assert is_plain_read(sql if "pg_" in sql else "SELECT 1", bare_of_operators(catalog)), sql
    assert is_plain_read("SELECT current_setting('jit') AS cur, set_config('jit', 'off', false) AS new", catalog)
    assert is_plain_read("SELECT set_config('jit', $1, false)", catalog)
    assert is_plain_read(ASYNCPG_RESET, catalog)


def bare_of_operators(catalog: Catalog) -> Catalog:
    """The shop without its operators and functions that could be meant by `!=`, `<` and `upper`."""
    from dataclasses import replace

    return replace(catalog, functions={}, operators={}, readings={})


@pytest.mark.parametrize("info", [TypeInfo, EnumInfo, CompositeInfo, RangeInfo])
def test_psycopg_type_lookups(info: Any, shop: psycopg.Connection[Any], catalog: Catalog) -> None:
    query = info._get_info_query(shop).as_string(shop)
    assert "pg_type" in query, inspect.getsource(info)
    assert is_plain_read(re.sub(r"%\(\w+\)s", "$1", query), bare_of_operators(catalog))
