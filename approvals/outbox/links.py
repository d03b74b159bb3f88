"""Whole addresses of the console's pages, for what leaves it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse


def whole(path: str) -> str:
    """The address of the page at `path`."""
    return f"{settings.CONSOLE_URL.rstrip('/')}{path}"


def webhook_link(webhook_id: UUID) -> str:
    """The page of a webhook."""
    return whole(reverse("webhooks:one", args=[webhook_id]))


def entry_link(index: int, subject_kind: str, subject_id: str) -> str:
    """The page of what an entry is about, where that has one for whoever answers it; else the entry's own."""
    if subject_kind == "hold":
        return whole(reverse("queue:hold", args=[subject_id]))
    if subject_kind == "incident":
        return whole(reverse("incidents:incident", args=[subject_id]))
    return whole(reverse("record:entry", args=[index]))
