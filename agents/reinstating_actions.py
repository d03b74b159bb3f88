"""Letting an agent act: one that is suspended again, one that is proposed for the first time. One person asks, another one confirms."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import agent_subject
from agents.locking import MAY_ACTIVATE, MAY_REINSTATE, answerable, locked_agent, move, require_status
from agents.models import Agent, Reinstatement
from agents.revision import bump_revision
from core.db import db_now
from core.errors import AlreadySettled, NotFound, Refused
from ledger.events import Event
from ledger.write import record

Status = Agent.Status
STOPPED = {Status.SUSPENDED, Status.PROPOSED}


def may_confirm(agent: Agent) -> tuple[Role, ...]:
    """Who lets it act: for one that is proposed others than those who enrol."""
    return MAY_ACTIVATE if agent.status == Status.PROPOSED else MAY_REINSTATE


def propose(agent: Agent, *, actor: User) -> Reinstatement:
    """Ask, in the caller's transaction, that a proposed agent may act in its production segment."""
    reason = f"To act in {agent.segment.name}, a production segment."
    asked = Reinstatement.objects.create(agent=agent, reason=reason, asked_by=actor, asked_at=db_now())
    details = {"reason": reason, "reinstatement": str(asked.id)}
    record(Event.REINSTATEMENT_ASKED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return asked


def drop_waiting(agent: Agent, answer: str) -> None:
    """Answer whatever waits for a locked agent in nobody's name: it has no object any more."""
    for asked in agent.reinstatements.select_for_update(of=("self",)).filter(status=Reinstatement.Status.WAITING):
        _answer(asked, Reinstatement.Status.DECLINED, None, answer)


def ask_to_reinstate(agent_id: UUID, *, actor: User, reason: str) -> Reinstatement:
    """Ask that an agent that is suspended or proposed may act: another person confirms it.

    Raises Refused (neither engineer, CISO nor somebody who answers for it), NotFound, and AlreadySettled when it acts
    already or somebody has asked already.
    """
    with transaction.atomic():
        agent = locked_agent(agent_id)
        if not actor.is_active or actor.person not in answerable(agent):
            require_role(actor, *MAY_REINSTATE)
        require_status(agent, STOPPED)
        if agent.reinstatements.filter(status=Reinstatement.Status.WAITING).exists():
            raise AlreadySettled(f"Somebody has asked already to let {agent.name} act.", "A second person confirms it.")
        asked = Reinstatement.objects.create(agent=agent, reason=reason, asked_by=actor, asked_at=db_now())
        details = {"reason": reason, "reinstatement": str(asked.id)}
        record(Event.REINSTATEMENT_ASKED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return asked


def reinstate(reinstatement_id: UUID, *, actor: User) -> Agent:
    """Confirm, as a second person, that an agent may act, with new credentials.

    Raises Refused (code `own_agent` for whoever answers for it, `same_person` for whoever asked for it or enrolled it, or the
    role), NotFound, and AlreadySettled when that was answered or the agent neither suspended nor proposed any more.
    """
    require_role(actor, *MAY_REINSTATE, *MAY_ACTIVATE)
    with transaction.atomic():
        agent, asked = _locked_wish(reinstatement_id)
        require_status(agent, STOPPED)
        require_role(actor, *may_confirm(agent))
        _require_second(agent, asked, actor)
        event = Event.AGENT_ACTIVATED if agent.status == Status.PROPOSED else Event.AGENT_REINSTATED
        _answer(asked, Reinstatement.Status.CONFIRMED, actor, "")
        move(agent, Status.ACTIVE, asked.reason)
        details = {"reason": asked.reason, "asked_by": str(asked.asked_by_id), "reinstatement": str(asked.id)}
        record(event, actor=actor_of(actor), subject=agent_subject(agent), details=details)
        bump_revision()
    return agent


def decline_reinstatement(reinstatement_id: UUID, *, actor: User, reason: str) -> Reinstatement:
    """Say no to letting an agent act, or take back one's own asking. Raises Refused, NotFound, AlreadySettled."""
    with transaction.atomic():
        agent, asked = _locked_wish(reinstatement_id)
        if actor.id != asked.asked_by_id or not actor.is_active:
            require_role(actor, *may_confirm(agent))
        _answer(asked, Reinstatement.Status.DECLINED, actor, reason)
        details = {"reason": reason, "reinstatement": str(asked.id)}
        record(Event.REINSTATEMENT_DECLINED, actor=actor_of(actor), subject=agent_subject(agent), details=details)
    return asked


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
        raise Refused("Nobody lets their own agent act.", "Ask somebody who does not answer for it.", code="own_agent")
    if actor.person == asked.asked_by.person:
        raise Refused("You asked for it: a second person confirms.", "Ask somebody else.", code="same_person")
    if agent.status == Status.PROPOSED and actor.person == agent.enroller.person:
        raise Refused("You enrolled it: a second person confirms.", "Ask somebody else.", code="same_person")


def _answer(asked: Reinstatement, to: Reinstatement.Status, actor: User | None, answer: str) -> None:
    asked.status, asked.answered_by, asked.answered_at, asked.answer = to, actor, db_now(), answer
    asked.save(update_fields=["status", "answered_by", "answered_at", "answer"])
