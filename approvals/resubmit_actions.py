"""Asking again what people denied, with a justification. It decides nothing: the denial stands, and people are asked anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from activity.digest import digest
from approvals.asking import HoldRequest
from approvals.holding import locked, noted
from approvals.live import hold_changed
from approvals.models import Hold
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, Refused
from ledger.entries import Actor, commit_text
from ledger.events import Event

LONGEST: Final = 500
WITHIN: Final = timedelta(minutes=10)
"""How long after its justification the same action counts as asked again."""
MOST: Final = 2
"""How often in a row an agent asks again: people are not asked until they tire."""
DENIED: Final = frozenset({Hold.Status.DENIED, Hold.Status.EXPIRED})


def resubmit(hold_id: UUID, *, by: Actor, justification: str) -> Hold:
    """Note why the agent asks again what was denied; the same action, asked within ten minutes, brings it before people.

    The same words again change nothing. Raises NotFound, AlreadySettled (not denied, or asked again before), Refused
    (`resubmitted_enough`) and Invalid.
    """
    words = _words(justification)
    with transaction.atomic():
        hold, now = locked(hold_id), db_now()
        _require_open(hold, words)
        if hold.justified_at and hold.justified_at + WITHIN > now:
            return hold
        hold.justification, hold.justified_at = words, now
        hold.save(update_fields=["justification", "justified_at"])
        said = {"justification": commit_text(words, bytes(hold.salt))}
        noted(Event.HOLD_RESUBMITTED, hold, by, details=said)
        after_commit(hold_changed, hold.id)
    return hold


def announced(request: HoldRequest, *, now: datetime) -> Hold | None:
    """The denied hold that `request` asks again, where the agent has said so within ten minutes. Under the agent's lock."""
    said = Hold.objects.filter(
        agent_id=request.agent_id, resource_id=request.resource_id, justified_at__gt=now - WITHIN
    )
    open_ones = said.filter(resubmitted=None).order_by("justified_at")
    return next((hold for hold in open_ones if digest(request.canonical, bytes(hold.salt)) == hold.digest), None)


def _words(justification: str) -> str:
    words = justification.strip()
    if not words or len(words) > LONGEST or "\x00" in words:
        raise Invalid(
            "justification",
            f"A justification has 1 to {LONGEST} characters, and no NUL.",
            "Say what people should know.",
        )
    return words


def _require_open(hold: Hold, words: str) -> None:
    if hold.status not in DENIED:
        raise AlreadySettled(
            f"This is {hold.get_status_display().lower()}, not denied.", "There is nothing to ask again."
        )
    if Hold.objects.filter(resubmits=hold).exists():
        raise AlreadySettled("This was asked again already.", "Look at what became of that.")
    if hold.justification and hold.justification != words:
        raise AlreadySettled("Why it is asked again was said already.", "Send the same words, or ask without.")
    if _asked_again(hold) >= MOST:
        raise Refused(
            f"People have denied this {MOST + 1} times.", "Talk to those who decide it.", code="resubmitted_enough"
        )


def _asked_again(hold: Hold) -> int:
    """How often it was asked again before this one."""
    count = 0
    while hold.resubmits is not None and count < MOST:
        hold, count = hold.resubmits, count + 1
    return count
