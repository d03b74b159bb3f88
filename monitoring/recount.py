"""Compares the kept counts with the actions themselves, and says where they differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from django.db import connection, transaction

from core.db import db_now
from ledger.entries import Actor
from ledger.models import Entry
from ledger.queries import state
from monitoring.count_actions import COUNTER, note_check, repair
from monitoring.counting import DECIDING
from monitoring.models import Cursor
from monitoring.tally import KINDS, Counts

SETTLED_AFTER: Final = timedelta(minutes=10)
"""How long after the last entry that was read an action may still turn up with an earlier time."""
LATELY: Final = timedelta(hours=2)
"""What a regular check looks back over."""
FROM_THE_FIRST: Final = datetime.fromisoformat("2000-01-01T00:00:00+00:00")

_COUNTS: LiteralString = """
count(*) FILTER (WHERE decision = 'allow' AND NOT masked) AS allow,
count(*) FILTER (WHERE decision = 'allow' AND masked) AS mask,
count(*) FILTER (WHERE decision = 'hold') AS hold,
count(*) FILTER (WHERE decision = 'deny') AS deny
"""
_UNEQUAL: LiteralString = """
(kept.allow, kept.mask, kept.hold, kept.deny) IS DISTINCT FROM (seen.allow, seen.mask, seen.hold, seen.deny)
"""
_SEEN: LiteralString = """
coalesce(seen.allow, 0), coalesce(seen.mask, 0), coalesce(seen.hold, 0), coalesce(seen.deny, 0)
"""
# One statement each, so that both sides are of one snapshot.
MINUTES_SQL: LiteralString = f"""
WITH seen AS (
    SELECT date_trunc('minute', asked_at, 'UTC') AS at, {_COUNTS}
    FROM activity_action WHERE asked_at >= %s AND asked_at < %s GROUP BY 1
), kept AS (SELECT * FROM monitoring_minutecount WHERE at >= %s AND at < %s)
SELECT at, {_SEEN} FROM kept FULL JOIN seen USING (at) WHERE {_UNEQUAL} ORDER BY at
"""  # noqa: S608 -- constants of this module
HOURS_SQL: LiteralString = f"""
WITH seen AS (
    SELECT agent_id, date_trunc('hour', asked_at, 'UTC') AS hour, {_COUNTS}
    FROM activity_action WHERE asked_at >= %s AND asked_at < %s GROUP BY 1, 2
), kept AS (SELECT * FROM monitoring_agenthourcount WHERE hour >= %s AND hour < %s)
SELECT agent_id, hour, {_SEEN} FROM kept FULL JOIN seen USING (agent_id, hour) WHERE {_UNEQUAL} ORDER BY agent_id, hour
"""  # noqa: S608 -- constants of this module


@dataclass(frozen=True)
class Differences:
    """What a recount found otherwise than it was kept, in the hours from `since` to `until`: the true counts."""

    since: datetime
    until: datetime
    minutes: dict[datetime, Counts]
    hours: dict[tuple[UUID, datetime], Counts]

    @property
    def number(self) -> int:
        """How many minutes and hours differ."""
        return len(self.minutes) + len(self.hours)


def settled_until() -> datetime:
    """The hour before which everything that was asked has been counted, as far as the counter has come."""
    now, after = db_now(), Cursor.objects.values_list("next", flat=True).get(id=Cursor.COUNTER)
    unsequenced = state().waiting or timedelta(0)
    unread = Entry.objects.filter(index__gte=after, event__in=DECIDING).order_by("index").first()
    moments = [now - unsequenced, unread.recorded if unread and unread.recorded else now]
    return (min(moments) - SETTLED_AFTER).replace(minute=0, second=0, microsecond=0)


def recount(since: datetime, until: datetime) -> Differences:
    """Count the actions asked from `since` to `until`, both whole hours, and compare."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MINUTES_SQL, [since, until] * 2)
        minutes = {at: _counts(numbers) for at, *numbers in cursor.fetchall()}
        cursor.execute(HOURS_SQL, [since, until] * 2)
        hours = {(agent, hour): _counts(numbers) for agent, hour, *numbers in cursor.fetchall()}
    return Differences(since, until, minutes, hours)


def _counts(numbers: list[int]) -> Counts:
    return Counter(dict(zip(KINDS, numbers, strict=True)))


def check(*, since: datetime | None = None) -> Differences:
    """Recount the last two hours that are settled, or all since then, and note what was found for the posture page."""
    until = settled_until()
    found = recount(since or until - LATELY, until)
    note_check(until, differing=found.number, whole=since is not None and since <= FROM_THE_FIRST)
    return found


def mend(found: Differences, *, actor: Actor = COUNTER) -> None:
    """Write what a recount of the whole found, and note that nothing differs any longer."""
    repair(found.minutes, found.hours, actor=actor)
    note_check(found.until, differing=0, whole=True)
