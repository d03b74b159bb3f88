"""Shapes of statements that no policy is asked about."""

from __future__ import annotations

import pytest

from gateway.postgres.dangerous import require_harmless
from gateway.postgres.tree import kind_of, parse
from gateway.refusal import Refusal


def refused(sql: str) -> str:
    (node,) = parse(sql)
    try:
        require_harmless(*kind_of(node["stmt"]))
    except Refusal as refusal:
        return refusal.code
    return ""


@pytest.mark.parametrize(
    "sql",
    [
        "DROP DATABASE shop", "drop/**/database if exists shop with (force)", "ALTER ROLE a SUPERUSER", "ALTER USER a WITH LOGIN SUPERUSER", "CREATE ROLE a BYPASSRLS",
        "ALTER ROLE a REPLICATION", "COPY t TO PROGRAM 'sh'", "COPY t FROM PROGRAM 'curl x'",
    ],
)  # fmt: skip
def test_a_dangerous_shape_is_refused(sql: str) -> None:
    assert refused(sql) == "dangerous_statement"


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER ROLE a NOSUPERUSER",
        "CREATE ROLE a LOGIN",
        "DROP TABLE t",
        "COPY t TO STDOUT",
        "SELECT 'DROP DATABASE shop'",
    ],
)
def test_what_only_resembles_one_is_for_policy(sql: str) -> None:
    assert not refused(sql)
