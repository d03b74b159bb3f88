"""Every change to grants: given with the approval that settles a hold, used by what it covers, taken back by one click."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actors import SYSTEM, actor_of
from accounts.models import Role, User
from agents.actors import agent_actor
from agents.locking import answerable
from approvals.granting import Wider
from approvals.live import hold_changed
from approvals.models import Grant, Hold
from approvals.queries import visible_grants
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

MAY_REVOKE: Final = (Role.REVIEWER, Role.CISO, Role.ENGINEER, Role.ADMINISTRATOR)
LONGEST_REASON: Final = 300


def give(hold: Hold, wider: Wider, *, now: datetime) -> Grant:
    """Leave a grant behind for what all who approved `hold` agreed to. In the transaction that settles it."""
    grant = Grant.objects.create(
        hold=hold, agent=hold.agent, resource_id=hold.resource_id, scope=wider.scope, most=wider.times, given_at=now,
        expires_at=now + timedelta(minutes=wider.minutes),
    )  # fmt: skip
    details = {"hold": str(hold.id), "scope": grant.scope, "most": grant.most, "until": grant.expires_at.isoformat()}
    details |= hold.outside
    record(
        Event.GRANT_GIVEN, actor=SYSTEM, subject=_subject(grant), details=details, action=hold.action_id,
        digest=hold.digest, policy_version=hold.policy_version,
    )  # fmt: skip
    return grant


def use(grant: Grant, hold: Hold) -> None:
    """Count that `grant`, which is locked, covers `hold`. In the transaction that asks."""
    grant.uses += 1
    grant.save(update_fields=["uses"])
    record(
        Event.GRANT_USED, actor=agent_actor(hold.agent), subject=_subject(grant),
        details={"hold": str(hold.id), "use": grant.uses, **hold.outside}, session=hold.session_id, action=hold.action_id,
        digest=hold.digest, policy_version=hold.policy_version,
    )  # fmt: skip


def revoke(grant_id: UUID, *, actor: User, reason: str) -> Grant:
    """Take a grant back: what it has not let through yet waits for people again.

    Raises NotFound (or not theirs to see), NotEligible, AlreadySettled (it has ended) and Invalid (the reason).
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise Invalid(
            "reason", "Taking a grant back needs a reason.", f"Say why in at most {LONGEST_REASON} characters."
        )
    with transaction.atomic():
        person = User.objects.get(id=actor.id)
        if not visible_grants(person).filter(id=grant_id).exists():
            raise NotFound("There is no such grant, or none that you may see.")
        grant = Grant.objects.select_for_update(of=("self",), no_key=True).select_related("agent").get(id=grant_id)
        if not may_revoke(person, grant):
            raise NotEligible("You neither review nor answer for this.", "A reviewer, the CISO or its owner can.")
        now = db_now()
        if not grant.is_live(now=now):
            raise AlreadySettled("This grant has ended.", "It lets nothing through any more.")
        grant.revoked_at, grant.revoked_by, grant.revoked_because = now, person, reason.strip()
        grant.save(update_fields=["revoked_at", "revoked_by", "revoked_because"])
        details = {"hold": str(grant.hold_id), "reason": grant.revoked_because}
        record(Event.GRANT_REVOKED, actor=actor_of(person), subject=_subject(grant), details=details)
        after_commit(hold_changed, grant.hold_id)
    return grant


def may_revoke(user: User, grant: Grant) -> bool:
    """Whether `user`, who sees it, may take it back: to narrow is easier than to widen."""
    return user.has_role(*MAY_REVOKE) or user.person in answerable(grant.agent)


def _subject(grant: Grant) -> Subject:
    return Subject(kind="grant", id=str(grant.id), name=f"{grant.get_scope_display()} by {grant.agent.name}")
