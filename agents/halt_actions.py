"""Stopping many agents at once: an owner's, a segment's, or everything, which takes two people to lift."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actions import suspend
from agents.locking import MAY_REINSTATE
from agents.models import Agent, Credential, Halt, Segment
from agents.revision import bump_revision
from core.db import db_now
from core.errors import AlreadySettled, Refused
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

MAY_HALT = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
HALTED = "Everything was stopped."


def suspend_owned(owner_id: UUID, *, actor: User, reason: str) -> int:
    """Suspend every active agent that a person answers for as owner; gives how many those were, an entry each. Raises Refused."""
    return _suspend_all(Agent.objects.filter(owner_id=owner_id), actor, reason)


def suspend_segment(segment: Segment, *, actor: User, reason: str) -> int:
    """Suspend every active agent of a segment; gives how many those were, an entry each. Raises Refused."""
    return _suspend_all(Agent.objects.filter(segment=segment), actor, reason)


def halt(*, actor: User, reason: str) -> Halt:
    """Stop everything: no credential is issued, every live one ends, no gateway releases anything, within a second.

    Raises Refused, and AlreadySettled while everything is stopped already.
    """
    require_role(actor, *MAY_HALT)
    try:
        with transaction.atomic():
            made = Halt.objects.create(reason=reason, halted_by=actor, halted_at=db_now())
            details = {"reason": reason, "credentials": _end_all()}
            record(Event.HALTED, actor=actor_of(actor), subject=_subject(made), details=details)
            bump_revision()
    except IntegrityError:
        raise AlreadySettled("Everything is stopped already.", "Two people can lift it.") from None
    return made


def ask_to_lift(*, actor: User, reason: str) -> Halt:
    """Ask that agents may act again: another person lifts it. Raises Refused, and AlreadySettled when somebody has asked, or nothing is stopped."""
    require_role(actor, *MAY_REINSTATE)
    with transaction.atomic():
        found = _held()
        if found.asked_by_id is not None:
            raise AlreadySettled("Somebody has asked already.", "A second person lifts it.")
        found.asked_by, found.asked_reason, found.asked_at = actor, reason, db_now()
        found.save(update_fields=["asked_by", "asked_reason", "asked_at"])
        record(Event.LIFT_ASKED, actor=actor_of(actor), subject=_subject(found), details={"reason": reason})
    return found


def lift(*, actor: User) -> Halt:
    """Lift it, as a second person; agents get new credentials. Raises Refused (code `same_person`, or the role) and AlreadySettled."""
    require_role(actor, *MAY_REINSTATE)
    with transaction.atomic():
        found = _held()
        if found.asked_by is None:
            raise AlreadySettled(
                "Nobody has asked to lift it yet.", "One person asks, with a reason; another one lifts."
            )
        if found.asked_by.person == actor.person:
            raise Refused("You asked for it: a second person lifts it.", code="same_person")
        found.lifted_by, found.lifted_at = actor, db_now()
        found.save(update_fields=["lifted_by", "lifted_at"])
        _end_all()  # one that was being issued in the moment of the halt
        details = {"reason": found.asked_reason, "asked_by": str(found.asked_by_id)}
        record(Event.LIFTED, actor=actor_of(actor), subject=_subject(found), details=details)
        bump_revision()
    return found


def halted() -> Halt | None:
    """What stops everything now; None where nothing does."""
    return Halt.objects.select_related("halted_by", "asked_by").filter(lifted_at=None).first()


def _held() -> Halt:
    found = Halt.objects.select_for_update(of=("self",)).select_related("asked_by").filter(lifted_at=None).first()
    if found is None:
        raise AlreadySettled("Nothing is stopped.", "Agents may act already.")
    return found


def _end_all() -> int:
    now = db_now()
    live = Credential.objects.filter(revoked_at=None, expires_at__gt=now)
    return live.update(revoked_at=now, revoked_reason=HALTED)


def _suspend_all(agents: QuerySet[Agent], actor: User, reason: str) -> int:
    require_role(actor, *MAY_HALT)
    with transaction.atomic():
        active = agents.filter(status=Agent.Status.ACTIVE).order_by("id").select_for_update(of=("self",))
        found = list(active.values_list("id", flat=True))
        for agent_id in found:
            suspend(agent_id, actor=actor, reason=reason)
    return len(found)


def _subject(found: Halt) -> Subject:
    return Subject(kind="halt", id=str(found.id), name="everything")
