"""Reading the record is itself recorded: one entry a page, in its own transaction, before the page is shown."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from accounts.actors import actor_of
from accounts.models import User
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record


def note_read(user: User, page: str, about: str, shown: Mapping[str, object], *, session: str | None = None) -> None:
    """Record that `user` opened `page` (its kind) about `about` (an identifier, or empty for a list).

    `shown` says which part; only identifiers and filters, never what the page held. If it cannot be recorded, the page
    is not shown.
    """
    with transaction.atomic():
        subject = Subject(kind="page", id=about or page, name=page)
        record(Event.RECORD_READ, actor=actor_of(user), subject=subject, details=dict(shown), session=session)


def note_export(user: User, first: int, last: int, size: int) -> None:
    """Record that `user` takes away the entries `first` to `last`, exclusive, under the checkpoint of `size`."""
    with transaction.atomic():
        subject = Subject(kind="evidence", id=f"{first}-{last}", name=f"entries {first} to {last - 1}")
        details = {"first": first, "last": last, "checkpoint": size}
        record(Event.EXPORT_MADE, actor=actor_of(user), subject=subject, details=details)


def note_taken(user: User, what: str, shown: Mapping[str, object]) -> None:
    """Record that `user` takes a list away as a file: `what` it holds, `shown` which part of it."""
    with transaction.atomic():
        subject = Subject(kind="list", id=what, name=what)
        record(Event.EXPORT_MADE, actor=actor_of(user), subject=subject, details=dict(shown))
