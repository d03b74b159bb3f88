"""What policies read of a statement's tables and columns is all that it touches: a column that nobody names is still there."""

from __future__ import annotations

import pytest

from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify

ALL = {"balance", "card_number", "created_at", "email", "id", "name", "ssn"}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM customers", ALL),
        ("SELECT c FROM customers c", ALL),
        ("SELECT c.* FROM customers c", ALL),
        ("TABLE customers", ALL),
        ("SELECT row_to_json(c) FROM customers c", ALL),
        ("SELECT count(c) FROM customers c", ALL),
        ("SELECT 1 FROM customers a NATURAL JOIN customers b", ALL),
        ("SELECT a.id FROM customers a JOIN customers b USING (email)", {"id", "email"}),
        ("SELECT address FROM renamed", {"id", "name", "email"}),
        ("COPY customers TO STDOUT", ALL),
        ("COPY customers FROM STDIN", ALL),
        ("INSERT INTO customers VALUES (1, 'a', 'e')", {"id", "name", "email"}),
        ("UPDATE customers SET email = 'x' WHERE id = 1", {"id", "email"}),
        ("DELETE FROM customers WHERE ssn = 'x'", {"ssn"}),
        ("DELETE FROM customers WHERE id = 1 RETURNING *", ALL),
        ("SELECT count(*) FROM customers", set()),
    ],
)
def test_every_column_that_is_touched_is_told(catalog: Catalog, sql: str, columns: set[str]) -> None:
    found = classify(sql, catalog)
    assert "public.customers" in found.tables
    assert {name.split(".")[2] for name in found.columns if name.startswith("public.customers.")} == columns
    tagged = {f"public.customers.{name} {name}" for name in columns & {"email", "card_number", "ssn", "balance"}}
    assert tagged <= found.tagged
