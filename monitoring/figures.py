"""Arithmetic of the posture page: quantiles, buckets. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

KINDS = ("allow", "mask", "hold", "deny")


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` (0 to 1) of `values` do not exceed, interpolated; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def step_of(period: timedelta) -> timedelta:
    """The width of a chart's bucket, so that there are about fifty."""
    steps = [timedelta(minutes=minutes) for minutes in (30, 180, 720, 1440, 2880)]
    return next((step for step in steps if period / step <= 62), steps[-1])


def buckets(counted: Iterable[tuple[datetime, str, int]], since: datetime, until: datetime) -> dict[str, list[int]]:
    """Counts of (moment, kind, how many) in equal steps from `since` to `until`, one list for each of KINDS."""
    step = step_of(until - since)
    length = max(1, -(-(until - since) // step))
    series = {kind: [0] * length for kind in KINDS}
    for moment, kind, number in counted:
        place = (moment - since) // step
        if kind in series and 0 <= place < length:
            series[kind][place] += number
    return series


def labels(since: datetime, until: datetime) -> list[str]:
    """What stands under each bucket: times of a day, days of longer periods."""
    step = step_of(until - since)
    length = max(1, -(-(until - since) // step))
    form = "%H:%M" if until - since <= timedelta(days=2) else "%-d %b"
    return [(since + step * number).strftime(form) for number in range(length)]
