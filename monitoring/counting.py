"""Keeps the counts of decided actions: reads the ledger behind a cursor of its own, each entry exactly once.

Nobody calls it, and the gateway's way of writing knows nothing of it. A turn, in one transaction:

1. Read the entries behind the cursor, whose row's lock keeps other counters out.
2. Find the actions that they decided: their own, or those that share one.
3. Add them to the minutes and hours they were asked in, and move the cursor. A crash undoes both or neither.

What becomes of an action later (rows, an error, an approval) changes no count: it is counted by its decision.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import TruncMinute

from activity.models import Action
from core.db import db_now
from core.ids import identifiers
from ledger.events import Event
from ledger.models import Entry, Head
from monitoring.count_actions import add_counts
from monitoring.models import Cursor
from monitoring.tally import Decided, kind_of

AT_ONCE: Final = 500
"""Entries of one turn."""
OWN: Final = (Event.ACTION_ALLOWED, Event.ACTION_DENIED, Event.HOLD_ASKED)
"""Entries that decide the one action they name."""
DECIDING: Final = (*OWN, Event.ACTIONS_ALLOWED)
NEARBY: Final = (timedelta(seconds=5), timedelta(minutes=10), timedelta(days=1))
"""How long before its entry an action may have been asked; the next is tried only where some are missing."""
BEAT: Final = timedelta(seconds=2)
log = structlog.get_logger()


@transaction.atomic
def turn() -> bool:
    """One turn; whether there is more to read at once."""
    # 1. Behind the cursor, as far as the sequencer has come.
    held = Cursor.objects.select_for_update(skip_locked=True)
    cursor = held.filter(id=Cursor.COUNTER).first()
    if cursor is None:  # somebody else counts
        return False
    size = Head.objects.values_list("size", flat=True).get(id=1)
    entries = _behind(cursor, size)
    if entries:
        # 2. and 3.
        add_counts(decided_by(entries))
    full = len(entries) == AT_ONCE
    _move(cursor, entries[-1].index + 1 if full else size, db_now())
    return full


def _behind(cursor: Cursor, size: int) -> list[Entry]:
    found = Entry.objects.filter(index__gte=cursor.next, index__lt=size, event__in=DECIDING)
    columns = ("index", "uid", "event", "action", "recorded", "leaf")
    return list(found.order_by("index").only(*columns)[:AT_ONCE]) if size > cursor.next else []


def _move(cursor: Cursor, to: int, now: datetime) -> None:
    if to != cursor.next or cursor.beat_at is None or now - cursor.beat_at >= BEAT:
        cursor.next, cursor.beat_at = max(cursor.next, to), now
        cursor.save(update_fields=["next", "beat_at"])


def decided_by(entries: Sequence[Entry]) -> list[Decided]:
    """The actions that these entries decided, counted by minute, agent and kind."""
    own = identifiers(entry.action for entry in entries if entry.event in OWN and _is_first(entry))
    shared = [entry for entry in entries if entry.event == Event.ACTIONS_ALLOWED]
    alone = counted(Action.objects.filter(id__in=own)) if own else []
    return [*alone, *(_sharing(shared) if shared else ())]


def _is_first(entry: Entry) -> bool:
    """Whether it names its action, for the first time: a hold that waits for more people is asked again."""
    return bool(entry.action) and not _details(entry).get("again")


def _sharing(entries: Sequence[Entry]) -> list[Decided]:
    """Actions that share entries. Nothing indexes them by entry, so they are looked for shortly before it; each entry
    says how many it decided, so that none is missed.
    """
    expected = sum(int(_details(entry).get("count", 0)) for entry in entries)
    found: list[Decided] = []
    for before in NEARBY:
        found = counted(_near(entries, before))
        if sum(one.number for one in found) >= expected:
            return found
    log.warning("counted_actions_missing", first=entries[0].index, last=entries[-1].index, expected=expected)
    return found


def _near(entries: Sequence[Entry], before: timedelta) -> QuerySet[Action]:
    moments = [entry.recorded for entry in entries if entry.recorded]
    since, until = min(moments) - before, max(moments) + before  # gateways' clocks and ours may differ
    return Action.objects.filter(entry_id__in=_uids(entries), asked_at__gte=since, asked_at__lte=until)


def _uids(entries: Iterable[Entry]) -> Collection[UUID]:
    return [entry.uid for entry in entries if entry.uid]


def _details(entry: Entry) -> dict[str, Any]:
    details: dict[str, Any] = json.loads(bytes(entry.leaf)).get("details") or {}
    return details


def counted(actions: QuerySet[Action]) -> list[Decided]:
    """`actions` counted by minute, agent and kind."""
    rows = (
        actions.annotate(minute=TruncMinute("asked_at"))
        .values_list("minute", "agent_id", "decision", "masked")
        .annotate(n=Count("id"))
        .order_by()
    )
    return [Decided(minute, agent, kind_of(decision, masked=masked), n) for minute, agent, decision, masked, n in rows]
