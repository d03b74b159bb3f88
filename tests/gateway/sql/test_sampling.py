"""A few of the rows that a statement would touch: read where counting is safe, and nothing of what is tagged."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from agents.detectors.known import USUAL, Strategy
from agents.detectors.scanner import Scanner
from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify
from gateway.postgres.sampling import Sample

SCANNER = Scanner({name: Strategy(strategy) for name, strategy in USUAL.items()}, (), b"")


def sampled(sql: str, catalog: Catalog) -> Sample:
    found = classify(sql, catalog).sampling
    assert found is not None
    return found


def rows_of(sample: Sample, shop: psycopg.Connection[Any]) -> list[list[str | None]]:
    return sample.shown(shop.execute(sample.sql).fetchall(), SCANNER)


def test_tagged_columns_are_not_read(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    sample = sampled("DELETE FROM customers WHERE email = 'SECRET-e1'", catalog)
    assert sample.columns == ("id", "name", "email", "card_number", "ssn", "balance", "created_at")
    assert "card_number" not in sample.sql
    assert classify(sample.sql, catalog).verbs == {"sql:select"}
    ((key, name, email, card, ssn, balance, _created),) = rows_of(sample, shop)
    assert (key, name, email, card, ssn, balance) == ("1", "Name 1", "***", "***", "***", "***")


def test_five_at_most_and_what_the_statement_names_comes_first(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    with shop.transaction(force_rollback=True):
        shop.execute("INSERT INTO orders (total, status) SELECT 1, 'x' FROM generate_series(1, 20)")
        sample = sampled("UPDATE orders SET total = 0 WHERE status = 'x'", catalog)
        assert len(rows_of(sample, shop)) == 5
    assert {"total", "status"} <= set(sample.columns)
    assert (len(sample.columns), sample.more) == (7, 0)


def test_detectors_look_at_what_is_not_tagged(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    with shop.transaction(force_rollback=True):
        shop.execute("UPDATE orders SET status = 'card 4111 1111 1111 1111', note = to_json(repeat('long ', 50))")
        shown = rows_of(sampled("DELETE FROM orders WHERE id = 1", catalog), shop)
    assert "4111" not in str(shown)
    assert any(value is not None and value.endswith("…") and len(value) == 60 for value in shown[0])
    assert None in rows_of(sampled("DELETE FROM orders WHERE id = 2", catalog), shop)[0]


def test_values_whose_text_is_anybodys_are_left_out(catalog: Catalog) -> None:
    sample = sampled("DELETE FROM shapes WHERE id = 1", catalog)
    assert sample.columns == ("id", "kind")
    assert sample.more == 2


def test_parameters_are_those_of_the_count(catalog: Catalog) -> None:
    sample = sampled("UPDATE orders SET total = $1 WHERE id = $3 AND status = $2", catalog)
    assert sample.parameters == (3, 2)
    assert sample.sql.endswith("WHERE id = $1 AND status = $2 LIMIT 5")


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders WHERE id IN (SELECT id FROM customers)",
        "DELETE FROM orders WHERE leak(status) = 'x'",
        "DELETE FROM active_customers WHERE id = 1",
        "INSERT INTO orders (id) VALUES (1)",
        "SELECT * FROM orders",
        "TRUNCATE orders",
    ],
)
def test_nothing_else_is_looked_at(sql: str, catalog: Catalog) -> None:
    assert classify(sql, catalog).sampling is None


def test_names_that_need_quotes_are_quoted(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    with shop.transaction(force_rollback=True):
        shop.execute("""INSERT INTO "Weird Table" VALUES ('<b>', 7)""")
        sample = sampled('DELETE FROM "Weird Table" WHERE x = 7', catalog)
        shown = rows_of(sample, shop)
    assert sample.columns == ("Sec.ret", "x")
    assert shown == [["***" if "Sec.ret" in sample.hidden else "<b>", "7"]]
