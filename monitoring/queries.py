"""Reads of incidents, signals and scores. `visible_*` are what a person may see; everything shown starts from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.queries import READS_EVERYTHING
from agents.models import Agent
from agents.queries import visible_agents
from monitoring.models import AgentScore, Incident, Signal
from monitoring.score import Line, Score

A_PAGE = 50
_NOTHING = Score(0, ())
_COUNTED: Mapping[str, Q] = {
    "detect": Q(agent__isnull=False),
    "contain": Q(agent__isnull=False, contained_at__isnull=False),
    "resolve": Q(agent__isnull=False, resolved_at__isnull=False),
}
"""What each mean of the posture page is over."""


@dataclass(frozen=True)
class Page:
    """Some rows, and the key from which the next page starts; empty on the last."""

    rows: list[Any]
    more: str


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
    return page_of(found, "detected_at", after)


def page_of(found: QuerySet[Any], field: str, after: str) -> Page:
    """A page of rows, newest first by `field`, from the key `after` on."""
    rows = list(_after(found, field, after)[: A_PAGE + 1])
    return Page(rows[:A_PAGE], _key(rows, field))


def _matching(asked: Mapping[str, str]) -> Q:
    """What the filters ask for; an unknown value matches nothing rather than everything."""
    matching = Q(kind=asked["kind"]) if asked.get("kind") else Q()
    if asked.get("severity"):
        matching &= Q(severity=asked["severity"])
    if asked.get("status") == "unresolved":
        matching &= ~Q(status=Incident.Status.RESOLVED)
    elif asked.get("status"):
        matching &= Q(status=asked["status"])
    matching &= _COUNTED.get(asked["counted"], Q(pk=None)) if asked.get("counted") else Q()
    matching &= _within(asked)
    if asked.get("q"):
        matching &= Q(agent__name__icontains=asked["q"]) | Q(source__startswith=asked["q"])
    return matching


def _within(asked: Mapping[str, str]) -> Q:
    """Detected between two moments; what is no moment bounds nothing."""
    matching = Q()
    for name, field in (("since", "detected_at__gte"), ("until", "detected_at__lt")):
        with suppress(ValueError):
            moment = datetime.fromisoformat(asked.get(name, ""))
            matching &= Q(**{field: moment if moment.tzinfo else moment.replace(tzinfo=UTC)})
    return matching


def signals_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The signals that `user` may see, newest first, filtered by agent, kind and address."""
    found = visible_signals(user)
    found = found.filter(agent__name=asked["agent"]) if asked.get("agent") else found
    found = found.filter(kind=asked["kind"]) if asked.get("kind") else found
    found = found.filter(source__startswith=asked["source"]) if asked.get("source") else found
    return page_of(found, "at", after)


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
