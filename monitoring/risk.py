"""An agent's risk as an explained sum over its last seven days, from facts that are counted, not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q
from django.utils import timezone

from activity.models import Action
from agents.models import Agent
from approvals.models import Hold

WINDOW = timedelta(days=7)
_MOST_LINES = 6
_COUNTED: Final = ("actions", "denied", "writes", "tagged", "off_hours", "uncertain")
_WRITES = ("delete", "update", "insert", "merge", "truncate", "copy_in", "ddl", "grant", "call")


@dataclass(frozen=True)
class Line:
    """One reason and its points."""

    because: str
    points: int


@dataclass(frozen=True)
class Sum:
    """A score from 0 to 100 and the lines that add up to it."""

    score: int
    lines: tuple[Line, ...]

    @property
    def reasons(self) -> str:
        """The strongest two reasons in a row of a list."""
        return "; ".join(line.because for line in self.lines[:2]) or "Nothing raises it"


@dataclass(frozen=True)
class Week:
    """What an agent did in the window."""

    denied: int = 0
    denied_by_people: int = 0
    writes: int = 0
    tagged: int = 0
    off_hours: int = 0
    uncertain: int = 0
    actions: int = 0


def agent_sum(agent: Agent) -> Sum:
    """The sum for one agent, now."""
    return sums([agent], timezone.now())[agent.name]


def sums(agents: list[Agent], now: datetime) -> dict[str, Sum]:
    """The sums of `agents`, by name; two queries however many."""
    weeks = _weeks(now - WINDOW)
    overruled = _denied_by_people(now - WINDOW)
    return {agent.name: score(agent, weeks.get(agent.id, {}), overruled.get(agent.id, 0)) for agent in agents}


def score(agent: Agent, week: dict[str, int], denied_by_people: int) -> Sum:
    """Add up what is known of one agent; at most six lines."""
    lines = sorted(_lines(agent, Week(**week, denied_by_people=denied_by_people)), key=lambda line: -line.points)
    kept, over = lines[:_MOST_LINES], sum(line.points for line in lines[:_MOST_LINES]) - 100
    if over > 0:
        kept[-1] = Line(f"{kept[-1].because}, kept within 100", kept[-1].points - over)
    return Sum(sum(line.points for line in kept), tuple(kept))


def _lines(agent: Agent, week: Week) -> Iterator[Line]:
    if agent.environment == "production":
        yield Line("Works in production", 10)
    if week.denied:
        yield Line(
            f"{week.denied} {'action' if week.denied == 1 else 'actions'} denied in 7 days", min(30, 6 * week.denied)
        )
    if week.denied_by_people:
        yield Line(f"{week.denied_by_people} denied by people", min(24, 12 * week.denied_by_people))
    if week.writes:
        yield Line(f"Writes: {week.writes} in 7 days", min(16, 8 + week.writes))
    if week.tagged:
        yield Line("Touches tagged columns", 8)
    if week.uncertain:
        yield Line(f"{week.uncertain} with an unknown outcome", 12)
    if week.off_hours and week.off_hours * 4 > week.actions:
        yield Line("Works outside 06 to 20 h (UTC)", 6)
    if week.actions:
        yield Line("Uses bearer tokens", 6)


def _weeks(since: datetime) -> dict[object, dict[str, int]]:
    night = Q(asked_at__hour__lt=6) | Q(asked_at__hour__gte=20)
    writes = Q(verb__in=[*_WRITES, *(f"sql:{verb}" for verb in _WRITES)]) & ~Q(decision="deny")
    counted = (
        Action.objects.filter(asked_at__gte=since)
        .values("agent_id")
        .annotate(
            actions=Count("id"),
            denied=Count("id", filter=Q(decision="deny")),
            writes=Count("id", filter=writes),
            tagged=Count("id", filter=~Q(tags=[])),
            off_hours=Count("id", filter=night),
            uncertain=Count("id", filter=Q(status="uncertain")),
        )
    )
    return {row["agent_id"]: {name: row[name] for name in _COUNTED} for row in counted.order_by()}


def _denied_by_people(since: datetime) -> dict[object, int]:
    denied = Hold.objects.filter(status=Hold.Status.DENIED, settled_at__gte=since).values("agent_id")
    return {row["agent_id"]: row["n"] for row in denied.annotate(n=Count("id")).order_by()}
