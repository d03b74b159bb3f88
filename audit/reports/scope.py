"""What a report is about: everything, or a segment, an agent or a resource; and its holds, actions and incidents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, TextChoices

from activity.models import Action
from agents.models import Agent, Resource, Segment
from approvals.models import Hold
from audit.reports.period import Period
from core.errors import Invalid
from monitoring.models import Incident, Signal


class ScopeKind(TextChoices):
    """How wide."""

    ALL = "all", "Everything"
    SEGMENT = "segment", "A segment"
    AGENT = "agent", "An agent"
    RESOURCE = "resource", "A resource"


_NAMED: Mapping[str, type[Any]] = {
    ScopeKind.SEGMENT: Segment,
    ScopeKind.AGENT: Agent,
    ScopeKind.RESOURCE: Resource,
}
_MOST_ALIKE = 3


@dataclass(frozen=True)
class Scope:
    """`id` and `name` say which one; None and empty for everything."""

    kind: str
    id: UUID | None = None
    name: str = ""

    @property
    def in_words(self) -> str:
        """As a page says it."""
        return "Everything" if self.kind == ScopeKind.ALL else f"{ScopeKind(self.kind).name.capitalize()} {self.name}"


def find(kind: str, name: str) -> Scope:
    """The scope of a kind and a name. Raises Invalid, naming `scope` or `name`."""
    if kind == ScopeKind.ALL:
        return Scope(kind)
    if kind not in _NAMED:
        raise Invalid("scope", "There is no such scope.", f"Use one of: {', '.join(ScopeKind.values)}.")
    word = ScopeKind(kind).name.lower()
    if not name:
        raise Invalid("name", f"Say which {word}.", "Its name is in the lists of the console.")
    named: QuerySet[Any] = _NAMED[kind].objects.order_by("name")
    found = named.filter(name=name).first()
    if found is None:
        raise Invalid("name", f"There is no {word} of that name.", _alike(named, name))
    return Scope(kind, found.pk, name)


def _alike(named: QuerySet[Any], name: str) -> str:
    names = list(named.filter(name__icontains=name[:60]).values_list("name", flat=True)[:_MOST_ALIKE])
    return f"Did you mean {' or '.join(names)}?" if names else "Its name is in the lists of the console."


def actions_of(scope: Scope, period: Period) -> QuerySet[Action]:
    """The actions asked in the period. A segment's are those of its agents, and those at its resources."""
    asked = Action.objects.filter(asked_at__gte=period.since, asked_at__lt=period.until)
    if scope.kind == ScopeKind.AGENT:
        return asked.filter(agent_id=str(scope.id))
    if scope.kind == ScopeKind.RESOURCE:
        return asked.filter(resource_id=str(scope.id))
    if scope.kind == ScopeKind.SEGMENT:
        agents = Agent.objects.filter(segment=scope.id).values("id")
        resources = Resource.objects.filter(segment=scope.id).values("id")
        return asked.filter(Q(agent_id__in=agents) | Q(resource_id__in=resources))
    return asked


def holds_of(scope: Scope, period: Period) -> QuerySet[Hold]:
    """The holds asked in the period, of the same actions as `actions_of`."""
    asked = Hold.objects.filter(asked_at__gte=period.since, asked_at__lt=period.until)
    if scope.kind == ScopeKind.AGENT:
        return asked.filter(agent=scope.id)
    if scope.kind == ScopeKind.RESOURCE:
        return asked.filter(resource=scope.id)
    if scope.kind == ScopeKind.SEGMENT:
        return asked.filter(Q(agent__segment=scope.id) | Q(resource__segment=scope.id))
    return asked


def incidents_of(scope: Scope, period: Period) -> QuerySet[Incident]:
    """The incidents detected in the period; a resource's are those with a signal that came from it."""
    detected = Incident.objects.filter(detected_at__gte=period.since, detected_at__lt=period.until)
    if scope.kind == ScopeKind.AGENT:
        return detected.filter(agent=scope.id)
    if scope.kind == ScopeKind.SEGMENT:
        return detected.filter(agent__segment=scope.id)
    if scope.kind == ScopeKind.RESOURCE:
        return detected.filter(id__in=Signal.objects.filter(resource_id=scope.id).values("incident"))
    return detected
