"""Reads the ledger behind a cursor of its own and tells people what concerns them, and webhooks what they are to hear of.

The cursor moves in the transaction that writes what was told: an entry is told exactly once, whatever crashes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from approvals.notifications import told
from approvals.notifications.actions import tell
from approvals.notifications.audience import audience
from approvals.notifications.kinds import WATCHED
from approvals.notifications.models import NotificationCursor
from approvals.outbox.telling import heard_of, tell_webhooks
from core.db import db_now
from ledger.models import Entry, Head
from ledger.personal import reveal

AT_ONCE: Final = 500
"""Entries of one turn."""
WATCHED_BY_PEOPLE: Final = frozenset(WATCHED)
NEWS: Final = timedelta(hours=24)
"""What was recorded longer ago is told to nobody: a reader that was away, or is new, does not pour out the past."""


@transaction.atomic
def turn() -> bool:
    """Tell what the next entries say; whether there may be more to read at once. Another reader's turn is left to it."""
    cursor = NotificationCursor.objects.select_for_update(skip_locked=True).filter(id=1).first()
    if cursor is None:
        return False
    size = Head.objects.values_list("size", flat=True).get(id=1)
    if size <= cursor.next:
        return False
    since = db_now() - NEWS
    events = WATCHED_BY_PEOPLE | heard_of()
    watched = Entry.objects.filter(index__gte=cursor.next, index__lt=size, event__in=events).order_by("index")
    watched = watched.exclude(subject_kind="group")  # that a group was made concerns nobody yet
    entries = reveal(watched[:AT_ONCE])
    news = [one for one in entries if one.recorded is None or one.recorded >= since]
    tell(audience(told.read(one for one in news if one.event in WATCHED_BY_PEOPLE)))
    tell_webhooks(news)
    full = len(entries) == AT_ONCE
    cursor.next = entries[-1].index + 1 if full else size
    cursor.save(update_fields=["next"])
    return full
