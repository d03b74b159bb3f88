"""The second level of a proof: that an entry which many actions share speaks of this one.

The first level proves the entry in the signed tree. Its details hold the root of a small tree over the records of its actions,
in the order of their identifiers; the records are made again here from the rows, and the root is compared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from activity.hotpath import intent_record, outcome_record
from activity.models import Action
from ledger import merkle
from ledger.events import Event
from ledger.models import Entry

VERIFIED, INCOMPLETE, BROKEN = "verified", "incomplete", "broken"
_WINDOWS = (timedelta(seconds=2), timedelta(seconds=30), timedelta(minutes=10))
"""How far from the action the others of its entry are looked for: they were written within moments of each other."""
_MOST = 20_000  # rows looked at for one window: a proof never reads the whole record


@dataclass(frozen=True)
class Shared:
    """One action among those of a shared entry: `place` counts from 1, `hashes` is the length of its path to their root.

    `state` is INCOMPLETE where not all the others' rows were found, so that the root cannot be made again.
    """

    count: int
    state: str
    place: int = 0
    hashes: int = 0


@dataclass(frozen=True)
class _Kind:
    """What a kind of shared entry covers: the column that names it, the record it hashes, when that was."""

    column: str
    record: Callable[[Action], bytes]
    what: str


_KINDS: Mapping[str, _Kind] = {
    Event.ACTIONS_ALLOWED: _Kind("entry_id", intent_record, "reads"),
    Event.ACTIONS_DONE: _Kind("outcome_entry_id", outcome_record, "outcomes"),
}


def what_it_shares(entry: Entry) -> str:
    """What a shared entry is of: reads or outcomes; empty for an entry of one action alone."""
    kind = _KINDS.get(entry.event)
    return kind.what if kind else ""


def shared_of(entry: Entry, action: Action) -> Shared | None:
    """Where `action` is in the shared `entry`, checked now; None for an entry that speaks of one action alone."""
    kind = _KINDS.get(entry.event)
    if kind is None:
        return None
    details = _details(entry)
    count, signed_root = details.get("count"), details.get("root")
    if not isinstance(count, int) or not isinstance(signed_root, str):
        return Shared(0, BROKEN)
    found = _others(entry, action, kind.column, count)
    if len(found) != count or action not in found:
        return Shared(count, INCOMPLETE)
    return _checked(found, action, kind.record, signed_root)


def _checked(found: list[Action], action: Action, record: Callable[[Action], bytes], signed_root: str) -> Shared:
    found.sort(key=lambda one: one.id.int)
    root = merkle.root(merkle.leaf_hash(record(one)) for one in found).hex()
    place = found.index(action)
    state = VERIFIED if f"sha256:{root}" == signed_root else BROKEN
    return Shared(len(found), state, place + 1, len(merkle.inclusion_spans(place, len(found))))


def _others(entry: Entry, action: Action, column: str, count: int) -> list[Action]:
    """The rows of the entry's actions, looked for nearby in time first; no index on the entry slows their writing."""
    found: list[Action] = []
    for window in _WINDOWS:
        found = _within(entry, action.asked_at, window, column)
        if len(found) >= count:
            break
    return found


def _within(entry: Entry, moment: datetime, window: timedelta, column: str) -> list[Action]:
    nearby = Action.objects.filter(asked_at__gte=moment - window, asked_at__lte=moment + window)
    end = next(iter(nearby.order_by("asked_at").values_list("asked_at", flat=True)[_MOST : _MOST + 1]), None)
    nearby = nearby.filter(asked_at__lt=end) if end else nearby
    return list(nearby.filter(**{column: entry.uid}).defer("shown"))


def _details(entry: Entry) -> dict[str, Any]:
    try:
        says = json.loads(bytes(entry.leaf))
    except ValueError:
        return {}
    details = says.get("details") if isinstance(says, dict) else None
    return details if isinstance(details, dict) else {}
