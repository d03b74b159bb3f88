"""A remembered reading is the one that reading again would give; whatever a constant could change is read again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.postgres.catalog import Catalog, Column, Relation, Tag
from gateway.postgres.classify import classify
from gateway.postgres.remembered import Remembered
from gateway.refusal import Refusal

COLUMNS = (Column("id", 1, 23), Column("n", 2, 23), Column("ssn", 3, 25))
CATALOG = Catalog(
    "shop", ("pg_catalog", "public"), {("public", "t"): Relation(16384, "public", "t", "r", COLUMNS, "d" * 64)},
    system_types=frozenset({"int4", "text", "float8", "varchar"}), system_functions=frozenset({"abs", "count", "pg_sleep"}),
).with_tags({("public", "t", "ssn"): Tag("ssn", lookup=True)})  # fmt: skip

NUMBERS = st.one_of(st.integers(0, 10**6), st.integers(0, 10**12)).map(str)
SHAPES = st.sampled_from(
    [
        "SELECT n FROM t WHERE id = {};",
        "SELECT n FROM t WHERE id={} AND n<> {} LIMIT {}",
        "select count(*) from t where n >= {} or id in ({}, {})",
        "SELECT id, n FROM t ORDER BY {}",
        "SELECT n = {} FROM t GROUP BY {}",
        "SELECT DISTINCT ON ({}) id FROM t",
        "SELECT abs({}) FROM t WHERE id > {}",
        "SELECT ssn FROM t WHERE id = {}",
        "SELECT id FROM t WHERE ssn = 'a = {}'",
        "SELECT id FROM t WHERE n = {}::bit({})",
        "SELECT 'x = {}' FROM t",
        "SELECT id FROM t -- = {}",
        "SELECT id FROM t WHERE id = {}.{}",
        "SELECT id FROM t WHERE id = {}e2",
        "SELECT id FROM t WHERE id = 0x{}",
        "UPDATE t SET n = {} WHERE id = {}",
        "SELECT id FROM t WHERE id = {}; SELECT {}",
        "SELECT CAST(n AS varchar({})) FROM t WHERE id = {}",
        "SELECT pg_sleep({}) WHERE 1 = {}",
    ]
)


@given(SHAPES, st.lists(NUMBERS, min_size=3, max_size=3), st.lists(NUMBERS, min_size=3, max_size=3))
def test_it_is_what_reading_again_gives(shape: str, first: list[str], second: list[str]) -> None:
    remembered = Remembered(CATALOG)
    try:
        remembered.keep(classify(shape.format(*first), CATALOG))
    except Refusal:
        return
    text = shape.format(*second)
    found = remembered.find(text)
    if found is not None:
        fresh = classify(text, CATALOG)
        assert found == fresh
        assert (found.shape, found.shown, found.summary, found.masked, found.views) == (
            fresh.shape, fresh.shown, fresh.summary, fresh.masked, fresh.views,
        )  # fmt: skip


def _finds(kept: str, asked: str) -> bool:
    remembered = Remembered(CATALOG)
    remembered.keep(classify(kept, CATALOG))
    return remembered.find(asked) is not None


def test_what_is_remembered() -> None:
    assert _finds("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 99999999")


@pytest.mark.parametrize(
    ("kept", "asked"),
    [
        ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 9999999999"),
        ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 1.5"),
        ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 1 OR id = 2"),
        ("SELECT id, n FROM t ORDER BY 1", "SELECT id, n FROM t ORDER BY 2"),
        ("SELECT ssn FROM t WHERE id = 1", "SELECT ssn FROM t WHERE id = 2"),
        ("SELECT id FROM t WHERE ssn = '1'", "SELECT id FROM t WHERE ssn = '1'"),
        ("UPDATE t SET n = 1 WHERE id = 1", "UPDATE t SET n = 1 WHERE id = 1"),
        ("SELECT n FROM t WHERE id = 1", "SELECT n FROM t WHERE id = 1 -- x"),
        ("SELECT n FROM t LIMIT 1", "SELECT n FROM t LIMIT 2"),
    ],
)
def test_what_is_read_again(kept: str, asked: str) -> None:
    assert not _finds(kept, asked)


def test_another_catalog_remembers_nothing() -> None:
    remembered = Remembered(CATALOG)
    remembered.keep(classify("SELECT n FROM t WHERE id = 1", CATALOG.with_tags({})))
    assert remembered.find("SELECT n FROM t WHERE id = 1") is None
