"""The mask fits its type; what the server says of an answer is checked against the plan."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify
from gateway.postgres.masking import mask_value, plan
from gateway.refusal import Refusal

CLEAR: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("type_oid", "typmod", "mask"),
    [
        (25, -1, b"***"),
        (1043, -1, b"***"),
        (1043, 4 + 20, b"***"),
        (1043, 4 + 2, b"**"),
        (1042, 4 + 1, b"*"),
        (1042, 4 + 11, b"***        "),
        (19, -1, b"***"),
        (18, -1, b"*"),
        (23, -1, None),
        (1700, 655366, None),
        (114, -1, None),
        (3802, -1, None),
        (1009, -1, None),
        (99999, -1, None),
    ],
)
def test_the_mask_is_valid_for_its_type(type_oid: int, typmod: int, mask: bytes | None) -> None:
    assert mask_value(type_oid, 0, typmod) == mask_value(type_oid, 1, typmod) == mask


def _fields(shop: psycopg.Connection[Any], sql: str) -> list[tuple[bytes, int, int, int]]:
    shop.pgconn.prepare(b"", sql.encode())
    found = shop.pgconn.describe_prepared(b"")
    return [(b"", found.ftable(n), found.ftablecol(n), found.ftype(n)) for n in range(found.nfields)]


def test_an_origin_the_plan_did_not_expect_is_masked(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    other = plan(classify("SELECT id FROM customers", catalog), CLEAR)
    assert other.check_row_description(_fields(shop, "SELECT ssn FROM customers")) == {0: "ssn"}
    assert other.check_row_description(_fields(shop, "SELECT id FROM customers")) == {}


def test_a_views_own_origin_is_known(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    other = plan(classify("SELECT id FROM active_customers", catalog), CLEAR)
    assert other.check_row_description(_fields(shop, "SELECT email FROM active_customers")) == {0: "email"}


def test_an_answer_with_other_columns_is_refused(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    planned = plan(classify("SELECT * FROM customers", catalog), CLEAR)
    with pytest.raises(Refusal, match="other columns"):
        planned.check_row_description(_fields(shop, "SELECT id, email FROM customers"))
    clear = plan(classify("SELECT * FROM orders", catalog), CLEAR)
    assert clear.check_row_description(_fields(shop, "SELECT id FROM orders")) == {}


def test_what_is_unmasked_stays_clear(catalog: Catalog, shop: psycopg.Connection[Any]) -> None:
    sql = "SELECT email, ssn FROM customers"
    planned = plan(classify(sql, catalog), frozenset({"email"}))
    assert planned.columns == {0: {1: "ssn"}}
    assert planned.check_row_description(_fields(shop, sql)) == {1: "ssn"}


def test_each_statement_has_its_own_mask(catalog: Catalog) -> None:
    planned = plan(classify("SELECT id FROM orders; SELECT id, email FROM customers", catalog), CLEAR)
    assert planned.columns == {1: {1: "email"}}
    assert planned.outputs == (1, 2)


def test_a_refusal_names_column_tag_place_and_remedy(catalog: Catalog) -> None:
    with pytest.raises(Refusal) as caught:
        plan(classify("SELECT id FROM customers ORDER BY ssn", catalog), CLEAR)
    assert "public.customers.ssn is masked (ssn) and stands in ORDER BY here" in caught.value.message
    assert '@unmask("ssn")' in caught.value.remedy
    assert caught.value.sqlstate == "42501"
