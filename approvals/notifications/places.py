"""Where a notification leads: the page of what it is about. That page asks again who may see it."""

from __future__ import annotations

from django.urls import reverse

from approvals.notifications.kinds import ABOUT_HOLDS, Kind
from approvals.notifications.models import Notification


def place_of(one: Notification) -> str:
    """The address of what `one` is about."""
    if one.kind in ABOUT_HOLDS:
        return reverse("queue:hold", args=[one.subject])
    if one.kind == Kind.INCIDENT:
        return reverse("incidents:incident", args=[one.subject])
    if one.kind == Kind.AGENT:
        return reverse("console:agent", args=[one.about])
    return {Kind.POLICY: reverse("policies:versions"), Kind.SECOND: reverse("people:all")}.get(
        Kind.of(one.kind), "/record/reports/"
    )
