"""Statements that come often: planned once a connection, within its transaction, with Django's errors."""

from __future__ import annotations

from typing import Any, LiteralString

import pytest
from django.db import DataError, transaction

from agents.models import SeenAssertion
from agents.replay import is_first_use
from core.db import db_now, prepared

pytestmark = pytest.mark.django_db
SQL: LiteralString = "SELECT %s::int + 1 AS prepared_once"


def test_a_statement_is_planned_once(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        assert [prepared(SQL, [number]).fetchone() for number in (1, 2)] == [(2,), (3,)]
    kept = prepared("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["%prepared_once%"])
    assert kept.fetchone() == (1,)


def test_it_belongs_to_the_transaction_around_it() -> None:
    with pytest.raises(DataError, match="invalid input syntax"), transaction.atomic():
        _note_and_fail()
    assert not SeenAssertion.objects.exists()


def _note_and_fail() -> None:
    assert is_first_use("once", expires_at=db_now())
    assert not is_first_use("once", expires_at=db_now())
    prepared(SQL, ["many"])
