"""A few of the rows that a held statement would touch, for its page; or why none are shown. Takes models, returns values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from approvals.models import Hold
from core import words


@dataclass(frozen=True)
class Sampled:
    """The rows; a value of None is NULL. `says` is what they are."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str | None]]
    says: str


def sampled(hold: Hold) -> Sampled | None:
    """What was kept of them."""
    estimate: Mapping[str, Any] = hold.estimate or {}
    found: Mapping[str, Any] = estimate.get("sample") or {}
    if not found.get("rows"):
        return None
    rows, hidden = found["rows"], bool(found["hidden"])
    return Sampled(found["columns"], rows, _says(len(rows), int(estimate["rows"]), int(found["more"]), hidden))


def why_none(hold: Hold) -> str:
    """Why no rows of a statement are shown; empty for what is no statement of SQL."""
    if not hold.verb.startswith("sql:") or not hold.enforced:
        return ""
    estimate: Mapping[str, Any] = hold.estimate or {}
    if not estimate.get("exact"):
        return "No rows are shown: the gate looks at those of one UPDATE or DELETE in one table, where finding them can do nothing but read."
    if not estimate["rows"]:
        return "No rows are shown: there are none that it would touch now."
    return "No rows are shown: the gate’s reading login may not see them, or they took longer than two seconds."


def _says(shown: int, rows: int, more: int, hidden: bool) -> str:
    which = f"{shown} of {words.count(rows)} rows, as they were" if rows > shown else "The rows, as they were"
    which = which if rows > 1 else "The row, as it was"
    left = f", {words.plural(more, 'column')} left out" if more else ""
    masked = " Tagged values are hidden from everybody; the gate does not read them." if hidden else ""
    return f"{which} when it was asked{left}.{masked}"
