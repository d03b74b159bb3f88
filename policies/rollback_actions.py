"""The review after a roll-back: one person rolls back at once, another looks at it within a day, and is chased until somebody has."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.actors import SYSTEM, actor_of, require_role
from accounts.models import Role, User
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record
from policies.models import PolicyRollback, PolicyVersion

REVIEWERS: Final = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
WITHIN: Final = timedelta(hours=24)
"""How long the review may take, and how often it is asked for after that."""


def begin(version: PolicyVersion, replaced: PolicyVersion | None, *, actor: User, reason: str) -> PolicyRollback:
    """Note that a roll-back is to be looked at, in the transaction that rolls back."""
    now = db_now()
    return PolicyRollback.objects.create(
        version=version, replaced=replaced, by=actor, reason=reason, at=now, due_at=now + WITHIN
    )


def review(rollback_id: UUID, *, actor: User, found: str) -> PolicyRollback:
    """Say, as somebody other than who rolled back, what came of looking at it. Raises Refused, NotFound, AlreadySettled, Invalid."""
    require_role(actor, *REVIEWERS)
    if not found.strip():
        raise Invalid("found", "Say what you found.", "One sentence: whether it was right, and what follows.")
    with transaction.atomic():
        held = PolicyRollback.objects.select_for_update(of=("self",)).select_related("by", "version")
        rollback = held.filter(id=rollback_id).first()
        if rollback is None:
            raise NotFound("There is no such roll-back.", "Choose one from the list of versions.")
        if rollback.reviewed_at is not None:
            raise AlreadySettled("Somebody has looked at it already.", "Nothing is left to do.")
        if rollback.by.person == actor.person:
            raise Refused(
                "Nobody reviews their own roll-back.", "Ask another engineer or the CISO.", code="own_rollback"
            )
        rollback.reviewed_by, rollback.reviewed_at, rollback.found = actor, db_now(), found.strip()
        rollback.save(update_fields=["reviewed_by", "reviewed_at", "found"])
        _record(Event.POLICY_ROLLBACK_REVIEWED, rollback, actor_of(actor), {"found": rollback.found})
    return rollback


def chase() -> int:
    """Say of every roll-back that nobody has looked at in time that it is overdue, once a day; gives how many."""
    with transaction.atomic():
        now = db_now()
        due = Q(due_at__lte=now) & (Q(chased_at=None) | Q(chased_at__lte=now - WITHIN))
        late = PolicyRollback.objects.select_for_update(of=("self",), skip_locked=True).select_related("version")
        found = list(late.filter(due, reviewed_at=None))
        for rollback in found:
            rollback.chased_at = now
            rollback.save(update_fields=["chased_at"])
            _record(Event.POLICY_ROLLBACK_OVERDUE, rollback, SYSTEM, {"due": rollback.due_at.isoformat()})
    return len(found)


def _record(event: Event, rollback: PolicyRollback, actor: Actor, details: dict[str, object]) -> None:
    version = rollback.version
    record(
        event,
        actor=actor,
        subject=Subject(kind="policies", id=str(version.id), name=str(version)),
        details={"rollback": str(rollback.id), **details},
        digest=version.digest,
        policy_version=version.number,
    )
