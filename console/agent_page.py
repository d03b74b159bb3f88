"""One agent with all that concerns it: identity, credentials, holds, sessions, actions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, When
from django.http import Http404
from django.utils import timezone

from accounts.models import User
from activity.models import Action, Session
from activity.visibility import actions_visible_to, may_read, sessions_visible_to
from agents.history import Change, history_of
from agents.models import Agent, AgentKey, Credential, Reinstatement, Resource
from agents.queries import visible_agents, visible_credentials, visible_resources
from agents.reinstating_actions import STOPPED
from approvals.models import Hold
from approvals.queries import visible_to
from monitoring.counts import week_of, week_since
from monitoring.models import Incident
from monitoring.queries import score_of, visible_incidents
from monitoring.score import Score


@dataclass(frozen=True)
class AgentPage:
    """What the page shows; lists are short, with the record one link away."""

    agent: Agent
    keys: list[AgentKey]
    credentials: list[Credential]
    holds: list[Hold]
    sessions: list[Session]
    actions: list[Action]
    week: dict[str, int]
    week_since: datetime
    risk: Score
    incidents: list[Incident]
    changes: list[Change]
    waiting: Reinstatement | None
    review_due: bool
    connects_to: str
    """What the commands name that an agent is shown which has done nothing yet; empty for others."""


def agent_page(name: str, user: User) -> AgentPage:
    """The agent for `user`. Raises Http404 for one that they may not see."""
    agent = visible_agents(user).select_related("enroller", "scored").filter(name=name).first()
    if agent is None:
        raise Http404
    everything = may_read(user, agent)
    sessions = Session.objects.all() if everything else sessions_visible_to(user)
    actions = Action.objects.all() if everything else actions_visible_to(user)
    done = list(actions.filter(agent_id=agent.id)[:10])
    return AgentPage(
        agent=agent,
        keys=list(agent.keys.order_by("-added_at")),
        credentials=list(visible_credentials(user).filter(agent=agent).order_by("-issued_at")[:6]),
        holds=list(visible_to(user).filter(agent=agent).select_related("resource").order_by("-asked_at")[:6]),
        sessions=list(sessions.filter(agent_id=agent.id)[:6]),
        actions=done,
        week=week_of(agent.id, timezone.now()),
        week_since=week_since(timezone.now()),
        risk=score_of(agent),
        incidents=list(visible_incidents(user).filter(agent=agent)[:5]),
        changes=history_of(agent.id),
        review_due=bool(agent.review_by and agent.review_by <= timezone.now().date()),
        connects_to="" if done else _database_for(agent, user),
        waiting=_waiting(agent) if agent.status in STOPPED else None,
    )


def _waiting(agent: Agent) -> Reinstatement | None:
    """What was asked and waits for a second person: only for one that does not act."""
    waiting = agent.reinstatements.filter(status=Reinstatement.Status.WAITING)
    return waiting.select_related("asked_by").first()


def _database_for(agent: Agent, user: User) -> str:
    """A database for the commands that are shown: one of the agent's segment that `user` may see, else another, else a word for one."""
    live = visible_resources(user).filter(kind=Resource.Kind.POSTGRES, retired_at=None)
    far = Case(When(segment=agent.segment_id, then=0), default=1)
    return live.order_by(far, "name").values_list("name", flat=True).first() or "RESOURCE"
