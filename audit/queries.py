"""Reads of the record, a page at a time: by key, so that the last page costs what the first does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Q

from accounts.models import User
from activity.models import Action, Session
from core.keyset import A_PAGE, Page
from ledger.models import Entry
from ledger.personal import reveal

MOST_PEOPLE = 200  # looked for by a part of a name


def counted(sessions: list[Session]) -> list[Any]:
    """The sessions with how many of their actions were masked, held, denied: one query for the page."""
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
    rows = reveal(found.order_by("-index")[: A_PAGE + 1])
    return Page(rows[:A_PAGE], str(rows[A_PAGE - 1].index) if len(rows) > A_PAGE else "")


def _matching(asked: Mapping[str, str]) -> Q:
    matching = Q(event=asked["event"]) if asked.get("event") else Q()
    if asked.get("actor"):
        named = [
            str(one) for one in User.objects.filter(_called(asked["actor"])).values_list("id", flat=True)[:MOST_PEOPLE]
        ]
        matching &= Q(actor_name__icontains=asked["actor"]) | Q(actor_id__in=[asked["actor"], *named])
    for word in asked.get("q", "").split():
        # An identifier is found through an index; words are looked for in the names that entries keep.
        matching &= Q(subject_name__icontains=word) | Q(subject_id=word) | Q(session=word) | Q(action=word)
    return matching


def _called(name: str) -> Q:
    """People by name: the ledger itself holds commitments to their names."""
    return Q(name__icontains=name) | Q(username=name)
