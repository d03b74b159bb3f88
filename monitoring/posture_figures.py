"""The posture page's figures one by one: each with what it counts, in which unit, and where the rows behind it are. Pure of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from agents.risk import BANDS
from monitoring.fleet_counts import ATTENTION_FROM
from monitoring.posture import Posture
from monitoring.timing import Figure

SECONDS, NUMBER = "seconds", "number"
_ATTENTION = next(least for least, number, _ in BANDS if number == ATTENTION_FROM)
_ACTIONS: Mapping[str, tuple[str, str]] = {
    "allow": ("Allowed", "Actions asked in the period that were allowed, and nothing of them masked."),
    "mask": ("Masked", "Actions asked in the period that were allowed with values masked."),
    "hold": ("Held", "Actions asked in the period that waited for people."),
    "deny": ("Denied", "Actions asked in the period that policy denied."),
}


@dataclass(frozen=True)
class Told:
    """One figure; `value` is None where there is nothing to have one, `rows` an address of the API, `more` what it is held against."""

    key: str
    name: str
    definition: str
    unit: str
    value: float | None
    rows: str
    more: Mapping[str, object] = field(default_factory=dict)


def told(it: Posture) -> list[Told]:
    """All of them, as the page has them from its top."""
    return [*_incidents(it), *_people(it), *_actions(it), *_fleet(it), *_gate(it)]


def _rows(path: str, **asked: object) -> str:
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f"/api/v1/{path}{'?' if query else ''}{query}"


def _window(it: Posture) -> dict[str, str]:
    return {"since": it.since.isoformat(), "until": it.now.isoformat()}


def _mean(figure: Figure, it: Posture) -> Told:
    marks = figure.marks
    more = {
        "count": figure.count,
        "before": figure.before,
        "trend": figure.trend,
        "baseline": marks.baseline.total_seconds() if marks.baseline else None,
        "target": marks.target.total_seconds() if marks.target else None,
        "met": figure.met,
        "points": list(figure.points),
    }
    says = f"{figure.meaning.capitalize()}, over the incidents of agents that were detected in the period."
    rows = _rows("incidents", counted=figure.key, **_window(it))
    return Told(figure.key, figure.name, says, SECONDS, figure.mean, rows, more)


def _incidents(it: Posture) -> Iterator[Told]:
    yield from (_mean(figure, it) for figure in it.answers.figures)
    found = it.answers
    says = "Incidents detected in the period, those of unproven addresses included."
    yield Told("incidents", "Incidents", says, NUMBER, found.detected, _rows("incidents", **_window(it)))
    says, rows = "Incidents of any time that are not resolved.", _rows("incidents", status="unresolved")
    yield Told("unresolved", "Not resolved", says, NUMBER, found.unresolved, rows)
    says = "Unresolved incidents whose suspension was left to people, and that nobody has contained."
    yield Told("needing_person", "Wait for a person", says, NUMBER, found.needing_person, rows)


def _people(it: Posture) -> Iterator[Told]:
    decided, window = it.decisions, {"settled_since": it.since.isoformat(), "settled_until": it.now.isoformat()}
    rows = _rows("posture/decisions", **_window(it))
    says = (
        "Half of the holds that people decided in the period, none covered by a grant, took no longer from the asking."
    )
    more = {"points": list(decided.points)}
    yield Told("decision_median", "Time to decision, median", says, SECONDS, decided.median, rows, more)
    says = "Nine of ten of those holds took no longer."
    yield Told("decision_p90", "Time to decision, nine of ten", says, SECONDS, decided.p90, rows)
    says = "Holds that people decided in the period, none covered by a grant."
    yield Told("decided", "Decided by people", says, NUMBER, decided.decided, rows)
    for status, number in (("released", decided.released), ("denied", decided.denied), ("expired", decided.expired)):
        says = f"Holds that settled in the period and are {status}."
        yield Told(f"holds_{status}", f"Holds {status}", says, NUMBER, number, _rows("holds", status=status, **window))
    says = "Holds that wait now, their deadline ahead."
    yield Told("holds_waiting", "Holds waiting", says, NUMBER, decided.waiting, _rows("holds", status="waiting"))


def _actions(it: Posture) -> Iterator[Told]:
    for kind, (name, says) in _ACTIONS.items():
        rows = _rows("actions", decision=kind, **_window(it))
        yield Told(f"actions_{kind}", name, says, NUMBER, it.counts[kind], rows)
    says = "Actions of the period that left the gate without a committed entry that says so."
    rows = _rows("posture/steps/audits", since=it.since.isoformat())
    yield Told("unrecorded", "Left the gate unrecorded", says, NUMBER, it.watch.unrecorded, rows)


def _fleet(it: Posture) -> Iterator[Told]:
    rows = _rows("agents", status="in_service")
    yield Told("agents", "Agents", "Agents that are not retired.", NUMBER, it.fleet.agents, rows)
    says = f"Agents that are not retired and whose risk is {_ATTENTION} or more."
    rows = _rows("agents", status="in_service", risk_from=_ATTENTION)
    yield Told("attention", "Need attention", says, NUMBER, it.fleet.attention, rows)
    rows = _rows("posture/steps/privilege")
    says = "A verb at a resource is one permission: those that the policies in force give agents that are not retired."
    yield Told("granted", "Permissions held", says, NUMBER, it.granted, rows)
    says = "Of those, the ones that no action of 30 days used: the least-privilege gap."
    yield Told("unused", "Permissions never used", says, NUMBER, it.unused, rows)


def _gate(it: Posture) -> Iterator[Told]:
    says = "Gateways heard from in the last 15 seconds."
    yield Told("gateways", "Gateways heard", says, NUMBER, it.watch.gates, "")
    says = "Roll-backs of the policies that no second person has looked at."
    yield Told("rollbacks", "Roll-backs to look at", says, NUMBER, it.rollbacks, _rows("policies"))
    says = "Counts of this answer that differ from a recount of the actions themselves."
    yield Told("counts_differing", "Counts that differ", says, NUMBER, it.watch.counts_differing, "")
