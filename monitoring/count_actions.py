"""Every change to the kept counts: what the counter adds, what a check found, what a repair writes anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from django.db import connection, transaction

from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record
from monitoring.models import AgentHourCount, Cursor, MinuteCount
from monitoring.tally import KINDS, Counts, Decided, by_agent_and_hour, by_minute

COUNTER: Final = Actor(kind="system", id="counter", name="Counter")
ADD_MINUTES_SQL: LiteralString = """
INSERT INTO monitoring_minutecount AS kept (at, allow, mask, hold, deny)
SELECT * FROM unnest(%s::timestamptz[], %s::int[], %s::int[], %s::int[], %s::int[])
ON CONFLICT (at) DO UPDATE SET
    allow = kept.allow + excluded.allow, mask = kept.mask + excluded.mask,
    hold = kept.hold + excluded.hold, deny = kept.deny + excluded.deny
"""
ADD_HOURS_SQL: LiteralString = """
INSERT INTO monitoring_agenthourcount AS kept (agent_id, hour, allow, mask, hold, deny)
SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::int[], %s::int[], %s::int[], %s::int[])
ON CONFLICT (agent_id, hour) DO UPDATE SET
    allow = kept.allow + excluded.allow, mask = kept.mask + excluded.mask,
    hold = kept.hold + excluded.hold, deny = kept.deny + excluded.deny
"""


def add_counts(decided: Iterable[Decided]) -> None:
    """Add to what was counted before. In the transaction of the caller, who moves the cursor in it."""
    decided = list(decided)
    minutes, hours = by_minute(decided), by_agent_and_hour(decided)
    with connection.cursor() as cursor:
        if minutes:
            cursor.execute(ADD_MINUTES_SQL, [list(minutes), *_columns(list(minutes.values()))])
        if hours:
            agents, at = [agent for agent, _ in hours], [hour for _, hour in hours]
            cursor.execute(ADD_HOURS_SQL, [agents, at, *_columns(list(hours.values()))])


def _columns(counts: Sequence[Counts]) -> list[list[int]]:
    return [[one[kind] for one in counts] for kind in KINDS]


def note_check(until: datetime, *, differing: int, whole: bool) -> None:
    """Note that counts before `until` were compared with a recount. A difference stays noted until a check of the whole
    finds none.
    """
    with transaction.atomic():
        cursor = Cursor.objects.select_for_update().get(id=Cursor.COUNTER)
        cursor.checked_until = until
        cursor.differing = differing if whole else max(differing, cursor.differing)
        cursor.save(update_fields=["checked_until", "differing"])


def repair(minutes: Mapping[datetime, Counts], hours: Mapping[tuple[UUID, datetime], Counts], *, actor: Actor) -> None:
    """Write these counts anew, as a recount found them, and leave an entry that says how many were wrong."""
    with transaction.atomic():
        Cursor.objects.select_for_update().get(id=Cursor.COUNTER)  # nobody counts meanwhile
        for at, counts in minutes.items():
            MinuteCount.objects.update_or_create(at=at, defaults=_values(counts))
        for (agent, hour), counts in hours.items():
            AgentHourCount.objects.update_or_create(agent_id=agent, hour=hour, defaults=_values(counts))
        details = {"minutes": len(minutes), "hours": len(hours)}
        record(Event.COUNTS_REPAIRED, actor=actor, subject=Subject("counts", "", "counts"), details=details)


def _values(counts: Counts) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS}
