"""Quiet hours: when mail that is due now may go. Pure: no Django, no I/O."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def due(now: datetime, *, begins: time | None, ends: time | None, zone: str) -> datetime:
    """`now`, or the end of the quiet hours that it falls into, by the clock of `zone`. They may span midnight.

    Equal ends are no quiet hours. Where the clock jumps over the end, it is the moment of the jump.
    """
    if begins is None or ends is None or begins == ends:
        return now
    local = now.astimezone(ZoneInfo(zone))
    if not _within(local.time().replace(tzinfo=None), begins, ends):
        return now
    day = local.date() if local.time().replace(tzinfo=None) < ends else local.date() + timedelta(days=1)
    return datetime.combine(day, ends, ZoneInfo(zone)).astimezone(UTC)


def _within(clock: time, begins: time, ends: time) -> bool:
    if begins < ends:
        return begins <= clock < ends
    return clock >= begins or clock < ends
