"""Which groups review what is asked in a segment, of a resource, or by an agent. Each change leaves its entry."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from accounts.objects import grant_review, withdraw_review
from agents.actors import agent_subject, resource_subject, segment_subject
from agents.models import Agent, Resource, Segment
from core.errors import Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

Target = Segment | Resource | Agent


def let_review(group: Group, target: Target, *, actor: User | Actor) -> None:
    """Let the members of `group` review what concerns `target`. Twice does nothing.

    Raises Refused when not an administrator, and for a group of the administrator's own.
    """
    with transaction.atomic():
        _require_other(group, actor)
        if grant_review(group, target):
            _record(group, target, "may review", actor)


def stop_review(group: Group, target: Target, *, actor: User | Actor) -> None:
    """End what `let_review` began, for what waits too. Twice does nothing. Raises Refused."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        if withdraw_review(group, target):
            _record(group, target, "may review no longer", actor)


def _require_other(group: Group, actor: User | Actor) -> None:
    require_role(actor, Role.ADMINISTRATOR)
    if isinstance(actor, User) and group.memberships.filter(user__person=actor.person).exists():
        raise Refused(
            "Nobody widens what a group of their own reviews.", "Ask another administrator.", code="own_group"
        )


def _record(group: Group, target: Target, change: str, actor: User | Actor) -> None:
    event, subject = _entry_of(target)
    record(event, actor=actor_of(actor), subject=subject, details={"change": change, "group": group.name})


def _entry_of(target: Target) -> tuple[Event, Subject]:
    if isinstance(target, Segment):
        return Event.SEGMENT_CHANGED, segment_subject(target)
    if isinstance(target, Resource):
        return Event.RESOURCE_CHANGED, resource_subject(target)
    return Event.AGENT_CHANGED, agent_subject(target)
