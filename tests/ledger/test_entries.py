"""What a leaf says: canonical bytes, the same whichever way they are written; and how texts stay outside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import entries, reading, schemas
from ledger.entries import Actor, Draft, Subject
from ledger.events import Event, schema_of

WHEN = datetime(2026, 11, 21, 3, 41, 0, 123456, UTC)
ADA = Actor("person", "1", "Ada")
DRAFT = Draft(id=UUID(int=7), event=Event.HOLD_APPROVED, actor=ADA, subject=Subject("hold", "9", "h"), occurred=WHEN)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers(-(2**53) + 1, 2**53 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | integers | texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_is_rfc_8785(value: object) -> None:
    assert entries.canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type] # any JSON value


def test_a_leaf_is_what_it_says() -> None:
    data = entries.leaf(DRAFT, node="n", node_seq=3, recorded=WHEN)
    assert data == (
        b'{"actor":{"id":"1","kind":"person","name":"Ada"},"event":"hold:approved",'
        b'"id":"00000000-0000-0000-0000-000000000007","node":"n","node_seq":3,'
        b'"occurred":"2026-11-21T03:41:00.123456Z","recorded":"2026-11-21T03:41:00.123456Z","schema":1,'
        b'"subject":{"id":"9","kind":"hold","name":"h"}}'
    )


people = st.builds(Actor, st.sampled_from(["person", "agent"]), texts, texts)
drafts = st.builds(
    Draft, id=st.uuids(), event=st.sampled_from(Event), actor=people, subject=st.builds(Subject, texts, texts, texts),
    occurred=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3))]), min_value=datetime(1990, 1, 1)),  # noqa: DTZ001
    details=st.dictionaries(texts, json_values, max_size=3), session=st.none() | st.uuids() | texts, action=st.none() | st.uuids(),
    digest=st.none() | texts, policy_version=st.none() | st.integers(0, 2**31), source=st.none() | texts,
    on_behalf_of=st.none() | people,
)  # fmt: skip


@settings(max_examples=60)
@given(drafts, texts, st.integers(1, 2**53 - 1))
def test_a_leaf_is_canonical_and_says_all_of_its_draft(draft: Draft, node: str, number: int) -> None:
    plain = {"session": draft.session, "action": draft.action, "digest": draft.digest, "source": draft.source}
    says: dict[str, Any] = {name: str(value) for name, value in plain.items() if value is not None}
    says |= {"details": dict(draft.details)} if draft.details else {}
    says |= {"policy_version": draft.policy_version} if draft.policy_version is not None else {}
    says |= {"on_behalf_of": asdict(draft.on_behalf_of)} if draft.on_behalf_of else {}
    says |= {"actor": asdict(draft.actor), "subject": asdict(draft.subject), "event": draft.event.value}
    says |= {"id": str(draft.id), "node": node, "node_seq": number, "schema": schema_of(draft.event)}
    says |= {"occurred": entries.timestamp(draft.occurred), "recorded": entries.timestamp(WHEN)}
    assert entries.leaf(draft, node=node, node_seq=number, recorded=WHEN) == rfc8785.dumps(says)


@pytest.mark.parametrize("details", [{"n": float("nan")}, {"n": 2**53}, {"n": {1, 2}}, {"n": b""}, {"n": "\ud800"}])
def test_what_json_cannot_say_is_refused(details: dict[str, object]) -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match=r"cannot say|surrogates"):
        entries.leaf(replace(DRAFT, details=details), node="n", node_seq=1, recorded=WHEN)


def test_an_entry_that_is_too_long_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="too long"):
        entries.leaf(replace(DRAFT, details={"text": "x" * 70_000}), node="n", node_seq=1, recorded=WHEN)


def test_times_are_utc_and_sort_as_text() -> None:
    east = timezone(timedelta(hours=2))
    assert entries.timestamp(datetime(2026, 1, 1, 2, tzinfo=east)) == "2026-01-01T00:00:00.000000Z"
    with pytest.raises(ValueError, match="time zone"):
        entries.timestamp(datetime(2026, 1, 1))  # noqa: DTZ001 -- the point


def test_columns_are_found_in_the_leaf() -> None:
    found = reading.columns_of(entries.leaf(DRAFT, node="n", node_seq=3, recorded=WHEN))
    assert (found.uid, found.event, found.actor_name, found.subject_id) == (UUID(int=7), "hold:approved", "Ada", "9")
    assert (found.node, found.node_seq, found.recorded, found.session) == ("n", 3, WHEN, "")


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_have_columns(leaf: bytes) -> None:
    found = reading.columns_of(leaf)
    assert all("\x00" not in value for value in found if isinstance(value, str))


def test_a_commitment_needs_its_salt() -> None:
    assert entries.commit_text("DELETE", b"s" * 16) == f"sha256:{sha256(b's' * 16 + b'DELETE').hexdigest()}"
    assert entries.commit_text("DELETE", b"t" * 16) != entries.commit_text("DELETE", b"s" * 16)


def test_a_shared_entry_commits_to_its_records() -> None:
    assert entries.shared_details([b"a", b"b"])["count"] == 2
    assert entries.shared_details([b"a", b"b"]) != entries.shared_details([b"b", b"a"])


def test_event_names_are_subject_and_action() -> None:
    for event in Event:
        subject, _, action = event.value.partition(":")
        assert subject.replace("_", "").isalpha()
        assert action.replace("_", "").isalpha()
        assert event.meaning.endswith(".")


def test_the_page_of_events_is_the_code_s() -> None:
    page = Path(__file__).parents[2] / "docs" / "events.md"
    assert page.read_text() == schemas.page(), "run script/docs"


def test_every_event_has_a_schema_and_what_differs_is_named() -> None:
    assert set(schemas.FIELDS) == set(Event)
    assert schemas.problem_of(Event.KEY_ADDED, {"kid": "k"}) == ""
    assert "does not say kid" in schemas.problem_of(Event.KEY_ADDED, {})
    assert "says more" in schemas.problem_of(Event.KEY_ADDED, {"kid": "k", "more": 1})
    assert "kid is no text" in schemas.problem_of(Event.KEY_ADDED, {"kid": 1})
    assert schemas.problem_of(Event.RECORD_READ, {"any": "filter"}) == ""
