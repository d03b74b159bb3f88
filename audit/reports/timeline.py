"""Counts over time for a chart, made by the database in one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, DateTimeField, F, FloatField, Func, Q, QuerySet, Value
from django.db.models.functions import Extract

from audit.reports.period import Period
from audit.reports.shape import Chart, Series

MOST_COLUMNS = 61  # and one more where the first begins before the period
_SOME_MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)  # columns begin at round times
_STEPS = tuple(timedelta(hours=hours) for hours in (0.5, 3, 12, 24, 48, 168, 720, 2184))


class Percentile(Aggregate):
    """The value that a share of the values do not exceed (`percentile_cont`), of a duration in seconds."""

    function = "percentile_cont"
    template = "percentile_cont(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: Any, share: float, **extra: Any) -> None:  # noqa: ANN401 -- Django's own
        super().__init__(expression, share=share, **extra)


def took(begin: str, end: str) -> Extract:
    """The seconds from one field to another."""
    return Extract(F(end) - F(begin), "epoch", output_field=FloatField())


def step_of(since: datetime, until: datetime) -> timedelta:
    """The width of a column, so that there are at most MOST_COLUMNS where that can be."""
    return next((step for step in _STEPS if (until - since) / step <= MOST_COLUMNS), _STEPS[-1])


def over_time(
    title: str,
    rows: QuerySet[Any],
    field: str,
    period: Period,
    *,
    kind: Any,  # noqa: ANN401 -- an expression
    series: Sequence[tuple[str, str, str]],
) -> Chart:
    """How many of each `kind` in equal steps; `series` are (value of kind, name, colour), lowest in the stack first."""
    since, until = period.since, period.until
    step = step_of(since, until)
    first = since - (since - _SOME_MIDNIGHT) % min(step, timedelta(days=1))
    length = max(1, -(-(until - first) // step))
    place = Func(Value(step), F(field), Value(first), function="date_bin", output_field=DateTimeField())
    counted = rows.annotate(place=place, series=kind).values_list("place", "series").annotate(n=Count("pk")).order_by()
    values: Mapping[str, list[int]] = {value: [0] * length for value, _, _ in series}
    for at, value, number in counted:
        if value in values:
            values[value][(at - first) // step] += number
    drawn = tuple(Series(name, colour, tuple(values[value])) for value, name, colour in series)
    return Chart(title, "columns", _labels(first, step, length), drawn, f"A column is {_words(step)}.")


def _labels(since: datetime, step: timedelta, length: int) -> tuple[str, ...]:
    form = "%H:%M" if step < timedelta(hours=3) else "%-d %b" if step < timedelta(days=30) else "%b %Y"
    return tuple((since + step * place).strftime(form) for place in range(length))


def _words(step: timedelta) -> str:
    return (
        "half an hour"
        if step < timedelta(hours=1)
        else f"{step // timedelta(hours=1)} hours"
        if step < timedelta(days=2)
        else f"{step.days} days"
    )


# How long something took, in classes that people think in; seconds, exclusive.
SPANS = (
    (10.0, "under 10 s"),
    (60.0, "10 s to 1 min"),
    (300.0, "1 to 5 min"),
    (900.0, "5 to 15 min"),
    (3600.0, "15 min to 1 h"),
    (86_400.0, "1 to 24 h"),
    (float("inf"), "over a day"),
)


def spread(rows: QuerySet[Any], begin: str, end: str, title: str) -> Chart:
    """How many took how long, in classes; one query."""
    counts, least = {}, 0.0
    for number, (most, _) in enumerate(SPANS):
        within = Q(seconds__gte=least) & (Q(seconds__lt=most) if most != float("inf") else Q())
        counts[f"span{number}"] = Count("pk", filter=within)
        least = most
    found = rows.annotate(seconds=took(begin, end)).aggregate(**counts)
    values = tuple(found[f"span{number}"] for number in range(len(SPANS)))
    return Chart(title, "bars", tuple(label for _, label in SPANS), (Series("Number", "plain", values),))
