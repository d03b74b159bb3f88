"""Asking those who answer for an agent, and their answers. Neither decides anything, and the clock runs on."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of
from accounts.models import User
from agents.locking import answerable
from approvals.eligibility import standing
from approvals.holding import noted, seen_by
from approvals.live import hold_changed
from approvals.models import HoldQuestion
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound, Refused
from ledger.events import Event

LONGEST: Final = 500
MOST: Final = 10
"""Questions of one hold."""


def ask_owner(hold_id: UUID, *, actor: User, text: str) -> HoldQuestion:
    """Ask the owner of the agent and their deputy something about a hold that waits.

    Raises NotFound, AlreadySettled, NotEligible (they may not review it), Refused (`too_many_questions`) and Invalid.
    """
    _require_words("question", text)
    with transaction.atomic():
        hold, person = seen_by(hold_id, actor)
        hold.require_waiting(now=db_now())
        stands = standing(person, hold)
        if not stands.eligible:
            raise NotEligible(stands.because, "Who may review it asks.")
        if hold.asked >= MOST:
            raise Refused(
                f"{MOST} questions were asked of this already.", "Decide by what is known.", code="too_many_questions"
            )
        question = HoldQuestion.objects.create(hold=hold, asked_by=person, text=text.strip(), asked_at=db_now())
        hold.asked += 1
        hold.save(update_fields=["asked"])
        said = {"question": str(question.id), "text": question.text}
        noted(Event.HOLD_QUESTIONED, hold, actor_of(person), details=said)
        after_commit(hold_changed, hold.id)
    return question


def answer(hold_id: UUID, question_id: UUID, *, actor: User, text: str) -> HoldQuestion:
    """Answer, as the agent's owner or their deputy. Raises NotFound, AlreadySettled, NotEligible and Invalid."""
    _require_words("answer", text)
    with transaction.atomic():
        hold, person = seen_by(hold_id, actor)
        question = HoldQuestion.objects.select_for_update(of=("self",)).filter(hold=hold, id=question_id).first()
        if question is None:
            raise NotFound("There is no such question.")
        if person.person not in answerable(hold.agent):
            raise NotEligible("You do not answer for this agent.", "Its owner or their deputy answers.")
        if question.answered_at is not None:
            raise AlreadySettled("This was answered already.", "Nothing is left to say.")
        hold.require_waiting(now=db_now())
        question.answered_by, question.answer, question.answered_at = person, text.strip(), db_now()
        question.save(update_fields=["answered_by", "answer", "answered_at"])
        said = {"question": str(question.id), "text": question.answer}
        noted(Event.HOLD_ANSWERED, hold, actor_of(person), details=said)
        after_commit(hold_changed, hold.id)
    return question


def _require_words(field: str, text: str) -> None:
    if not text.strip() or len(text) > LONGEST:
        raise Invalid(field, f"It takes 1 to {LONGEST} characters.", "Write a sentence.")
