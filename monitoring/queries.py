"""Reads of incidents, signals and scores. `visible_*` are what a person may see; everything shown starts from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.db.models.lookups import StartsWith

from accounts.models import User
from accounts.queries import READS_EVERYTHING
from agents.models import Agent
from agents.queries import visible_agents
from core.keyset import Page, page_of
from monitoring.models import AgentScore, Incident, Signal
from monitoring.score import Line, Score

_NOTHING = Score(0, ())


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


def from_address(beginning: str) -> Q:
    """Of an address that begins like this; compared as text, because the beginning of an address is none."""
    return Q(StartsWith(Cast("source", TextField()), beginning))


def signals_page(user: User, asked: Mapping[str, str], after: str) -> Page:
    """The signals that `user` may see, newest first, filtered by agent, kind and address."""
    found = visible_signals(user)
    found = found.filter(agent__name=asked["agent"]) if asked.get("agent") else found
    found = found.filter(kind=asked["kind"]) if asked.get("kind") else found
    found = found.filter(from_address(asked["source"])) if asked.get("source") else found
    return page_of(found, "at", after)


def scores_of(agents: Iterable[Agent]) -> dict[UUID, Score]:
    """The explained risks of `agents` as they were last added up, by identifier; one query however many."""
    found = AgentScore.objects.filter(agent__in=[agent.id for agent in agents]).values_list(
        "agent_id", "score", "lines"
    )
    return {agent: Score(score, tuple(Line(**line) for line in lines)) for agent, score, lines in found}


def score_of(agent: Agent) -> Score:
    """The explained risk of one agent, which may come with its `scored`; nothing raises it before it was first added up."""
    kept: AgentScore | None = getattr(agent, "scored", None)
    return Score(kept.score, tuple(Line(**line) for line in kept.lines)) if kept else _NOTHING
