"""What an approval wider than once agrees to, and whether a grant covers an action. Reads and judges; `approvals/grant_actions.py` changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, F, Q, QuerySet

from accounts.quorum import Requirement
from activity.digest import digest
from activity.models import Action
from approvals import releasing
from approvals.models import Grant, Hold, Review, Scope
from approvals.risk import WORKING_HOURS
from core.errors import Invalid, Refused

MOST_MINUTES: Final = 480
MOST_TIMES: Final = 100
BACK: Final = timedelta(days=7)
"""How far back a grant is tried before it is given."""
ONCE_ONLY: Final = "critical"
STATEMENTS: Final = "sql:"


@dataclass(frozen=True)
class Wider:
    """What a reviewer agrees to: how alike, for how many minutes, how many times besides this one."""

    scope: Scope = Scope.ONCE
    minutes: int = 0
    times: int = 0


JUST_ONCE: Final = Wider()


@dataclass(frozen=True)
class Tried:
    """How many actions of the last week it would have let through, and how many of those outside working hours."""

    actions: int
    after_hours: int


def require_grantable(hold: Hold, wider: Wider) -> None:
    """Raise Invalid for what is out of bounds, Refused (`once_only`) for an action that is approved once at a time."""
    if wider.scope == Scope.ONCE:
        return
    why = once_only(hold)
    if why:
        raise Refused(why, "Approve it once.", code="once_only")
    if wider.scope not in scopes_of(hold):
        raise Invalid("scope", "This action has no shape that others could have.", "Choose this exact action.")
    if not 1 <= wider.minutes <= MOST_MINUTES:
        raise Invalid("minutes", f"A grant lasts from 1 to {MOST_MINUTES} minutes.")
    if not 1 <= wider.times <= MOST_TIMES:
        raise Invalid("times", f"A grant is used from 1 to {MOST_TIMES} times.")


def once_only(hold: Hold) -> str:
    """Why approvals of `hold` cannot be wider than once; nothing where they can."""
    if hold.severity == ONCE_ONLY:
        return "Policy calls this critical: it is approved once at a time."
    if hold.passkey:
        return "Each approval is signed with a passkey: it is approved once at a time."
    if hold.in_transaction:
        return "It sits in an open transaction: it is approved once at a time."
    if any(one.verdict == Review.Verdict.APPROVE and one.scope == Scope.ONCE for one in hold.reviews.all()):
        return "Somebody approved it once: more than that takes everybody."
    return ""


def agreed(approvals: Iterable[Review]) -> Wider:
    """What all of them agree to: the narrowest of each."""
    given = list(approvals)
    scopes = {Scope(one.scope) for one in given}
    if not given or Scope.ONCE in scopes:
        return JUST_ONCE
    scope = Scope.SAME if Scope.SAME in scopes else Scope.SHAPE
    return Wider(scope, min(one.minutes for one in given), min(one.times for one in given))


def covering(hold: Hold, canonical: bytes, *, now: datetime) -> Grant | None:
    """The grant by which `hold`, a new one that is not saved, need not wait; locked. The one that ends first is used first."""
    live = Grant.objects.filter(
        agent=hold.agent, resource_id=hold.resource_id, revoked_at=None, expires_at__gt=now, uses__lt=F("most")
    )
    if hold.in_transaction or hold.passkey or hold.severity == ONCE_ONLY or not live.exists():
        return None
    locked = live.select_for_update(of=("self",), no_key=True).select_related("hold").order_by("expires_at", "id")
    wanted = Requirement.of(hold.requirement)
    return next(
        (one for one in locked if _alike(one, hold, canonical) and releasing.quorum_met(hold, wanted, by=one)), None
    )


def _alike(grant: Grant, hold: Hold, canonical: bytes) -> bool:
    """Whether `hold` is what `grant` is for. The person acted for is part of the very same action, so it is of a shape too."""
    first = grant.hold
    if first.enforced != hold.enforced:
        return False
    if grant.scope == Scope.SAME:
        return digest(canonical, bytes(first.salt)) == first.digest
    told = ("shape", "verb", "tables", "has_where", "on_behalf_of_id")
    same = all(getattr(first, name) == getattr(hold, name) for name in told)
    return Scope.SHAPE in scopes_of(hold) and same and set(hold.tags) <= set(first.tags)


def scopes_of(hold: Hold) -> list[Scope]:
    """How wide an approval of `hold` can be, besides once.

    A statement's shape is the statement without its constants. That of a tool's or an API's operation is its name alone, and
    would let any argument through.
    """
    return [Scope.SAME, Scope.SHAPE] if hold.shape and hold.verb.startswith(STATEMENTS) else [Scope.SAME]


def tried(hold: Hold, scope: Scope) -> Tried:
    """What a grant of `scope` would have let through without people, of what this agent asked in the last week."""
    found = _held_alike(hold).filter(asked_at__gt=hold.asked_at - BACK, asked_at__lt=hold.asked_at)
    if scope == Scope.SAME:
        found = found.filter(shown=hold.shown)
    first, last = WORKING_HOURS
    late = Q(asked_at__hour__lt=first) | Q(asked_at__hour__gte=last)
    counted = found.aggregate(actions=Count("pk"), after_hours=Count("pk", filter=late))
    return Tried(counted["actions"], counted["after_hours"])


def _held_alike(hold: Hold) -> QuerySet[Action]:
    held = Action.objects.filter(decision=Action.Decision.HOLD, agent_id=hold.agent_id, resource_id=hold.resource_id)
    held = held.exclude(id=hold.action_id)
    return held.filter(shape=hold.shape) if hold.shape else held.filter(shown=hold.shown)
