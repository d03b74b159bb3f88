"""Whose sessions and actions a person may see: an agent's people, those who review it or the resource, and those
who answer for the whole.
"""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.models import User
from accounts.objects import reviewable_by
from accounts.queries import READS_EVERYTHING
from activity.models import Action, Session
from agents.models import Agent, Resource


def sessions_visible_to(user: User) -> QuerySet[Session]:
    """The sessions that `user` may open."""
    return Session.objects.all() if _reads_everything(user) else Session.objects.filter(_concerns(user))


def actions_visible_to(user: User) -> QuerySet[Action]:
    """The actions that `user` may see."""
    return Action.objects.all() if _reads_everything(user) else Action.objects.filter(_concerns(user))


def _reads_everything(user: User) -> bool:
    return user.has_role(*READS_EVERYTHING)


def _concerns(user: User) -> Q:
    if not user.is_active:
        return Q(pk__in=[])
    mine = Agent.objects.filter(Q(owner=user) | Q(deputy=user)).values("id")
    may = reviewable_by(user)
    reviewed = Resource.objects.filter(Q(segment__in=may.segments) | Q(id__in=may.resources)).values("id")
    return Q(agent_id__in=mine) | Q(agent_id__in=may.agents) | Q(resource_id__in=reviewed)
