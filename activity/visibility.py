"""Whose sessions and actions a person may see: an agent's people, those who review it or the resource, and those
who answer for the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.objects import reviewable_by
from accounts.queries import READS_EVERYTHING
from activity.models import Action, Session
from agents.models import Agent, Resource


@dataclass(frozen=True)
class Scope:
    """What of the record is a person's to read: all of it, or what these agents did and what was asked of these resources."""

    everything: bool
    agents: frozenset[UUID] = frozenset()
    resources: frozenset[UUID] = frozenset()

    @property
    def matches(self) -> Q:
        """The rows of sessions or actions in it."""
        return Q() if self.everything else Q(agent_id__in=self.agents) | Q(resource_id__in=self.resources)


def scope_of(user: User) -> Scope:
    """What `user` may read."""
    if user.has_role(*READS_EVERYTHING):
        return Scope(everything=True)
    if not user.is_active:
        return Scope(everything=False)
    may = reviewable_by(user)
    mine = Agent.objects.filter(Q(owner=user) | Q(deputy=user)).values_list("id", flat=True)
    reviewed = Resource.objects.filter(Q(segment__in=may.segments) | Q(id__in=may.resources))
    return Scope(
        everything=False, agents=may.agents.union(mine), resources=frozenset(reviewed.values_list("id", flat=True))
    )


def may_read(user: User, agent: Agent, resource: Resource | None = None) -> bool:
    """Whether `user` may read whatever `agent` did; or, where a resource is named, what it did there.

    As `scope_of` has it, of one agent: nothing else is asked for.
    """
    if user.has_role(*READS_EVERYTHING):
        return True
    if not user.is_active:
        return False
    if user.id in {agent.owner_id, agent.deputy_id}:
        return True
    may = reviewable_by(user)
    if agent.id in may.agents:
        return True
    return resource is not None and (resource.id in may.resources or resource.segment_id in may.segments)


def sessions_visible_to(user: User) -> QuerySet[Session]:
    """The sessions that `user` may open."""
    return Session.objects.filter(scope_of(user).matches)


def actions_visible_to(user: User) -> QuerySet[Action]:
    """The actions that `user` may see."""
    return Action.objects.filter(scope_of(user).matches)
