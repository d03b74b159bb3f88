"""Incidents as a list: filtered, in one of three orders, a page at a time by key, or all of them for a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Q, QuerySet, Value, When

from accounts.models import User
from core.cells import Value as Cell
from core.keyset import A_PAGE, Page
from core.moments import moment_of
from monitoring.models import Incident
from monitoring.queries import from_address, visible_incidents

FILTERS: Final = ("q", "kind", "severity", "status", "counted", "assignee", "since", "until")
ORDERS: Final[Mapping[str, tuple[str, str]]] = {
    "-detected": ("", "Newest first"),
    "detected": ("", "Oldest first"),
    "-severity": ("rank", "Worst first"),
}
"""The orders by the name in the address: the column before the time of detection, and the order in words."""
COUNTED: Final[Mapping[str, Q]] = {
    "detect": Q(agent__isnull=False),
    "contain": Q(agent__isnull=False, contained_at__isnull=False),
    "resolve": Q(agent__isnull=False, resolved_at__isnull=False),
}
"""What each mean of the posture page is over."""
COLUMNS: Final = (
    "severity", "kind", "agent", "source", "status", "began at", "detected at", "contained at", "resolved at",
    "acknowledged at", "acknowledged by", "assignee", "suspended by itself at", "left to a person at", "resolution", "incident",
)  # fmt: skip
_RANK: Final = Case(When(severity="high", then=Value(3)), When(severity="medium", then=Value(2)), default=Value(1))


def incidents_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The incidents that `user` may see and asks for; `after` is the key that a page gave."""
    return page_among(visible_incidents(user), asked, after, A_PAGE)


def page_among(among: QuerySet[Incident], asked: Mapping[str, str], after: str, size: int) -> Page:
    """Likewise the first `size` among some that a person may see."""
    order = _order(asked)
    rows = list(_behind(_found(among, asked), order, after)[: size + 1])
    more = _key(rows[size - 1]) if len(rows) > size else ""
    return Page(rows[:size], more)


def incident_cells(user: User, asked: Mapping[str, str]) -> Iterator[tuple[Cell, ...]]:
    """All of them, as the rows of a file under COLUMNS; read as they are sent."""
    for one in _found(visible_incidents(user), asked).iterator(chunk_size=500):
        yield (
            one.severity, one.get_kind_display(), one.agent.name if one.agent else "", one.source, one.status, one.began_at,
            one.detected_at, one.contained_at, one.resolved_at, one.acknowledged_at, _named(one.acknowledged_by),
            _named(one.assignee), one.suspended_at, one.withheld_at, one.resolution, one.id,
        )  # fmt: skip


def _named(person: User | None) -> str:
    return str(person) if person else ""


def _order(asked: Mapping[str, str]) -> str:
    return asked["sort"] if asked.get("sort") in ORDERS else "-detected"


def _found(among: QuerySet[Incident], asked: Mapping[str, str]) -> QuerySet[Incident]:
    found = among.filter(_matching(asked)).annotate(rank=_RANK)
    order = _order(asked)
    sign = "" if order == "detected" else "-"
    first = ("-rank",) if ORDERS[order][0] else ()
    return found.order_by(*first, f"{sign}detected_at", f"{sign}id")


def _behind(found: QuerySet[Incident], order: str, key: str) -> QuerySet[Incident]:
    """Those behind the key in this order; all of them where it is none, for a key is only a place."""
    place = _place(key)
    if place is None:
        return found
    rank, at, identifier = place
    than = "gt" if order == "detected" else "lt"
    behind = Q(**{f"detected_at__{than}": at}) | Q(**{"detected_at": at, f"id__{than}": identifier})
    return found.filter(Q(rank__lt=rank) | (Q(rank=rank) & behind) if ORDERS[order][0] else behind)


def _place(key: str) -> tuple[int, datetime, UUID] | None:
    rank, _, place = key.partition("_")
    moment, _, last = place.partition("_")
    at = moment_of(moment)
    try:
        return None if at is None else (int(rank), at, UUID(last))
    except ValueError:
        return None


def _key(row: Any) -> str:  # noqa: ANN401 -- an incident with its rank
    return f"{row.rank}_{row.detected_at.isoformat()}_{row.id}"


def _matching(asked: Mapping[str, str]) -> Q:
    """What the filters ask for; an unknown value matches nothing rather than everything."""
    matching = Q(kind=asked["kind"]) if asked.get("kind") else Q()
    if asked.get("severity"):
        matching &= Q(severity=asked["severity"])
    if asked.get("status") == "unresolved":
        matching &= ~Q(status=Incident.Status.RESOLVED)
    elif asked.get("status"):
        matching &= Q(status=asked["status"])
    if asked.get("counted"):
        matching &= COUNTED.get(asked["counted"], Q(pk=None))
    if asked.get("assignee"):
        matching &= Q(assignee=None) if asked["assignee"] == "nobody" else Q(assignee__username=asked["assignee"])
    if asked.get("q"):
        matching &= Q(agent__name__icontains=asked["q"]) | from_address(asked["q"])
    return matching & _within(asked)


def _within(asked: Mapping[str, str]) -> Q:
    """Detected between two moments; what is no moment bounds nothing."""
    matching = Q()
    for name, field in (("since", "detected_at__gte"), ("until", "detected_at__lt")):
        moment = moment_of(asked.get(name, ""))
        matching &= Q(**{field: moment}) if moment else Q()
    return matching
