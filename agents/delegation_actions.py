"""Letting an agent act for oneself: a person grants it one resource, for a purpose and a time, and takes it back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of
from accounts.models import Role, User
from agents.actors import agent_subject
from agents.delegation import MOST_VERBS, is_verb
from agents.locking import locked_agent, require_status
from agents.models import Agent, Delegation, Resource
from agents.revision import bump_revision
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

LONGEST = timedelta(days=30)
MAY_END = (Role.ENGINEER, Role.CISO)


def delegate(
    agent_id: UUID,
    *,
    resource: Resource,
    purpose: str,
    life: timedelta,
    actor: User,
    verbs: Collection[str] | None = None,
    passes_on: bool = False,
) -> Delegation:
    """Let an agent act for `actor`: it can get tokens that say so, and policies read for whom. It allows nothing by itself.

    `verbs` None is whatever policy lets the agent do; `passes_on` lets it hand the same, or less, to another agent.
    Raises Invalid, NotFound, Refused for an account that is closed, and AlreadySettled for an agent that is not active.
    """
    if not actor.is_active:
        raise Refused("A closed account lets nobody act for it.")
    _check(resource, purpose, life, verbs)
    with transaction.atomic():
        agent = locked_agent(agent_id)
        require_status(agent, {Agent.Status.ACTIVE})
        now = db_now()
        granted = Delegation.objects.create(
            person=actor, agent=agent, resource=resource, purpose=purpose.strip(), passes_on=passes_on,
            verbs=sorted(verbs) if verbs is not None else None, granted_at=now, expires_at=now + life,
        )  # fmt: skip
        details = {
            "delegation": str(granted.id), "resource": resource.name, "purpose": granted.purpose, "passes_on": passes_on,
            "verbs": granted.verbs, "expires_at": granted.expires_at.isoformat(),
        }  # fmt: skip
        record(Event.DELEGATION_GRANTED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return granted


def end_delegation(delegation_id: UUID, *, actor: User, reason: str) -> Delegation:
    """End a delegation, and every credential that came of it, whichever agent holds it by now: everywhere within a second.

    Whoever granted it may, and whoever contains agents. Twice does nothing. Raises NotFound.
    """
    with transaction.atomic():
        held = Delegation.objects.select_for_update(of=("self",)).select_related("agent", "person")
        found = held.filter(id=delegation_id).first()
        if found is None or not ((found.person_id == actor.id and actor.is_active) or actor.has_role(*MAY_END)):
            raise NotFound("There is no such delegation.")
        if found.ended_at is None:
            end_held(found, actor=actor, reason=reason)
    return found


def end_held(delegation: Delegation, *, actor: User | Actor, reason: str) -> None:
    """End a delegation whose row is held in the caller's transaction, with its credentials and its entry."""
    delegation.ended_at = db_now()
    delegation.save(update_fields=["ended_at"])
    live = delegation.credentials.filter(revoked_at=None, expires_at__gt=delegation.ended_at)
    ended = live.update(revoked_at=delegation.ended_at, revoked_reason="The delegation was ended.")
    details = {"delegation": str(delegation.id), "reason": reason, "credentials": ended}
    record(Event.DELEGATION_ENDED, actor=actor_of(actor), subject=agent_subject(delegation.agent), details=details)
    bump_revision()


def _check(resource: Resource, purpose: str, life: timedelta, verbs: Collection[str] | None) -> None:
    if resource.retired_at is not None:
        raise Invalid("resource", f"{resource.name} is not behind the gate any more.")
    if not purpose.strip():
        raise Invalid("purpose", "A delegation needs a purpose.", "Say in one sentence what it is for.")
    if not timedelta(minutes=1) <= life <= LONGEST:
        raise Invalid("life", f"A delegation lives from a minute to {LONGEST.days} days.")
    if verbs is not None and (not verbs or len(verbs) > MOST_VERBS or not all(map(is_verb, verbs))):
        raise Invalid(
            "verbs", "Verbs are written as sql:select, one at least.", "Leave them out for whatever policy lets it do."
        )
