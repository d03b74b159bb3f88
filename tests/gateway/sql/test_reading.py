"""What a reading holds beside the verb: tables, columns, names, settings, session effects, words, hidden constants."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from gateway.postgres.catalog import Catalog, Tag
from gateway.postgres.classified import Place, Setting
from gateway.postgres.classify import classify
from gateway.postgres.describe import UNREADABLE, redacted
from gateway.postgres.masking import plan
from gateway.refusal import Refusal
from tests.gateway.sql.conftest import read_catalog


def test_tables_and_columns_through_a_view(catalog: Catalog) -> None:
    read = classify("SELECT r.number, o.total FROM renamed r JOIN orders o ON o.id = r.number", catalog)
    assert read.tables == {"public.renamed", "public.active_customers", "public.customers", "public.orders"}
    assert {"public.renamed.number", "public.orders.total", "public.orders.id"} <= read.columns
    assert "public.orders.status" not in read.columns


def test_a_parent_is_its_partitions(catalog: Catalog) -> None:
    assert classify("SELECT id FROM events", catalog).tables == {"public.events", "public.events_2026"}
    assert classify("DELETE FROM events_2026", catalog).tables == {"public.events_2026"}


def test_names_change_with_what_they_mean(shop: psycopg.Connection[Any], catalog: Catalog) -> None:
    sql = "SELECT id FROM active_customers"
    before = classify(sql, catalog).names
    assert [name for name, _, _ in before] == ["public.active_customers", "public.customers"]
    assert all(oid > 0 and len(digest) == 64 for _, oid, digest in before)
    with shop.transaction(force_rollback=True):
        shop.execute("CREATE OR REPLACE VIEW active_customers AS SELECT id, email, name FROM customers WHERE id > 1")
        assert classify(sql, read_catalog(shop)).names != before
    with shop.transaction(force_rollback=True):
        shop.execute(
            "CREATE TRIGGER t BEFORE DELETE ON customers EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
        assert classify(sql, read_catalog(shop)).names != before
    assert classify(sql, read_catalog(shop)).names == before


def test_a_function_called_is_among_the_names(shop: psycopg.Connection[Any], catalog: Catalog) -> None:
    before = classify("SELECT touch(1)", catalog).names
    assert [name for name, _, _ in before] == ["public.touch"]
    with shop.transaction(force_rollback=True):
        shop.execute("CREATE OR REPLACE FUNCTION touch(int) RETURNS void LANGUAGE sql AS 'SELECT'")
        assert classify("SELECT touch(1)", read_catalog(shop)).names != before


def test_a_statement_with_user_operators_elsewhere_is_a_read(catalog: Catalog) -> None:
    assert classify("SELECT id FROM orders WHERE id < 3 AND total = 2", catalog).why_call == ()
    assert classify("SELECT id FROM shapes WHERE p < p", catalog).why_call == ("the operator < of this database",)


def test_a_declared_parameter_type_counts(shop: psycopg.Connection[Any], catalog: Catalog) -> None:
    oid = catalog.user_types["pair"][0].oid
    assert classify("SELECT $1 < $2", catalog).verb == "sql:select"
    assert classify("SELECT $1 < $2", catalog, parameter_types=[oid, oid]).verb == "sql:call"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT id FROM customers WHERE email = 'jane@x.com' AND id = 7", "SELECT id FROM customers WHERE email = *** AND id = 7"),
        ("/* é */ DELETE FROM customers WHERE email = E'it\\'s' AND name = 'é'", "/* é */ DELETE FROM customers WHERE email = *** AND name = 'é'"),
        ("SELECT id FROM customers WHERE balance > -12.5 OR id = 3", "SELECT id FROM customers WHERE balance > *** OR id = ***"),
        ("SELECT id FROM customers WHERE email = $$jane$$::text", "SELECT id FROM customers WHERE email = ***::text"),
        ("SELECT id FROM customers WHERE email = U&'d!0061' UESCAPE '!'", "SELECT id FROM customers WHERE email = ***"),
        ("INSERT INTO customers (name, ssn) VALUES ('a', '123'), ('b', lower('X'))", "INSERT INTO customers (name, ssn) VALUES ('a', ***), ('b', lower(***))"),
        ("INSERT INTO customers VALUES (9, 'a', 'b')", "INSERT INTO customers VALUES (9, 'a', ***)"),
        ("UPDATE customers SET (name, ssn) = ('a', 'b') WHERE id = 1", "UPDATE customers SET (name, ssn) = ('a', ***) WHERE id = 1"),
        ("UPDATE orders SET status = 'x' WHERE id = 1", "UPDATE orders SET status = 'x' WHERE id = 1"),
        ("WITH v (e) AS (VALUES ('jane'), ('joe')) SELECT id FROM customers, v WHERE email = e", "WITH v (e) AS (VALUES (***), (***)) SELECT id FROM customers, v WHERE email = e"),
        ("SELECT 1 FROM customers c JOIN unnest(ARRAY['jane']) u ON u = c.email", "SELECT 1 FROM customers c JOIN unnest(ARRAY[***]) u ON u = c.email"),
        ("MERGE INTO customers c USING (SELECT 'jane' AS e) s ON c.name = s.e WHEN NOT MATCHED THEN INSERT (name, email) VALUES ('n', s.e)", "MERGE INTO customers c USING (SELECT *** AS e) s ON c.name = s.e WHEN NOT MATCHED THEN INSERT (name, email) VALUES ('n', s.e)"),
        ("PREPARE p AS SELECT id FROM customers WHERE email = $1; EXECUTE p('jane')", "PREPARE p AS SELECT id FROM customers WHERE email = $1; EXECUTE p(***)"),
        ("ALTER ROLE joe PASSWORD 'hunter2'", "ALTER ROLE joe PASSWORD ***"),
    ],
)  # fmt: skip
def test_constants_in_tagged_positions_are_hidden(sql: str, expected: str, catalog: Catalog) -> None:
    assert classify(sql, catalog).shown == expected


def test_a_refused_text_can_be_shown_without_its_constants() -> None:
    assert (
        redacted("SELECT * FROM nowhere WHERE a = 'jane' AND b = 12 -- x")
        == "SELECT * FROM nowhere WHERE a = *** AND b = *** -- x"
    )
    assert redacted("SELECT 'unfinished") == UNREADABLE


def test_parameters_that_meet_tagged_columns_are_named(catalog: Catalog) -> None:
    read = classify("UPDATE customers SET ssn = $3, name = $1 WHERE email = $2 AND id = $4", catalog)
    assert read.tagged_parameters == {2, 3}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "DELETE FROM customers WHERE email = 'x' AND id IN (1, 2)",
            "Deletes rows from customers where email = … and id in (…)",
        ),
        ("DELETE FROM customers", "Deletes every row from customers"),
        ("UPDATE public.orders SET total = 1, status = 'x'", "Changes total, status in public.orders in every row"),
        ("WITH d AS (DELETE FROM orders) SELECT 1", "Deletes every row from orders; then Computes …"),
        ("BEGIN; TRUNCATE orders; COMMIT", "Begin; then Empties orders; then Commit"),
        ("INSERT INTO orders (total) VALUES (1), (2)", "Adds 2 rows to orders"),
        ("SELECT count(*) FROM orders o WHERE NOT o.total > 3", "Reads a count from orders where not (o.total > …)"),
        ("DROP TABLE orders", "Runs drop"),
    ],
)
def test_in_words(sql: str, words: str, catalog: Catalog) -> None:
    assert classify(sql, catalog).summary == words


def test_what_a_statement_does_to_its_session(catalog: Catalog) -> None:
    def only(sql: str) -> Any:
        return classify(sql, catalog).statements[0]

    assert only("SET LOCAL DateStyle TO 'ISO, DMY'").setting == Setting("datestyle", "ISO, DMY", local=True)
    assert only("RESET TimeZone").setting == Setting("timezone", None)
    assert only("DISCARD ALL").deallocates == "*"
    assert only("PREPARE p AS SELECT 1").prepares == ("p", "PREPARE p AS SELECT 1")
    assert only("DECLARE c CURSOR FOR SELECT 1").declares == ("c", "DECLARE c CURSOR FOR SELECT 1")
    assert only("START TRANSACTION").transaction == "begin"
    assert only("ROLLBACK TO s").transaction == "rollback_to"
    assert only("ROLLBACK TO SAVEPOINT Point -- one").savepoint == "point"
    assert only('SAVEPOINT "A b" /* c */;').savepoint == "A b"
    assert classify(" -- nothing", catalog).statements == ()


def test_execute_is_read_as_its_text_now(catalog: Catalog) -> None:
    texts = {"p": "PREPARE p AS DELETE FROM orders WHERE id = $1", "q": "SELECT email FROM customers"}
    assert classify("EXECUTE p(1)", catalog, prepared=texts).verb == "sql:delete"
    read = classify("EXECUTE q", catalog, prepared=texts)
    assert plan(read, frozenset()).columns == {0: {0: "email"}}
    with pytest.raises(Refusal, match="not known"):
        classify("EXECUTE r", catalog, prepared=texts)


def test_fetch_is_read_as_its_cursor(catalog: Catalog) -> None:
    cursors = {"c": "DECLARE c CURSOR FOR SELECT id FROM orders", "portal": "SELECT email FROM customers"}
    assert classify("FETCH 3 FROM c", catalog, cursors=cursors).tables == {"public.orders"}
    with pytest.raises(Refusal, match="through a cursor"):
        plan(classify("FETCH ALL FROM portal", catalog, cursors=cursors), frozenset())


def test_whether_every_change_is_limited(catalog: Catalog) -> None:
    assert classify("DELETE FROM orders WHERE id = 1", catalog).has_where
    assert not classify("DELETE FROM orders", catalog).has_where
    assert not classify("DELETE FROM orders WHERE id = 1; UPDATE orders SET total = 1", catalog).has_where


def test_shapes_ignore_constants(catalog: Catalog) -> None:
    one, other = (classify(f"SELECT id FROM orders WHERE id = {n}", catalog).shape for n in (1, 2))
    assert one == other != classify("SELECT total FROM orders WHERE id = 1", catalog).shape


def test_each_use_says_where(catalog: Catalog) -> None:
    uses = classify("SELECT email FROM customers WHERE ssn LIKE '1%'", catalog).tag_uses
    assert {(use.tag, use.place, use.index) for use in uses} == {("email", Place.OUTPUT, 0), ("ssn", Place.OTHER, -1)}
    assert next(use for use in uses if use.tag == "ssn").words == "in a predicate"


def test_a_tag_whose_column_is_gone_is_reported(catalog: Catalog) -> None:
    tagged = catalog.with_tags(
        {("public", "customers", "gone"): Tag("x"), ("public", "customers", "email"): Tag("email")}
    )
    assert tagged.missing_tags == ("public.customers.gone",)
    assert len(tagged.tags) == 1


def test_a_cast_added_between_system_types_makes_everything_a_call(shop: psycopg.Connection[Any]) -> None:
    with shop.transaction(force_rollback=True):
        shop.execute("CREATE FUNCTION as_text(int) RETURNS text LANGUAGE sql AS 'SELECT ''x''::text'")
        shop.execute("CREATE CAST (int AS text) WITH FUNCTION as_text(int) AS ASSIGNMENT")
        assert classify("SELECT id FROM orders", read_catalog(shop)).verb == "sql:call"
    assert classify("SELECT id FROM orders", read_catalog(shop)).verb == "sql:select"


def test_the_path_is_what_the_acting_role_may_use(shop: psycopg.Connection[Any]) -> None:
    import asyncio

    from gateway.postgres.catalog_load import load, schemas_of
    from tests.gateway.sql.conftest import Fetching

    assert schemas_of('"$user", public,"Odd ""one""" , Folded') == ["$user", "public", 'Odd "one"', "folded"]
    with shop.transaction(force_rollback=True):
        shop.execute("CREATE ROLE clerk")
        shop.execute("CREATE TABLE hr.orders (id int)")
        shop.execute("SET LOCAL search_path = hr, public, missing")
        assert asyncio.run(load(Fetching(shop))).relation(None, "orders").schema == "hr"
        assert asyncio.run(load(Fetching(shop), role="clerk")).search_path == ("pg_catalog", "public")
        assert shop.execute("SHOW search_path").fetchone() == ("hr, public, missing",)
