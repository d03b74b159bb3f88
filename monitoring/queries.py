"""Reads of incidents, signals and scores. `visible_*` are what a person may see; everything shown starts from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from accounts.models import User
from accounts.queries import READS_EVERYTHING
from agents.models import Agent
from agents.queries import visible_agents
from monitoring.models import AgentScore, Cursor, Incident, Signal
from monitoring.score import Line, Score
from monitoring.timing import Times

A_PAGE = 50
_NOTHING = Score(0, ())


@dataclass(frozen=True)
class Page:
    """Some rows, and the key from which the next page starts; empty on the last."""

    rows: list[Any]
    more: str


@dataclass(frozen=True)
class Lag:
    """How far the detector is behind: entries it has not read, and how long ago it was heard of (None: never)."""

    entries: int
    silent: timedelta | None


@dataclass(frozen=True)
class Held:
    """Permissions held and used, over all agents; how many of those were measured, are `broad` (used less than half of
    theirs), and have a score.
    """

    granted: int
    used: int
    measured: int
    broad: int
    scored: int

    @property
    def unused(self) -> int:
        """Permissions that were never used."""
        return self.granted - self.used


def visible_incidents(user: User) -> QuerySet[Incident]:
    """All for those who answer for the whole; for others those of agents that they own or stand in for."""
    incidents = Incident.objects.select_related("agent__owner", "agent__deputy", "assignee", "acknowledged_by")
    if user.has_role(*READS_EVERYTHING):
        return incidents
    return incidents.filter(Q(agent__owner=user) | Q(agent__deputy=user)) if user.is_active else incidents.none()


def visible_signals(user: User) -> QuerySet[Signal]:
    """All for those who answer for the whole; for others those of agents that they may see."""
    signals = Signal.objects.select_related("agent")
    if user.has_role(*READS_EVERYTHING):
        return signals
    return signals.filter(agent__in=visible_agents(user).values("id"))


def unanswered(user: User) -> int:
    """How many incidents that `user` may see nobody has acknowledged."""
    return visible_incidents(user).filter(status=Incident.Status.OPEN).count()


def incidents_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The incidents that `user` may see, newest first, filtered; `after` is the key that a page gave."""
    found = visible_incidents(user).filter(_matching(asked))
    rows = list(_after(found, "detected_at", after)[: A_PAGE + 1])
    return Page(rows[:A_PAGE], _key(rows, "detected_at"))


def _matching(asked: Mapping[str, str]) -> Q:
    """What the filters ask for; an unknown value matches nothing rather than everything."""
    matching = Q(kind=asked["kind"]) if asked.get("kind") else Q()
    if asked.get("severity"):
        matching &= Q(severity=asked["severity"])
    if asked.get("status") == "unresolved":
        matching &= ~Q(status=Incident.Status.RESOLVED)
    elif asked.get("status"):
        matching &= Q(status=asked["status"])
    if asked.get("q"):
        matching &= Q(agent__name__icontains=asked["q"]) | Q(source__startswith=asked["q"])
    return matching


def signals_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The signals that `user` may see, newest first, filtered by agent, kind and address."""
    found = visible_signals(user)
    found = found.filter(agent__name=asked["agent"]) if asked.get("agent") else found
    found = found.filter(kind=asked["kind"]) if asked.get("kind") else found
    found = found.filter(source__startswith=asked["source"]) if asked.get("source") else found
    rows = list(_after(found, "at", after)[: A_PAGE + 1])
    return Page(rows[:A_PAGE], _key(rows, "at"))


def _after(found: QuerySet[Any], field: str, key: str) -> QuerySet[Any]:
    """Those behind the key, newest first; all of them where it is none, for a key is only a place."""
    found = found.order_by(f"-{field}", "-id")
    moment, _, last = key.partition("_")
    try:
        at, identifier = datetime.fromisoformat(moment), UUID(last)
    except ValueError:
        return found
    if at.tzinfo is None:
        return found
    return found.filter(Q(**{f"{field}__lt": at}) | Q(**{field: at, "id__lt": identifier}))


def _key(rows: list[Any], field: str) -> str:
    last = rows[A_PAGE - 1] if len(rows) > A_PAGE else None
    return f"{getattr(last, field).isoformat()}_{last.id}" if last else ""


def scores_of(agents: Iterable[Agent]) -> dict[UUID, Score]:
    """The explained risks of `agents` as they were last added up, by identifier; one query however many."""
    found = AgentScore.objects.filter(agent__in=[agent.id for agent in agents]).values_list(
        "agent_id", "score", "lines"
    )
    return {agent: Score(score, tuple(Line(**line) for line in lines)) for agent, score, lines in found}


def score_of(agent: Agent) -> Score:
    """The explained risk of one agent; nothing raises it before it was first added up."""
    return scores_of([agent]).get(agent.id, _NOTHING)


def times_of(since: datetime, until: datetime) -> list[Times]:
    """The times of the incidents of agents that were detected in a period."""
    found = Incident.objects.filter(detected_at__gte=since, detected_at__lt=until, agent__isnull=False)
    columns = found.values_list("began_at", "detected_at", "contained_at", "resolved_at")
    return [Times(*row) for row in columns]


def lag(size: int, now: datetime) -> Lag:
    """How far the detector is behind a log of `size` entries."""
    cursor = Cursor.objects.get(id=Cursor.DETECTOR)
    return Lag(max(0, size - cursor.next), now - cursor.beat_at if cursor.beat_at else None)


def held() -> Held:
    """The permissions that agents hold, of those that are not retired."""
    rows = AgentScore.objects.exclude(agent__status=Agent.Status.RETIRED)
    counted = rows.aggregate(
        measured=Count("agent", filter=Q(granted__gt=0)),
        broad=Count("agent", filter=Q(granted__gt=2 * F("used"))),
        scored=Count("agent", filter=Q(scored_at__isnull=False)),
        # Last: from here on these names mean the sums.
        granted=Coalesce(Sum("granted"), 0),
        used=Coalesce(Sum("used"), 0),
    )
    return Held(**counted)
