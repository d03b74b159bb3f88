"""Rows and records of the hot path: array literals that PostgreSQL reads back, records that are canonical."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import rfc8785
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from activity import hotpath
from activity.hotpath import Intent, Outcome, intent_record, outcome_record
from core.ids import new_id

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5)


class ArrayLiterals(TestCase):
    """PostgreSQL itself reads them."""

    @settings(deadline=None, max_examples=60)
    @given(TEXTS)
    def test_texts(self, values: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT %s::text[], (%s::text[])[1]::text[]",
                [hotpath.texts(values), hotpath.texts([hotpath.texts(values)])],
            )
            read, nested = cursor.fetchone()
        expected = [value.replace("\x00", "\ufffd") for value in values]
        assert read == expected
        assert nested == expected

    def test_plain_values_and_moments(self) -> None:
        moment = datetime(2026, 11, 21, 5, 0, 0, 123456, UTC)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT %s::int[], %s::bool[], %s::timestamptz[]",
                [hotpath.plains([1, None, -3]), hotpath.plains([True, False]), hotpath.moments([moment, None])],
            )
            assert cursor.fetchone() == ([1, None, -3], [True, False], [moment, None])


def _intent() -> Intent:
    one, session, node, agent, resource, credential = (new_id() for _ in range(6))
    return Intent(
        one, session, node, agent, resource, credential, 7, "sql:select", "SELECT 1", "sha256:" + "a" * 64, bytes(32),
        "allow", "released", datetime.now(UTC),
    )  # fmt: skip


def test_an_intents_record_is_canonical() -> None:
    intent = _intent()
    record = intent_record(intent)
    assert record == rfc8785.dumps(json.loads(record))
    assert json.loads(record) == {
        "action": str(intent.id), "agent": str(intent.agent_id), "credential": str(intent.credential_id), "decision": "allow",
        "digest": intent.digest, "number": 7, "policy_version": 0, "resource": str(intent.resource_id),
        "session": str(intent.session_id), "verb": "sql:select",
    }  # fmt: skip


@pytest.mark.parametrize("rows", [None, 0, 12])
def test_an_outcomes_record_is_canonical(rows: int | None) -> None:
    record = outcome_record(Outcome(new_id(), new_id(), "done", rows=rows, bytes=rows, sqlstate="22012"))
    assert record == rfc8785.dumps(json.loads(record))
    assert json.loads(record)["rows"] == rows
