"""Incidents: what was detected, how long detecting, containing and resolving took, and who answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Avg, Count, F, Max, Q, QuerySet

from audit.reports.period import Period
from audit.reports.scope import Scope, incidents_of
from audit.reports.shape import Column, Content, Figure, Row, Table, moment, seconds
from audit.reports.timeline import over_time, spread, took
from core import words
from monitoring.answers import marks
from monitoring.models import Incident
from monitoring.timing import Marks

CHUNK = 1_000
_SERIES = (("low", "Low", "risk-2"), ("medium", "Medium", "risk-3"), ("high", "High", "risk-5"))
_MEANS = {
    "detect": Avg(took("began_at", "detected_at"), filter=Q(agent__isnull=False)),
    "contain": Avg(took("detected_at", "contained_at"), filter=Q(agent__isnull=False)),
    "resolve": Avg(took("detected_at", "resolved_at"), filter=Q(agent__isnull=False)),
}
_KINDS = (
    Column("kind", "Detection"),
    Column("incidents", "Incidents", "count"),
    Column("detect", "Mean to detect", "seconds"),
    Column("contain", "Mean to contain", "seconds"),
    Column("resolve", "Mean to resolve", "seconds"),
    Column("last", "Last", "time"),
)
INCIDENTS = (
    Column("detected_at", "Detected", "time"),
    Column("kind", "Detection"),
    Column("severity", "Severity", "decision"),
    Column("about", "Agent or address", "name"),
    Column("status", "State"),
    Column("to_detect", "Detected in", "seconds"),
    Column("to_contain", "Contained in", "seconds"),
    Column("to_resolve", "Resolved in", "seconds"),
    Column("resolution", "Resolution"),
    Column("assignee", "Assignee"),
    Column("acknowledged_by", "Acknowledged by"),
    Column("began_at", "Began", "time"),
    Column("contained_at", "Contained", "time"),
    Column("acknowledged_at", "Acknowledged", "time"),
    Column("resolved_at", "Resolved", "time"),
    Column("suspended_at", "Suspended by itself", "time"),
    Column("withheld_at", "Left to a person", "time"),
    Column("signals", "Signals", "count"),
    Column("incident", "Incident", "hash"),
)


def content(scope: Scope, period: Period) -> Content:
    """The report's content."""
    incidents = incidents_of(scope, period)
    counts = _counts(incidents)
    contained = incidents.filter(contained_at__isnull=False)
    charts = (
        over_time("Incidents by severity", incidents, "detected_at", period, kind=F("severity"), series=_SERIES),
        spread(contained, "detected_at", "contained_at", "How long containing took"),
    )
    tables = (
        Table("kinds", "By detection", _KINDS, lambda: _by_kind(incidents), empty="Nothing was detected."),
        Table(
            "incidents",
            "Every incident",
            INCIDENTS,
            lambda: _rows(incidents),
            printed=250,
            wide=9,
            empty="Nothing was detected.",
        ),
    )
    return Content(_headline(counts), counts["incidents"], _figures(counts), charts, tables)


def _counts(incidents: QuerySet[Incident]) -> dict[str, Any]:
    unresolved = ~Q(status=Incident.Status.RESOLVED)
    return incidents.aggregate(
        incidents=Count("pk"),
        high=Count("pk", filter=Q(severity=Incident.Severity.HIGH)),
        unresolved=Count("pk", filter=unresolved),
        contained=Count("pk", filter=Q(contained_at__isnull=False)),
        alone=Count("pk", filter=Q(suspended_at__isnull=False)),
        withheld=Count("pk", filter=Q(withheld_at__isnull=False)),
        **_MEANS,
    )


def _headline(n: Mapping[str, Any]) -> str:
    if not n["incidents"]:
        return "Nothing was detected in this period."
    most = f"{words.plural(n['incidents'], 'incident')}, {words.count(n['contained'])} contained, {words.count(n['unresolved'])} not resolved yet."
    times = [f"detecting {words.span(float(n['detect']))}"] if n["detect"] is not None else []
    times += [f"containing {words.span(float(n['contain']))}"] if n["contain"] is not None else []
    return f"{most} On average {words.listing(times)}." if times else most


def _figures(n: Mapping[str, Any]) -> tuple[Figure, ...]:
    means = zip(("MTTD", "MTTC", "MTTR"), (n["detect"], n["contain"], n["resolve"]), marks(), strict=True)
    return (
        Figure("Incidents", n["incidents"]),
        Figure("High severity", n["high"]),
        Figure("Not resolved yet", n["unresolved"]),
        *(_mean(name, _rounded(mean), held) for name, mean, held in means),
        Figure("Contained", n["contained"]),
        Figure("Agents suspended by themselves", n["alone"]),
        Figure("Left to a person", n["withheld"], note="the day's budget of automatic suspensions was used up"),
    )


def _mean(name: str, mean: float | None, held: Marks) -> Figure:
    """A mean with what it is held against."""
    target = held.target.total_seconds() if held.target else None
    notes = [f"target {words.span(target)}"] if target else []
    notes += [f"before Narrowgate {words.span(held.baseline)}"] if held.baseline else []
    late = mean is not None and target is not None and mean > target
    return Figure(name, mean, "seconds", ", ".join(notes), bad=late)


def _rounded(mean: object) -> float | None:
    return None if mean is None else round(float(str(mean)), 3)


def _by_kind(incidents: QuerySet[Incident]) -> Iterator[Row]:
    rows: QuerySet[Any] = incidents
    grouped = rows.values("kind").annotate(incidents=Count("pk"), last=Max("detected_at"), **_MEANS)
    for row in grouped.order_by("-incidents", "kind"):
        means = {key: _rounded(row[key]) for key in _MEANS}
        kind = str(Incident.Kind(row["kind"]).label)
        yield {"kind": kind, "incidents": row["incidents"], **means, "last": moment(row["last"])}


def _rows(incidents: QuerySet[Incident]) -> Iterator[Row]:
    found = incidents.select_related("agent", "assignee", "acknowledged_by").annotate(observed=Count("signals"))
    for one in found.order_by("detected_at", "id").iterator(CHUNK):
        yield _row(one)


def _row(one: Any) -> Row:  # noqa: ANN401 -- an incident with what the query adds to it
    times = ("detected_at", "began_at", "contained_at", "acknowledged_at", "resolved_at", "suspended_at", "withheld_at")
    return {
        **{name: moment(getattr(one, name)) for name in times},
        "kind": one.get_kind_display(),
        "severity": one.severity,
        "about": one.whose,
        "status": one.get_status_display(),
        "to_detect": seconds(one.began_at, one.detected_at),
        "to_contain": seconds(one.detected_at, one.contained_at),
        "to_resolve": seconds(one.detected_at, one.resolved_at),
        "resolution": one.resolution,
        "assignee": str(one.assignee or ""),
        "acknowledged_by": str(one.acknowledged_by or ""),
        "signals": one.observed,
        "incident": str(one.id),
    }
