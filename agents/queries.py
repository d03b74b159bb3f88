"""Reads about the inventory. `visible_*` are what a person may see; everything shown starts from them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Role, User
from accounts.objects import segments_reviewable_by
from accounts.queries import READS_EVERYTHING
from agents.models import Agent, Credential, Resource, Segment


def visible_agents(user: User) -> QuerySet[Agent]:
    """All for those who answer for the whole; an owner's own; for a reviewer those who came to a segment they review."""
    agents = Agent.objects.select_related("segment", "owner", "deputy")
    if user.has_role(*READS_EVERYTHING):
        return agents
    segments = segments_reviewable_by(user)
    came = Credential.objects.filter(agent=OuterRef("pk"), resource__segment__in=segments)
    return agents.filter(_own(user) | Q(segment__in=segments) | Exists(came))


def visible_segments(user: User) -> QuerySet[Segment]:
    """The segments with something in them that `user` may see."""
    if user.has_role(*READS_EVERYTHING):
        return Segment.objects.all()
    mine = Agent.objects.filter(_own(user)).values("segment")
    return Segment.objects.filter(Q(id__in=segments_reviewable_by(user)) | Q(id__in=mine))


def visible_resources(user: User) -> QuerySet[Resource]:
    """The resources of segments that `user` reviews, and those they own."""
    resources = Resource.objects.select_related("segment", "owner")
    if user.has_role(*READS_EVERYTHING):
        return resources
    owned = Q(owner=user) if user.has_role(Role.OWNER) else Q(pk=None)
    return resources.filter(owned | Q(segment__in=segments_reviewable_by(user)))


def visible_credentials(user: User) -> QuerySet[Credential]:
    """The credentials of one's own agents, and those for resources that one reviews."""
    credentials = Credential.objects.select_related("agent", "resource")
    if user.has_role(*READS_EVERYTHING):
        return credentials
    own = Agent.objects.filter(_own(user)).values("id")
    return credentials.filter(Q(agent__in=own) | Q(resource__segment__in=segments_reviewable_by(user)))


def _own(user: User) -> Q:
    """Agents that `user` answers for: it takes no role to see what one is responsible for."""
    return Q(owner=user) | Q(deputy=user) if user.is_active else Q(pk=None)
