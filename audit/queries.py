"""Reads of the record, a page at a time: by key, so that the last page costs what the first does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from accounts.models import User
from activity.models import Action, Session
from activity.visibility import sessions_visible_to
from ledger.models import Entry

A_PAGE = 50


@dataclass(frozen=True)
class Page:
    """Some rows, and the key from which the next page starts; empty on the last."""

    rows: list[Any]
    more: str


def sessions_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The sessions that `user` may open, newest first, filtered; `after` is the key that a page gave."""
    found = sessions_visible_to(user)
    found = found.filter(agent_name__icontains=asked["agent"]) if asked.get("agent") else found
    found = found.filter(resource_name=asked["resource"]) if asked.get("resource") else found
    found = found.filter(ended_at=None) if asked.get("state") == "open" else found
    found = _with_decision(found, asked.get("decision", ""))
    rows = list(_after(found, after).order_by("-began_at", "-id")[: A_PAGE + 1])
    more = f"{rows[A_PAGE - 1].began_at.isoformat()}_{rows[A_PAGE - 1].id}" if len(rows) > A_PAGE else ""
    return Page(_counted(rows[:A_PAGE]), more)


def _after(found: QuerySet[Session], key: str) -> QuerySet[Session]:
    """Those behind the key; all of them where it is none, for a key is only a place."""
    began, _, session = key.partition("_")
    try:
        at, last = datetime.fromisoformat(began), UUID(session)
    except ValueError:
        return found
    return found.filter(Q(began_at__lt=at) | Q(began_at=at, id__lt=last))


def _with_decision(found: QuerySet[Session], decision: str) -> QuerySet[Session]:
    if decision not in Action.Decision.values:
        return found
    return found.filter(id__in=Action.objects.filter(decision=decision).values("session_id"))


def _counted(sessions: list[Session]) -> list[Any]:
    """The sessions with how many of their actions were allowed, masked, held, denied: one query for the page."""
    counts = (
        Action.objects.filter(session_id__in=[session.id for session in sessions])
        .values("session_id")
        .annotate(
            actions=Count("id"),
            mask=Count("id", filter=Q(masked=True, decision="allow")),
            hold=Count("id", filter=Q(decision="hold")),
            deny=Count("id", filter=Q(decision="deny")),
        )
        .order_by()
    )
    by_session = {row["session_id"]: row for row in counts}
    return [
        (session, by_session.get(session.id, {"actions": 0, "mask": 0, "hold": 0, "deny": 0})) for session in sessions
    ]


def entries_page(asked: Mapping[str, str], before: str) -> Page:
    """Entries of the ledger, newest first, filtered; `before` is the index that a page gave."""
    found = Entry.objects.filter(_matching(asked))
    found = found.filter(index__lt=int(before)) if before.isdecimal() else found
    rows = list(found.order_by("-index")[: A_PAGE + 1])
    return Page(rows[:A_PAGE], str(rows[A_PAGE - 1].index) if len(rows) > A_PAGE else "")


def _matching(asked: Mapping[str, str]) -> Q:
    matching = Q(event=asked["event"]) if asked.get("event") else Q()
    if asked.get("actor"):
        matching &= Q(actor_name__icontains=asked["actor"]) | Q(actor_id=asked["actor"])
    for word in asked.get("q", "").split():
        # An identifier is found through an index; words are looked for in the names that entries keep.
        matching &= Q(subject_name__icontains=word) | Q(subject_id=word) | Q(session=word) | Q(action=word)
    return matching
