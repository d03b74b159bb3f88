"""How fast incidents are answered: the figures of a period beside those of the one before, baseline and target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from core import words
from monitoring.models import Incident, Mark
from monitoring.timing import Figure, Marks, Times, figures

LATEST = 4
DOTS = 60
"""Places on the time line; where several incidents fall on one, it shows one that is not resolved, else the worst."""
BANDS = {"low": 2, "medium": 3, "high": 5}


@dataclass(frozen=True)
class Dot:
    """One incident on the time line: where, in per cent of the period, and how bad."""

    id: UUID
    at: float
    band: int
    says: str
    unresolved: bool


@dataclass(frozen=True)
class Answers:
    """MTTD, MTTC and MTTR; the incidents that are not resolved, those of them that wait for a person, the latest."""

    figures: list[Figure]
    detected: int
    unresolved: int
    needing_person: int
    latest: list[Incident]
    dots: list[Dot]


@dataclass(frozen=True)
class _Row:
    id: UUID
    kind: str
    severity: str
    status: str
    agent_id: UUID | None
    withheld_at: datetime | None
    began_at: datetime
    detected_at: datetime
    contained_at: datetime | None
    resolved_at: datetime | None

    @property
    def times(self) -> Times:
        return Times(self.began_at, self.detected_at, self.contained_at, self.resolved_at)

    @property
    def unresolved(self) -> bool:
        return self.status != Incident.Status.RESOLVED

    @property
    def waits(self) -> bool:
        return self.unresolved and self.withheld_at is not None and self.contained_at is None


def marks() -> list[Marks]:
    """What the three means are held against, in their order."""
    kept = {mark.figure: Marks(mark.baseline, mark.target) for mark in Mark.objects.all()}
    return [kept.get(figure, Marks()) for figure in Mark.Figure.values]


def answers_of(since: datetime, now: datetime) -> Answers:
    """The answers between `since` and `now`."""
    before = since - (now - since)
    found = Incident.objects.filter(Q(detected_at__gte=before) | ~Q(status=Incident.Status.RESOLVED))
    rows = [_Row(*row) for row in found.order_by("detected_at").values_list(*_Row.__dataclass_fields__)]
    of_agents = [row.times for row in rows if row.agent_id]
    current = [one for one in of_agents if one.detected >= since]
    earlier = [one for one in of_agents if before <= one.detected < since]
    recent = [row for row in rows if row.detected_at >= since]
    return Answers(
        figures=figures(current, earlier, marks(), since=since, until=now),
        detected=len(recent),
        unresolved=sum(row.unresolved for row in rows),
        needing_person=sum(row.waits for row in rows),
        latest=list(Incident.objects.select_related("agent")[:LATEST]),
        dots=_dots(recent, since, now),
    )


def _dots(rows: list[_Row], since: datetime, now: datetime) -> list[Dot]:
    """One for each place of the time line on which incidents fall."""
    found: dict[int, Dot] = {}
    for dot in (_dot(row, since, now) for row in rows):
        place = int(dot.at * DOTS / 100)
        shown = found.get(place)
        if shown is None or (dot.unresolved, dot.band) >= (shown.unresolved, shown.band):
            found[place] = dot
    return list(found.values())


def _dot(row: _Row, since: datetime, now: datetime) -> Dot:
    share = 100 * ((row.detected_at - since) / (now - since))
    says = f"{Incident.Kind(row.kind).label}, {words.moment(row.detected_at, now)}"
    return Dot(row.id, min(100.0, round(share, 2)), BANDS[row.severity], says, row.unresolved)
