"""Every change to agents, their keys and their credentials. Each leaves its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents import keys, naming
from agents.actors import agent_subject, credential_subject
from agents.described import Described, checked, described_in
from agents.differences import changed
from agents.locking import answerable, locked_agent, move, require_status
from agents.lookups import free_name
from agents.models import Agent, AgentKey, Credential, Segment
from agents.reinstating_actions import (
    ask_to_reinstate,
    decline_reinstatement,
    drop_waiting,
    propose,
    reinstate,
)
from agents.resource_actions import (
    add_resource,
    change_resource,
    confirm_tag,
    remove_tag,
    retire_resource,
    store_secret,
)
from agents.review_actions import let_review, stop_review
from agents.revision import bump_revision, wake_gateways
from agents.segment_actions import change_segment, create_segment, require_open, retire_segment
from core.db import db_now
from core.errors import Invalid, NotFound
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

__all__ = [
    "add_key",
    "add_resource",
    "ask_to_reinstate",
    "bump_revision",
    "change_agent",
    "change_resource",
    "change_segment",
    "confirm_tag",
    "create_segment",
    "decline_reinstatement",
    "enrol",
    "let_review",
    "reinstate",
    "remove_tag",
    "retire",
    "retire_resource",
    "retire_segment",
    "revoke_credential",
    "revoke_credentials",
    "revoke_key",
    "set_risk",
    "stop_review",
    "store_secret",
    "suspend",
]

MAY_CONTAIN = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)


class About(Described, total=False):
    """What is registered of an agent and may be changed."""

    purpose: str
    segment: Segment
    owner: User
    deputy: User | None


def enrol(
    name: str,
    *,
    purpose: str,
    segment: Segment,
    owner: User,
    deputy: User | None = None,
    public_jwk: Mapping[str, Any],
    actor: User,
    **described: Unpack[Described],
) -> Agent:
    """Register an agent: active from now on, or in a production segment proposed, until a second person activates it.

    Raises Refused (not a platform engineer) and Invalid.
    """
    require_role(actor, Role.ENGINEER)
    parsed = naming.parse(name)
    key = keys.public_key(public_jwk)
    _require_answerable(owner, deputy, purpose)
    agent = Agent(
        name=name, function=parsed.function, environment=parsed.environment, instance=parsed.instance,
        purpose=purpose, segment=segment, owner=owner, deputy=deputy, enroller=actor, **checked(described),
    )  # fmt: skip
    if Agent.objects.filter(name=name).exists():
        raise Invalid("name", f"The name {name} is taken, now or formerly.", free_name(parsed))
    try:
        with transaction.atomic():
            production = require_open(segment).production
            agent.status = Agent.Status.PROPOSED if production else Agent.Status.ACTIVE
            agent.save(force_insert=True)
            stored = _store_key(agent, key)
            details = {"owner": str(owner.id), "purpose": purpose, "segment": segment.name, "kid": stored.kid}
            details |= {"status": agent.status.value} if production else {}
            record(Event.AGENT_ENROLLED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
            if production:
                propose(agent, actor=actor)
            bump_revision()
    except IntegrityError:
        raise Invalid("public_jwk", "The key is taken, or the name was a moment ago.", "Use a new key.") from None
    return agent


def add_key(agent_id: UUID, *, public_jwk: Mapping[str, Any], actor: User) -> AgentKey:
    """Register one more public key of an agent, for a change of keys. Raises Refused, Invalid, NotFound."""
    require_role(actor, Role.ENGINEER)
    key = keys.public_key(public_jwk)
    try:
        with transaction.atomic():
            agent = locked_agent(agent_id)
            stored = _store_key(agent, key)
            record(Event.KEY_ADDED, actor=actor_of(actor), subject=agent_subject(agent), details={"kid": stored.kid})
    except IntegrityError:
        raise Invalid("key", "This key is registered already.", "Every agent has keys of its own.") from None
    return stored


def revoke_key(key_id: UUID, *, actor: User | Actor, reason: str) -> AgentKey:
    """End a key, and every credential that was issued for it: by who answers for the agent, or who contains. Raises Refused."""
    with transaction.atomic():
        key = AgentKey.objects.select_for_update(of=("self",)).select_related("agent").get(id=key_id)
        _require_may_stop(key.agent, actor)
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
        agent = locked_agent(agent_id)
        _require_may_stop(agent, actor)
        require_status(agent, {Agent.Status.ACTIVE})
        move(agent, Agent.Status.SUSPENDED, reason)
        now = db_now()
        live = agent.credentials.filter(revoked_at=None, expires_at__gt=now)
        ended = live.update(revoked_at=now, revoked_reason="Agent suspended.")
        details = {"reason": reason, "credentials": ended}
        record(Event.AGENT_SUSPENDED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def change_agent(agent_id: UUID, *, actor: User, **about: Unpack[About]) -> Agent:
    """Change what is registered of an agent. Nothing happens where nothing differs.

    One that acts and is moved into a production segment is proposed from then on: its credentials end, and a second person activates it.
    Raises Refused (not an engineer), Invalid, NotFound, and AlreadySettled for one that is retired.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        agent = locked_agent(agent_id)
        require_status(agent, {Agent.Status.PROPOSED, Agent.Status.ACTIVE, Agent.Status.SUSPENDED})
        difference = changed(agent, {**about, **checked(described_in(about))})
        if difference:
            _require_answerable(agent.owner, agent.deputy, agent.purpose)
            if "owner" in difference:
                agent.ownerless_since = None
            agent.save(update_fields=[*difference, "ownerless_since"])
            details = {"changed": difference}
            record(Event.AGENT_CHANGED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
            if "segment" in difference and require_open(agent.segment).production:
                _enter_production(agent, actor)
            bump_revision()
    return agent


def retire(agent_id: UUID, *, actor: User, reason: str) -> Agent:
    """End an agent for good. Its name is never used again."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        agent = locked_agent(agent_id)
        require_status(agent, {Agent.Status.ACTIVE, Agent.Status.SUSPENDED, Agent.Status.PROPOSED})
        drop_waiting(agent, "The agent was retired.")
        move(agent, Agent.Status.RETIRED, reason)
        now = db_now()
        agent.credentials.filter(revoked_at=None, expires_at__gt=now).update(
            revoked_at=now, revoked_reason="Agent retired."
        )
        details = {"status": Agent.Status.RETIRED.value, "reason": reason}
        record(Event.AGENT_CHANGED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def set_risk(agent_id: UUID, risk: int, *, because: list[str], actor: Actor) -> Agent:
    """Set an agent's risk, 0 to 100, with the reasons. Leaves an entry only where it changed; gates hear of it at once."""
    with transaction.atomic():
        agent = locked_agent(agent_id)
        if agent.risk != risk:
            details = {"risk": {"before": agent.risk, "after": risk}, "because": because}
            agent.risk = risk
            agent.save(update_fields=["risk"])
            record(Event.AGENT_CHANGED, actor=actor, subject=agent_subject(agent), details=details)
            wake_gateways("risk")
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


def revoke_credentials(agent_id: UUID, *, actor: User | Actor, reason: str) -> int:
    """End every live credential of an agent, which may get new ones; gives how many those were, an entry each."""
    with transaction.atomic():
        agent = locked_agent(agent_id)
        _require_may_stop(agent, actor)
        now = db_now()
        live = list(agent.credentials.select_for_update(of=("self",)).filter(revoked_at=None, expires_at__gt=now))
        agent.credentials.filter(id__in=[one.id for one in live]).update(revoked_at=now, revoked_reason=reason)
        for one in live:
            subject = credential_subject(one)
            record(Event.CREDENTIAL_REVOKED, actor=actor_of(actor), subject=subject, details={"reason": reason})
        if live:
            bump_revision()
    return len(live)


def _enter_production(agent: Agent, actor: User) -> None:
    """An agent that acted elsewhere acts in a production segment once a second person has said so."""
    if agent.status != Agent.Status.ACTIVE:
        return  # one that is suspended takes two people anyway
    reason = f"Moved to {agent.segment.name}, a production segment."
    move(agent, Agent.Status.PROPOSED, reason)
    now = db_now()
    agent.credentials.filter(revoked_at=None, expires_at__gt=now).update(revoked_at=now, revoked_reason=reason)
    propose(agent, actor=actor)


def _store_key(agent: Agent, key: keys.Key) -> AgentKey:
    jwk = keys.public_jwk(key)
    return AgentKey.objects.create(agent=agent, kid=jwk["kid"], algorithm=jwk["alg"], public_jwk=jwk)


def _require_may_stop(agent: Agent, actor: User | Actor) -> None:
    """Whoever answers for an agent may stop it, and so may those who contain."""
    if isinstance(actor, User) and actor.is_active and actor.person in answerable(agent):
        return
    require_role(actor, *MAY_CONTAIN)


def _require_answerable(owner: User, deputy: User | None, purpose: str) -> None:
    if not owner.is_active or (deputy is not None and not deputy.is_active):
        raise Invalid("owner", "Whoever answers for an agent must have an active account.")
    if deputy is not None and deputy.person == owner.person:
        raise Invalid("deputy", "The deputy is the owner.", "Name another person, or none.")
    if not purpose.strip():
        raise Invalid("purpose", "An agent needs a purpose.", "Say in one sentence what it is for.")
