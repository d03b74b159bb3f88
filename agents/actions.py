"""Every change to agents, their keys and their credentials. Each leaves its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents import keys, naming
from agents.actors import agent_subject, credential_subject
from agents.differences import changed
from agents.locking import MAY_REINSTATE, answerable, locked_agent, require_status
from agents.models import Agent, AgentKey, Credential, Reinstatement, Segment
from agents.resource_actions import (
    add_resource,
    change_resource,
    confirm_tag,
    remove_tag,
    retire_resource,
    store_secret,
)
from agents.review_actions import let_review, stop_review
from agents.revision import bump_revision
from agents.segment_actions import change_segment, create_segment, require_open, retire_segment
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
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


class About(TypedDict, total=False):
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
            require_open(segment)
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
            agent = locked_agent(agent_id)
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
        agent = locked_agent(agent_id)
        _require_may_stop(agent, actor)
        require_status(agent, {Agent.Status.ACTIVE})
        _move(agent, Agent.Status.SUSPENDED, reason)
        now = db_now()
        live = agent.credentials.filter(revoked_at=None, expires_at__gt=now)
        ended = live.update(revoked_at=now, revoked_reason="Agent suspended.")
        details = {"reason": reason, "credentials": ended}
        record(Event.AGENT_SUSPENDED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def ask_to_reinstate(agent_id: UUID, *, actor: User, reason: str) -> Reinstatement:
    """Ask that a suspended agent may act again: another person confirms it.

    Raises Refused (neither engineer, CISO nor somebody who answers for it), NotFound, and AlreadySettled when it is not
    suspended or somebody has asked already.
    """
    with transaction.atomic():
        agent = locked_agent(agent_id)
        if not actor.is_active or actor.person not in answerable(agent):
            require_role(actor, *MAY_REINSTATE)
        require_status(agent, {Agent.Status.SUSPENDED})
        if agent.reinstatements.filter(status=Reinstatement.Status.WAITING).exists():
            raise AlreadySettled(
                f"Somebody has asked already to reinstate {agent.name}.", "A second person confirms it."
            )
        asked = Reinstatement.objects.create(agent=agent, reason=reason, asked_by=actor, asked_at=db_now())
        details = {"reason": reason, "reinstatement": str(asked.id)}
        record(Event.REINSTATEMENT_ASKED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return asked


def reinstate(reinstatement_id: UUID, *, actor: User) -> Agent:
    """Confirm, as a second person, that a suspended agent may act again, with new credentials.

    Raises Refused (code `own_agent` for whoever answers for it, `same_person` for whoever asked, or the role), NotFound, and
    AlreadySettled when that was answered or the agent is not suspended any more.
    """
    require_role(actor, *MAY_REINSTATE)
    with transaction.atomic():
        agent, asked = _locked_wish(reinstatement_id)
        _require_second(agent, asked, actor)
        require_status(agent, {Agent.Status.SUSPENDED})
        _answer(asked, Reinstatement.Status.CONFIRMED, actor, "")
        _move(agent, Agent.Status.ACTIVE, asked.reason)
        details = {"reason": asked.reason, "asked_by": str(asked.asked_by_id), "reinstatement": str(asked.id)}
        record(Event.AGENT_REINSTATED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def decline_reinstatement(reinstatement_id: UUID, *, actor: User, reason: str) -> Reinstatement:
    """Say no to reinstating an agent, or take back one's own asking. Raises Refused, NotFound, AlreadySettled."""
    with transaction.atomic():
        agent, asked = _locked_wish(reinstatement_id)
        if actor.id != asked.asked_by_id or not actor.is_active:
            require_role(actor, *MAY_REINSTATE)
        _answer(asked, Reinstatement.Status.DECLINED, actor, reason)
        details = {"reason": reason, "reinstatement": str(asked.id)}
        record(Event.REINSTATEMENT_DECLINED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return asked


def change_agent(agent_id: UUID, *, actor: User, **about: Unpack[About]) -> Agent:
    """Change what is registered of an agent: purpose, segment, who answers for it. Nothing happens where nothing differs.

    Raises Refused (not an engineer), Invalid, NotFound, and AlreadySettled for one that is retired.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        agent = locked_agent(agent_id)
        require_status(agent, {Agent.Status.PROPOSED, Agent.Status.ACTIVE, Agent.Status.SUSPENDED})
        difference = changed(agent, about)
        if difference:
            _require_answerable(agent.owner, agent.deputy, agent.purpose)
            if "segment" in difference:
                require_open(agent.segment)
            agent.save(update_fields=list(difference))
            details = {"changed": difference}
            record(Event.AGENT_CHANGED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
            bump_revision()
    return agent


def retire(agent_id: UUID, *, actor: User, reason: str) -> Agent:
    """End an agent for good. Its name is never used again."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        agent = locked_agent(agent_id)
        require_status(agent, {Agent.Status.ACTIVE, Agent.Status.SUSPENDED, Agent.Status.PROPOSED})
        for asked in agent.reinstatements.select_for_update(of=("self",)).filter(status=Reinstatement.Status.WAITING):
            _answer(asked, Reinstatement.Status.DECLINED, None, "The agent was retired.")
        _move(agent, Agent.Status.RETIRED, reason)
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
        agent = locked_agent(agent_id)
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


def _locked_wish(reinstatement_id: UUID) -> tuple[Agent, Reinstatement]:
    """The agent and then what was asked of it, held in that order, as every change of an agent does."""
    known = Reinstatement.objects.filter(id=reinstatement_id).first()
    if known is None:
        raise NotFound("Nobody has asked for that.")
    agent = locked_agent(known.agent_id)
    asked = Reinstatement.objects.select_for_update(of=("self",)).select_related("asked_by").get(id=reinstatement_id)
    if asked.status != Reinstatement.Status.WAITING:
        raise AlreadySettled(f"That was {asked.get_status_display().lower()} already.")
    return agent, asked


def _require_second(agent: Agent, asked: Reinstatement, actor: User) -> None:
    if actor.person in answerable(agent):
        raise Refused(
            "Nobody reinstates their own agent.", "Ask another platform engineer or the CISO.", code="own_agent"
        )
    if actor.person == asked.asked_by.person:
        raise Refused(
            "You asked for it: a second person confirms.", "Ask another engineer or the CISO.", code="same_person"
        )


def _answer(asked: Reinstatement, to: Reinstatement.Status, actor: User | None, answer: str) -> None:
    asked.status, asked.answered_by, asked.answered_at, asked.answer = to, actor, db_now(), answer
    asked.save(update_fields=["status", "answered_by", "answered_at", "answer"])


def _move(agent: Agent, to: Agent.Status, reason: str) -> None:
    agent.status, agent.status_reason = to, reason
    agent.save(update_fields=["status", "status_reason"])


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
