"""What a leaf's bytes say, for columns to filter by. Pure: no Django, no I/O.

The bytes are the record; these are only found in them. A leaf that cannot be read is kept like any other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

LONGEST = 200  # characters kept of a column
_scan = json.JSONDecoder().raw_decode


class Columns(NamedTuple):
    """An entry's columns in the order of its table; empty or None where the leaf does not say."""

    uid: UUID | None
    event: str
    actor_kind: str
    actor_id: str
    actor_name: str
    subject_kind: str
    subject_id: str
    subject_name: str
    session: str
    action: str
    node: str
    node_seq: int | None
    recorded: datetime | None


def columns_of(leaf: bytes) -> Columns:
    """The columns of a leaf. Never raises: what is not there is empty."""
    says = _object(leaf)
    actor, subject = _mapping(says, "actor"), _mapping(says, "subject")
    return Columns(  # by place: names would cost as much again
        _uid(says),
        _text(says, "event"),
        _text(actor, "kind"),
        _text(actor, "id"),
        _text(actor, "name"),
        _text(subject, "kind"),
        _text(subject, "id"),
        _text(subject, "name"),
        _text(says, "session"),
        _text(says, "action"),
        _text(says, "node"),
        _number(says, "node_seq"),
        _moment(says),
    )


def _object(leaf: bytes) -> Mapping[str, object]:
    try:
        text = leaf.decode()
        says, end = _scan(text) if text.startswith("{") else ({}, -1)
        if end != len(text):  # not canonical, which begins and ends with its object
            says = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return says if isinstance(says, dict) else {}


def _mapping(says: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = says.get(name)
    return value if isinstance(value, dict) else {}


def _text(says: Mapping[str, object], name: str) -> str:
    value = says.get(name)
    if not isinstance(value, str):
        return ""
    if value.isascii() and "\x00" not in value:
        return value[:LONGEST]
    # PostgreSQL's text holds neither NUL nor half a surrogate pair
    return value.replace("\x00", "").encode("utf-8", "replace").decode()[:LONGEST]


def _number(says: Mapping[str, object], name: str) -> int | None:
    value = says.get(name)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _uid(says: Mapping[str, object]) -> UUID | None:
    try:
        return UUID(_text(says, "id"))
    except ValueError:
        return None


def _moment(says: Mapping[str, object]) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(says, "recorded"))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
