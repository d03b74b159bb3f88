"""Whether an approved hold may be released now. Reads and judges; `approvals/actions.py` changes."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q, QuerySet

from accounts.models import User
from accounts.quorum import Requirement, Seat, fits, satisfied
from agents.models import Agent
from approvals.asking import require_active, required
from approvals.eligibility import Bench
from approvals.errors import PoliciesChanged, QuorumLost
from approvals.models import BrokenGlass, Grant, Hold, Review
from core.errors import AlreadySettled, NarrowgateError, NotEligible, Refused
from policies.decision import Decision, Verdict
from policies.queries import active


def require_approved(hold: Hold, *, now: datetime) -> None:
    """Raise AlreadySettled unless `hold` is approved and its release not overdue."""
    if hold.status != Hold.Status.APPROVED:
        raise AlreadySettled(f"This hold is {hold.get_status_display().lower()}.", hold.settled_because)
    if hold.is_overdue(now=now):
        raise AlreadySettled("The approval was not collected in time.", "Ask again.")


def require_current(decision: Decision) -> None:
    """Raise PoliciesChanged unless `decision` was made by the version that is active."""
    version = active()
    if decision.policy_version != (version.number if version else 0):
        raise PoliciesChanged("The policies changed since this was decided.", "Load them and decide again.")


def obstacle(hold: Hold, decision: Decision) -> NarrowgateError | None:
    """What stands in the way of releasing `hold`; nothing when it may run."""
    try:
        # The lock orders this against a suspension: whichever commits first counts.
        require_active(Agent.objects.select_for_update(no_key=True).get(id=hold.agent_id))
    except Refused as refusal:
        return refusal
    if decision.verdict is Verdict.DENY:
        return Refused(decision.why, "Policy denies it now.", code=decision.code)
    if decision.verdict is Verdict.HOLD and not (_glass_broken(hold, decision) or _approved(hold, decision)):
        return QuorumLost("The approvals no longer meet what policy requires.", "It takes more people, or other ones.")
    return None


def _approved(hold: Hold, decision: Decision) -> bool:
    wanted = required(hold, decision)
    return wanted is not None and quorum_met(hold, wanted, signed=decision.passkey)


def _glass_broken(hold: Hold, decision: Decision) -> bool:
    """Whether somebody broke the glass of `hold` who may still, by the policies of now."""
    glass = BrokenGlass.objects.select_related("by").filter(hold=hold).first()
    if glass is None or not decision.breakglass:
        return False
    return Bench([glass.by], [hold]).standing(glass.by, hold, wanted=decision.breakglass).eligible


def quorum_met(hold: Hold, requirement: Requirement, *, signed: bool = False, by: Grant | None = None) -> bool:
    """Whether those who approved `hold`, or gave the grant that covers it, and still may, fill the seats of `requirement`.

    `signed` is whether only approvals that a passkey signed count.
    """
    given = _approvals(hold, by or _standing_grant(hold)).select_related("reviewer")
    reviews = list(given.filter(signed=True) if signed else given)
    bench = Bench([review.reviewer for review in reviews], [hold])
    standings = [bench.standing(review.reviewer, hold, wanted=requirement.names) for review in reviews]
    return satisfied(requirement, [Seat(str(one.user.person), one.groups) for one in standings if one.eligible])


def waits_for_first(hold: Hold) -> bool:
    """Whether it has two stages, and the first is not full."""
    needs = Requirement.of(hold.requirement)
    return bool(needs.then) and not quorum_met(hold, needs.first, signed=hold.passkey)


def require_turn(hold: Hold, reviewer: User) -> None:
    """Raise NotEligible for somebody whose seats are all in the second stage, while the first is not full."""
    if not waits_for_first(hold):
        return
    needs = Requirement.of(hold.requirement)
    groups = Bench([reviewer], [hold]).standing(reviewer, hold).groups
    if not any(fits(seat, groups) for seat in needs.seats):
        raise NotEligible("It is not your turn yet.", f"First it takes {needs.first.words}.")


def approvals_of(hold: Hold) -> list[str]:
    """The identifiers of the approvals that a release rests on."""
    return [str(key) for key in _approvals(hold, _standing_grant(hold)).values_list("id", flat=True)]


def _approvals(hold: Hold, grant: Grant | None) -> QuerySet[Review]:
    rests = Q(hold=hold, digest=hold.digest)
    if grant:
        rests |= Q(hold=grant.hold_id, digest=F("hold__digest"))
    return Review.objects.filter(rests, verdict=Review.Verdict.APPROVE).order_by("at", "id")


def _standing_grant(hold: Hold) -> Grant | None:
    """The grant that covers `hold`, unless somebody took it back: the lock orders this against whoever does."""
    if hold.grant_id is None:
        return None
    return Grant.objects.select_for_update(no_key=True).filter(id=hold.grant_id, revoked_at=None).first()
