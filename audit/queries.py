"""Reads of the record, a page at a time: by key, so that the last page costs what the first does."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from activity.models import Action, Session


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
