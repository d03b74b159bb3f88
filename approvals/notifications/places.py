"""Where a notification leads: the page of what it is about. That page asks again who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.urls import reverse

from approvals.notifications.kinds import ABOUT_AGENTS, ABOUT_HOLDS, Kind
from approvals.notifications.models import Notification

PAGES: Final[Mapping[Kind, str]] = {
    Kind.INCIDENT: "incidents:incident",
    Kind.WEBHOOK: "webhooks:one",
    Kind.REPORT: "record:report",
}
"""Pages that are found by the identifier of what they are about."""


def place_of(one: Notification) -> str:
    """The address of what `one` is about."""
    if one.kind in ABOUT_HOLDS:
        return reverse("queue:hold", args=[one.subject])
    if one.kind in ABOUT_AGENTS:
        return reverse("console:agent" if one.kind == Kind.AGENT else "agents:reinstate", args=[one.about])
    if one.kind == Kind.TOOLS:
        return reverse("resources:tools", args=[one.about])
    if one.kind in PAGES:
        return reverse(PAGES[Kind.of(one.kind)], args=[one.subject])
    return reverse("policies:versions" if one.kind == Kind.POLICY else "people:all")
