"""A count is made only where counting cannot do anything, and counts the same rows."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM customers WHERE email = 'SECRET-e1'",
        "DELETE FROM customers",
        "UPDATE orders o SET total = 0 WHERE o.total BETWEEN 10 AND 20 AND (o.status LIKE 'o%' OR o.id IN (1, 2)) AND NOT o.id = 3",
        "DELETE FROM ONLY orders WHERE 'a' = ANY (tags) AND note IS NULL AND lower(status) = 'open'",
        "UPDATE orders SET total = 1 WHERE coalesce(total, 0)::numeric(10,1) > -5 RETURNING id",
    ],
)
def test_the_count_is_what_would_be_touched(sql: str, catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    read = classify(sql, catalog)
    assert read.count is not None
    counting = classify(read.count, catalog)
    assert counting.verbs == {"sql:select"}
    with shop.transaction(force_rollback=True):
        counted = shop.execute(read.count).fetchone()
        shop.execute("ALTER TABLE orders DROP CONSTRAINT orders_customer_id_fkey")
        assert counted == (shop.execute(sql).rowcount,)


def test_parameters_are_numbered_anew(catalog: Catalog) -> None:
    counting = classify("UPDATE orders SET total = $1 WHERE id = $3 AND status = $2", catalog).counting
    assert counting is not None
    assert counting.parameters == (3, 2)
    assert counting.sql.endswith("WHERE id = $1 AND status = $2")
    assert counting.table == "public.orders"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders WHERE id IN (SELECT id FROM customers)",
        "DELETE FROM orders USING customers WHERE customers.id = orders.customer_id",
        "WITH x AS (SELECT 1) DELETE FROM orders WHERE id = 1",
        "DELETE FROM orders WHERE leak(status) = 'x'",
        "DELETE FROM orders WHERE random() < 0.5",
        "DELETE FROM orders WHERE created_at < now()",
        "DELETE FROM orders WHERE upper(status) = 'X'",
        "DELETE FROM orders WHERE id === 'x'",
        "DELETE FROM active_customers WHERE id = 1",
        "DELETE FROM orders WHERE id = 1; DELETE FROM orders WHERE id = 2",
        "INSERT INTO orders (id) VALUES (1)",
        "TRUNCATE orders",
    ],
)
def test_everything_else_is_not_counted(sql: str, catalog: Catalog) -> None:
    assert classify(sql, catalog).count is None


def test_the_estimate_explains_and_runs_nothing(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    read = classify("DELETE FROM orders WHERE id IN (SELECT id FROM customers)", catalog)
    assert read.explain is not None
    shop.execute(read.explain)
    assert shop.execute("SELECT count(*) FROM orders").fetchone() == (3,)
    assert classify("SELECT leak('x')", catalog).explain is None
    assert classify("TRUNCATE orders", catalog).explain is None
