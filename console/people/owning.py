"""What a person answers for: it stays theirs when their account is closed, and the page says so before."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from accounts.models import User
from agents.models import Agent, Resource

_MOST = 50


@dataclass(frozen=True)
class Owning:
    """Live agents owned, agents stood in for, resources owned; each list holds 50 at most, `agent_count` counts all, `acting` those that act."""

    agents: list[Agent]
    deputised: list[Agent]
    resources: list[Resource]
    agent_count: int
    acting: int

    def __bool__(self) -> bool:
        return bool(self.agents or self.deputised or self.resources)


def owned_by(user: User) -> Owning:
    """What `user` answers for now."""
    live = Agent.objects.exclude(status=Agent.Status.RETIRED).select_related("segment", "deputy").order_by("name")
    owned = live.filter(owner=user)
    return Owning(
        agents=list(owned[:_MOST]),
        deputised=list(live.filter(deputy=user)[:_MOST]),
        resources=list(Resource.objects.filter(owner=user, retired_at=None).order_by("name")[:_MOST]),
        agent_count=owned.count(),
        acting=owned.filter(status=Agent.Status.ACTIVE).count(),
    )


def unanswered_agents(user: User) -> int:
    """How many live agents of `user` have no active deputy: nobody would answer for them."""
    live = Agent.objects.filter(owner=user).exclude(status=Agent.Status.RETIRED)
    return live.filter(Q(deputy=None) | Q(deputy__is_active=False)).count()
