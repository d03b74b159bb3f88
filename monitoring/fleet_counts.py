"""The fleet in numbers: one query however many agents there are, by segment and risk band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce

from agents.models import Agent, AgentKey
from agents.risk import BANDS
from monitoring.score import Line, Score

ATTENTION_FROM = 4
"""The band from which an agent needs somebody to look."""
# What falls short of a step of zero trust, of agents that are not retired.
NO_ROLE = Q(purpose="") | Q(function="")
NO_KEY = ~Q(id__in=AgentKey.objects.filter(revoked_at=None).values("agent"))
BEARER = Q(scored__bearer=True)
BROAD = Q(scored__granted__gt=2 * F("scored__used"))
UNSCORED = Q(scored__scored_at=None)


@dataclass(frozen=True)
class Cell:
    """The agents of one segment and band: how many, their risks together, what falls short, permissions held and used."""

    segment: str
    band: int
    agents: int
    risk: int
    no_role: int = 0
    no_key: int = 0
    bearer: int = 0
    broad: int = 0
    measured: int = 0
    unscored: int = 0
    granted: int = 0
    used: int = 0


@dataclass(frozen=True)
class Gap:
    """Permissions of a segment's agents: held, used, and what share of the largest segment's those are, in per cent."""

    segment: str
    granted: int
    used: int
    width: float
    filled: float

    @property
    def unused_share(self) -> int:
        """How much was never used, in per cent."""
        return round(100 * (self.granted - self.used) / self.granted)


@dataclass(frozen=True)
class FleetCounts:
    """All cells."""

    cells: tuple[Cell, ...]

    def total(self, name: str) -> int:
        """A number of all cells together."""
        return sum(getattr(cell, name) for cell in self.cells)

    @property
    def agents(self) -> int:
        """How many there are."""
        return self.total("agents")

    @property
    def attention(self) -> int:
        """How many need somebody to look."""
        return sum(cell.agents for cell in self.cells if cell.band >= ATTENTION_FROM)

    @property
    def bands(self) -> list[tuple[int, str, int]]:
        """Band number, its word, how many agents are in it; the quiet first."""
        words = [(number, word) for _, number, word in reversed(BANDS)]
        return [
            (number, word, sum(cell.agents for cell in self.cells if cell.band == number)) for number, word in words
        ]

    @property
    def gaps(self) -> list[Gap]:
        """The least-privilege gap of each segment whose permissions were counted, the widest first."""
        held: dict[str, list[int]] = {}
        for cell in self.cells:
            total = held.setdefault(cell.segment, [0, 0])
            total[0], total[1] = total[0] + cell.granted, total[1] + cell.used
        most = max((granted for granted, _ in held.values()), default=0)
        found = [
            Gap(name, granted, used, 100 * granted / most, 100 * used / most)
            for name, (granted, used) in held.items()
            if granted
        ]
        return sorted(found, key=lambda gap: (gap.used - gap.granted, gap.segment))


def fleet() -> QuerySet[Agent]:
    """The agents that count: all but the retired."""
    return Agent.objects.exclude(status=Agent.Status.RETIRED)


def fleet_counts() -> FleetCounts:
    """Count the fleet as it is now."""
    rows = (
        fleet()
        .values(cell_segment=F("segment__name"), cell_band=_band())
        .annotate(
            agents=Count("id"), sum_of_risk=Sum("risk"), no_role=_those(NO_ROLE), no_key=_those(NO_KEY),
            bearer=_those(BEARER), broad=_those(BROAD), unscored=_those(UNSCORED),
            measured=_those(Q(scored__granted__gt=0)), granted=_sum("scored__granted"), used=_sum("scored__used"),
        )
        .order_by("cell_segment", "cell_band")
    )  # fmt: skip
    return FleetCounts(tuple(_cell({**row}) for row in rows))


def _cell(row: dict[str, Any]) -> Cell:
    return Cell(row.pop("cell_segment"), row.pop("cell_band"), risk=row.pop("sum_of_risk"), **row)


def _band() -> Case:
    return Case(*(When(risk__gte=least, then=Value(number)) for least, number, _ in BANDS))


def _those(matching: Q) -> Count:
    return Count("id", filter=matching)


def _sum(field: str) -> Coalesce:
    return Coalesce(Sum(field), 0)


def riskiest(number: int) -> list[tuple[Agent, Score]]:
    """The riskiest agents with the reasons, worst first."""
    found = fleet().select_related("segment", "scored").order_by("-risk", "name")[:number]
    return [(agent, _score(agent)) for agent in found]


def _score(agent: Agent) -> Score:
    scored = getattr(agent, "scored", None)
    return Score(agent.risk, tuple(Line(**line) for line in scored.lines) if scored else ())
