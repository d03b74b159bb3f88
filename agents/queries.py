"""Reads about the inventory. `visible_*` are what a person may see; everything shown starts from them."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Role, User
from accounts.objects import Reviewable, reviewable_by
from accounts.queries import READS_EVERYTHING
from agents.locking import MAY_ACTIVATE, MAY_REINSTATE
from agents.models import Agent, Credential, Delegation, Halt, Reinstatement, Resource, Segment


def visible_agents(user: User) -> QuerySet[Agent]:
    """All for those who answer for the whole; an owner's own; for a reviewer those they review, or who came to what they do."""
    agents = Agent.objects.select_related("segment", "owner", "deputy")
    if user.has_role(*READS_EVERYTHING):
        return agents
    may = reviewable_by(user)
    came = Credential.objects.filter(_reviewed(may, "resource__"), agent=OuterRef("pk"))
    return agents.filter(_own(user) | Q(segment__in=may.segments) | Q(id__in=may.agents) | Exists(came))


def visible_reinstatements(user: User) -> QuerySet[Reinstatement]:
    """What was asked for the agents that `user` may see, newest first."""
    asked = Reinstatement.objects.select_related("agent__owner", "agent__deputy", "asked_by", "answered_by")
    return asked.filter(agent__in=visible_agents(user).values("id"))


def reinstatements_for(user: User) -> QuerySet[Reinstatement]:
    """Those that wait and that `user` may confirm: not asked by them, for agents that others answer for."""
    roles = {Agent.Status.SUSPENDED: MAY_REINSTATE, Agent.Status.PROPOSED: MAY_ACTIVATE}
    theirs = [status for status, may in roles.items() if user.has_role(*may)]
    waiting = visible_reinstatements(user).filter(status=Reinstatement.Status.WAITING, agent__status__in=theirs)
    mine = Q(asked_by__person=user.person) | Q(agent__owner__person=user.person) | Q(agent__deputy__person=user.person)
    return waiting.exclude(mine | Q(agent__status=Agent.Status.PROPOSED, agent__enroller__person=user.person))


def visible_segments(user: User) -> QuerySet[Segment]:
    """The segments with something in them that `user` may see."""
    segments = Segment.objects.select_related("unmark_asked_by")
    if user.has_role(*READS_EVERYTHING):
        return segments
    mine = Agent.objects.filter(_own(user)).values("segment")
    may = reviewable_by(user)
    reviewed = Resource.objects.filter(id__in=may.resources).values("segment")
    asked = Agent.objects.filter(id__in=may.agents).values("segment")
    return segments.filter(Q(id__in=may.segments) | Q(id__in=mine) | Q(id__in=reviewed) | Q(id__in=asked))


def visible_resources(user: User) -> QuerySet[Resource]:
    """The resources that `user` reviews, by their segment or by themselves, and those they own."""
    resources = Resource.objects.select_related("segment", "owner")
    if user.has_role(*READS_EVERYTHING):
        return resources
    owned = Q(owner=user) if user.has_role(Role.OWNER) else Q(pk=None)
    return resources.filter(owned | _reviewed(reviewable_by(user)))


def visible_credentials(user: User) -> QuerySet[Credential]:
    """The credentials of one's own agents, and those for resources that one reviews."""
    credentials = Credential.objects.select_related("agent", "resource")
    if user.has_role(*READS_EVERYTHING):
        return credentials
    own = Agent.objects.filter(_own(user)).values("id")
    may = reviewable_by(user)
    return credentials.filter(Q(agent__in=own) | Q(agent__in=may.agents) | _reviewed(may, "resource__"))


def visible_delegations(user: User) -> QuerySet[Delegation]:
    """One's own; everybody's for those who read everything."""
    delegations = Delegation.objects.select_related("person", "agent", "resource")
    return delegations if user.has_role(*READS_EVERYTHING) else delegations.filter(person=user)


def visible_halts(user: User) -> QuerySet[Halt]:
    """Every stop of everything, newest first, for those who read everything."""
    halts = Halt.objects.select_related("halted_by", "asked_by", "lifted_by")
    return halts if user.has_role(*READS_EVERYTHING) else halts.none()


def _reviewed(may: Reviewable, path: str = "") -> Q:
    """Resources that one reviews, by their segment or by themselves; `path` leads to them."""
    return Q(**{f"{path}segment__in": may.segments}) | Q(**{f"{path}id__in": may.resources})


def _own(user: User) -> Q:
    """Agents that `user` answers for: it takes no role to see what one is responsible for."""
    return Q(owner=user) | Q(deputy=user) if user.is_active else Q(pk=None)
