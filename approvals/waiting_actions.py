"""What happens to a hold while it waits, and decides nothing: reminding of it, asking a further group, handing it to a colleague."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.actors import SYSTEM, actor_of
from accounts.models import User
from accounts.quorum import Requirement
from approvals.absence_actions import stands_in
from approvals.eligibility import standing
from approvals.holding import locked, noted, seen_by
from approvals.live import hold_changed
from approvals.models import Hold
from core.after_commit import after_commit
from core.db import db_now
from core.errors import Invalid, NotEligible
from ledger.events import Event

Status = Hold.Status


def remind(hold_id: UUID) -> Hold:
    """Have those who may still review a hold told again, once; otherwise do nothing. Raises NotFound."""
    with transaction.atomic():
        hold = locked(hold_id)
        now = db_now()
        if hold.status == Status.WAITING and hold.remind_at and hold.remind_at <= now < hold.deadline:
            hold.remind_at = None
            hold.save(update_fields=["remind_at"])
            noted(Event.HOLD_REMINDED, hold, SYSTEM)
    return hold


def escalate(hold_id: UUID) -> Hold:
    """Let the group that policy names fill every seat as well, once it is time; otherwise do nothing. Raises NotFound."""
    with transaction.atomic():
        hold = locked(hold_id)
        now = db_now()
        if hold.status == Status.WAITING and hold.escalate_at and hold.escalate_at <= now < hold.deadline:
            hold.ask_for(Requirement.of(hold.requirement).widened(hold.escalate_to))
            hold.escalate_at, hold.escalated_at = None, now
            hold.save(update_fields=["requirement", "asks_owner", "escalate_at", "escalated_at"])
            noted(
                Event.HOLD_ESCALATED,
                hold,
                SYSTEM,
                details={"group": hold.escalate_to, "requirement": hold.requirement},
            )
            after_commit(hold_changed, hold.id)
    return hold


def hand_over(hold_id: UUID, *, actor: User, to: UUID) -> Hold:
    """Ask a named colleague to decide a hold that one may review oneself, or who stands in while they are away; it gives nobody a
    right that they do not have.

    Raises NotFound (or not theirs to see), AlreadySettled, NotEligible (either of the two) and Invalid (nobody, or oneself).
    """
    with transaction.atomic():
        hold, person = seen_by(hold_id, actor)
        hold.require_waiting(now=db_now())
        mine = standing(person, hold)
        if not mine.eligible:
            raise NotEligible(mine.because, "Only who may review it hands it on.")
        colleague = User.objects.filter(id=to).first()
        if colleague is None or colleague.person == person.person:
            raise Invalid("to", "Hand it to somebody else who may review it.", "The page lists who may.")
        theirs = standing(colleague, hold)
        if not theirs.eligible:
            raise NotEligible(f"{colleague} may not review it.", theirs.about)
        asked = stands_in(colleague, hold, now=db_now())
        hold.handed_to = colleague if asked.person == person.person else asked
        hold.save(update_fields=["handed_to"])
        instead = {} if hold.handed_to == colleague else {"instead_of": str(colleague.id)}
        noted(Event.HOLD_HANDED, hold, actor_of(person), details={"to": str(hold.handed_to.id), **instead})
        after_commit(hold_changed, hold.id)
    return hold
