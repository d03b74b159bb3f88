"""Every change to agents, their keys and their credentials. Each leaves its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents import keys, naming
from agents.actors import agent_subject, credential_subject
from agents.models import Agent, AgentKey, Credential, Segment
from agents.resource_actions import (
    add_resource,
    change_resource,
    confirm_tag,
    create_segment,
    store_secret,
)
from agents.review_actions import let_review, stop_review
from agents.revision import bump_revision
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

__all__ = [
    "add_key",
    "add_resource",
    "bump_revision",
    "change_resource",
    "confirm_tag",
    "create_segment",
    "enrol",
    "let_review",
    "reinstate",
    "retire",
    "revoke_credential",
    "revoke_key",
    "set_risk",
    "stop_review",
    "store_secret",
    "suspend",
]

MAY_CONTAIN = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)


def enrol(
    name: str,
    *,
    purpose: str,
    segment: Segment,
    owner: User,
    deputy: User | None = None,
    public_jwk: Mapping[str, Any],
    actor: User,
) -> Agent:
    """Register an agent, active from now on. Raises Refused (not a platform engineer) and Invalid."""
    require_role(actor, Role.ENGINEER)
    parsed = naming.parse(name)
    key = keys.public_key(public_jwk)
    _require_answerable(owner, deputy, purpose)
    agent = Agent(
        name=name, function=parsed.function, environment=parsed.environment, instance=parsed.instance,
        purpose=purpose, segment=segment, owner=owner, deputy=deputy, enroller=actor, status=Agent.Status.ACTIVE,
    )  # fmt: skip
    try:
        with transaction.atomic():
            agent.save(force_insert=True)
            stored = _store_key(agent, key)
            details = {"owner": str(owner.id), "purpose": purpose, "segment": segment.name, "kid": stored.kid}
            record(Event.AGENT_ENROLLED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"The name {name} or its key is taken, now or formerly.", "Choose another.") from None
    return agent


def add_key(agent_id: UUID, *, public_jwk: Mapping[str, Any], actor: User) -> AgentKey:
    """Register one more public key of an agent, for a change of keys. Raises Refused, Invalid, NotFound."""
    require_role(actor, Role.ENGINEER)
    key = keys.public_key(public_jwk)
    try:
        with transaction.atomic():
            agent = _locked(agent_id)
            stored = _store_key(agent, key)
            record(Event.KEY_ADDED, actor=actor_of(actor), subject=agent_subject(agent), details={"kid": stored.kid})
    except IntegrityError:
        raise Invalid("key", "This key is registered already.", "Every agent has keys of its own.") from None
    return stored


def revoke_key(key_id: UUID, *, actor: User | Actor, reason: str) -> AgentKey:
    """End a key, and every credential that was issued for it."""
    require_role(actor, *MAY_CONTAIN)
    with transaction.atomic():
        key = AgentKey.objects.select_for_update(of=("self",)).select_related("agent").get(id=key_id)
        if key.revoked_at is None:
            key.revoked_at = db_now()
            key.save(update_fields=["revoked_at"])
            live = key.credentials.filter(revoked_at=None, expires_at__gt=key.revoked_at)
            ended = live.update(revoked_at=key.revoked_at, revoked_reason=reason)
            details = {"kid": key.kid, "reason": reason, "credentials": ended}
            record(Event.KEY_REVOKED, actor=actor_of(actor), subject=agent_subject(key.agent), details=details)
            bump_revision()
    return key


def suspend(agent_id: UUID, *, actor: User | Actor, reason: str) -> Agent:
    """Stop an agent: from now on it gets no credential, and no action of its is released.

    Raises Refused, NotFound, and AlreadySettled when it is not active.
    """
    with transaction.atomic():
        agent = _locked(agent_id)
        _require_may_stop(agent, actor)
        _move(agent, {Agent.Status.ACTIVE}, Agent.Status.SUSPENDED, reason)
        now = db_now()
        live = agent.credentials.filter(revoked_at=None, expires_at__gt=now)
        ended = live.update(revoked_at=now, revoked_reason="Agent suspended.")
        details = {"reason": reason, "credentials": ended}
        record(Event.AGENT_SUSPENDED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def reinstate(agent_id: UUID, *, actor: User, reason: str) -> Agent:
    """Let a suspended agent act again, with new credentials. Raises Refused for its owner and deputy."""
    require_role(actor, Role.ENGINEER, Role.CISO)
    with transaction.atomic():
        agent = _locked(agent_id)
        if actor.person in _answerable(agent):
            raise Refused("Nobody reinstates their own agent.", "Ask another platform engineer.", code="own_agent")
        _move(agent, {Agent.Status.SUSPENDED}, Agent.Status.ACTIVE, reason)
        record(Event.AGENT_REINSTATED, actor=actor_of(actor), subject=agent_subject(agent), details={"reason": reason})
        bump_revision()
    return agent


def retire(agent_id: UUID, *, actor: User, reason: str) -> Agent:
    """End an agent for good. Its name is never used again."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        agent = _locked(agent_id)
        _move(agent, {Agent.Status.ACTIVE, Agent.Status.SUSPENDED, Agent.Status.PROPOSED}, Agent.Status.RETIRED, reason)
        now = db_now()
        agent.credentials.filter(revoked_at=None, expires_at__gt=now).update(
            revoked_at=now, revoked_reason="Agent retired."
        )
        details = {"status": Agent.Status.RETIRED.value, "reason": reason}
        record(Event.AGENT_CHANGED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def set_risk(agent_id: UUID, risk: int, *, because: list[str], actor: Actor) -> Agent:
    """Set an agent's risk, 0 to 100, with the reasons. Leaves an entry only where it changed; nothing decides by it yet."""
    with transaction.atomic():
        agent = _locked(agent_id)
        if agent.risk != risk:
            details = {"risk": {"before": agent.risk, "after": risk}, "because": because}
            agent.risk = risk
            agent.save(update_fields=["risk"])
            record(Event.AGENT_CHANGED, actor=actor, subject=agent_subject(agent), details=details)
    return agent


def revoke_credential(credential_id: UUID, *, actor: User | Actor, reason: str) -> Credential:
    """End a credential before its time: every gateway drops it, and what runs under it, within a second.

    Twice does nothing. Raises Refused and NotFound.
    """
    with transaction.atomic():
        held = Credential.objects.select_for_update(of=("self",)).select_related("agent__owner", "agent__deputy")
        credential = held.filter(id=credential_id).first()
        if credential is None:
            raise NotFound("There is no such credential.")
        _require_may_stop(credential.agent, actor)
        if credential.revoked_at is None:
            credential.revoked_at, credential.revoked_reason = db_now(), reason
            credential.save(update_fields=["revoked_at", "revoked_reason"])
            subject = credential_subject(credential)
            record(Event.CREDENTIAL_REVOKED, actor=actor_of(actor), subject=subject, details={"reason": reason})
            bump_revision()
    return credential


def _locked(agent_id: UUID) -> Agent:
    held = Agent.objects.select_for_update(of=("self",)).select_related("owner", "deputy", "enroller", "segment")
    agent = held.filter(id=agent_id).first()
    if agent is None:
        raise NotFound("There is no such agent.")
    return agent


def _move(agent: Agent, allowed: set[Agent.Status], to: Agent.Status, reason: str) -> None:
    if agent.status not in allowed:
        raise AlreadySettled(f"{agent.name} is {agent.get_status_display().lower()}.")
    agent.status, agent.status_reason = to, reason
    agent.save(update_fields=["status", "status_reason"])


def _store_key(agent: Agent, key: keys.Key) -> AgentKey:
    jwk = keys.public_jwk(key)
    return AgentKey.objects.create(agent=agent, kid=jwk["kid"], algorithm=jwk["alg"], public_jwk=jwk)


def _answerable(agent: Agent) -> set[UUID]:
    return {agent.owner.person} | ({agent.deputy.person} if agent.deputy else set())


def _require_may_stop(agent: Agent, actor: User | Actor) -> None:
    """Whoever answers for an agent may stop it, and so may those who contain."""
    if isinstance(actor, User) and actor.is_active and actor.person in _answerable(agent):
        return
    require_role(actor, *MAY_CONTAIN)


def _require_answerable(owner: User, deputy: User | None, purpose: str) -> None:
    if not owner.is_active or (deputy is not None and not deputy.is_active):
        raise Invalid("owner", "Whoever answers for an agent must have an active account.")
    if deputy is not None and deputy.person == owner.person:
        raise Invalid("deputy", "The deputy is the owner.", "Name another person, or none.")
    if not purpose.strip():
        raise Invalid("purpose", "An agent needs a purpose.", "Say in one sentence what it is for.")
