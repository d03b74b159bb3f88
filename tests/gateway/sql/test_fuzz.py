"""Whatever bytes arrive, the gate answers with a reading or a Refusal, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify
from gateway.postgres.describe import redacted
from gateway.postgres.tree import MOST_BYTES
from gateway.refusal import Refusal
from tests.gateway.sql.corpus import CORPUS

WORDS = sorted({word for case in CORPUS for word in case.sql.replace("(", " ( ").replace(")", " ) ").split()})
QUICK = settings(
    max_examples=300, deadline=2000, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def read(sql: str | bytes, catalog: Catalog) -> str:
    """The code of a refusal, or `read`."""
    try:
        result = classify(sql, catalog)
    except Refusal as refusal:
        return refusal.code if refusal.message and len(refusal.sqlstate) == 5 else "without a reason"
    assert result.shown is not None
    assert result.summary
    assert result.shape is not None
    _ = result.count, result.explain
    return "read"


@QUICK
@given(st.binary(max_size=400))
@example(b"\xff")
@example(b"SELECT 1\x00")
@example("SELECT '\ud800'".encode("utf-8", "surrogatepass"))
def test_bytes(catalog: Catalog, raw: bytes) -> None:
    assert read(raw, catalog) != "without a reason"
    redacted(raw.decode(errors="replace"))


@QUICK
@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_words_in_any_order(catalog: Catalog, words: list[str]) -> None:
    assert read(" ".join(words), catalog) != "without a reason"


@QUICK
@given(st.sampled_from([case.sql for case in CORPUS]), st.integers(0, 200), st.text(max_size=8))
def test_statements_with_something_pushed_in(catalog: Catalog, sql: str, at: int, text: str) -> None:
    assert read(sql[:at] + text + sql[at:], catalog) != "without a reason"


NESTS: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: f"SELECT {'(' * n}1{')' * n}",
    "not": lambda n: f"SELECT {'NOT ' * n}true",
    "minus": lambda n: f"SELECT {'- ' * n}1",
    "plus": lambda n: f"SELECT 1{' + 1' * n}",
    "and": lambda n: f"SELECT 1 WHERE true{' AND true' * n}",
    "subqueries": lambda n: f"SELECT {'(SELECT ' * n}1{')' * n}",
    "from": lambda n: f"SELECT 1 FROM {'(SELECT 1 FROM ' * n}orders{') s' * n}",
    "union": lambda n: f"SELECT 1{' UNION ALL SELECT 1' * n}",
    "joins": lambda n: f"SELECT 1 FROM orders{' CROSS JOIN orders' * n}",
    "casts": lambda n: f"SELECT 1{'::int' * n}",
    "functions": lambda n: f"SELECT {'lower(' * n}'x'{')' * n}",
    "arrays": lambda n: f"SELECT ARRAY{'[' * n}{']' * n}",
    "with": lambda n: f"{'WITH a AS (' * n}SELECT 1{') SELECT 1' * n}",
    "case": lambda n: f"SELECT {'CASE WHEN true THEN ' * n}1{' END' * n}",
    "rows": lambda n: f"INSERT INTO orders (total) VALUES (1){',(1)' * n}",
    "assignments": lambda n: f"UPDATE orders SET ({'total,' * n}id) = ({'1,' * n}1)",
    "hidden assignments": lambda n: f"UPDATE orders SET /* ) */ ({'total,' * n}id)/* */ = ({'1,' * n}1)",
    "statements": lambda n: "SELECT 1;" * n,
}


@pytest.mark.parametrize("size", [150, 3_000, 20_000])
@pytest.mark.parametrize("form", NESTS)
def test_nesting_and_length(form: str, size: int, catalog: Catalog) -> None:
    began = time.perf_counter()
    code = read(NESTS[form](size), catalog)
    assert code in {"read", "too_deep", "too_long", "syntax_error", "unknown_relation", "ambiguous", "unknown_column"}
    assert time.perf_counter() - began < 5


def test_an_over_long_text_is_not_parsed(catalog: Catalog) -> None:
    assert read(f"SELECT '{'x' * MOST_BYTES}'", catalog) == "too_long"


def test_views_upon_views_end() -> None:
    from dataclasses import replace

    from gateway.postgres.catalog import Relation

    def view(number: int) -> Relation:
        body = f"SELECT a.x FROM public.v{number + 1} a JOIN public.v{number + 1} b ON true"
        from gateway.postgres.catalog import Column

        return Relation(20000 + number, "public", f"v{number}", "v", (Column("x", 1, 23),), "", body)

    relations = {("public", f"v{number}"): view(number) for number in range(40)}
    endless = replace(Catalog("d", ("pg_catalog", "public"), relations)).with_tags({})
    began = time.perf_counter()
    assert read("SELECT x FROM v0", endless) == "view_unclear"
    assert time.perf_counter() - began < 1
