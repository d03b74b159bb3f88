"""Every change to holds and reviews: lock, check, change, record, in one transaction, each function one arrow.

waiting → approved → released | lapsed, or waiting → denied | expired | withdrawn; approved → waiting where policy
asks for more at the release. The deadline is compared with the database's clock under the row's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.actors import SYSTEM, actor_of
from accounts.models import User
from accounts.quorum import Requirement
from activity.actions import refuse_held, release_held
from agents.actors import agent_actor
from agents.locking import answerable
from approvals import asking, grant_actions, granting, releasing, resubmit_actions, signing
from approvals.asking import HoldRequest
from approvals.eligibility import standing
from approvals.errors import PoliciesChanged, QuorumLost
from approvals.granting import JUST_ONCE, Wider
from approvals.holding import CHANNEL, locked, noted, seen_by, subject_of, terms_of, wake
from approvals.live import hold_changed
from approvals.models import Grant, Hold, Review
from core.after_commit import after_commit
from core.db import db_now
from core.errors import Invalid, NarrowgateError, NotEligible
from ledger.entries import Actor, Subject, commit_text
from ledger.events import Event
from ledger.write import record
from policies.decision import Decision

__all__ = ["CHANNEL", "HoldRequest", "PoliciesChanged", "QuorumLost"]

Status = Hold.Status
REDEEM_WITHIN: Final = timedelta(minutes=10)
REDEEM_IN_TRANSACTION: Final = timedelta(seconds=60)
LONGEST_REASON: Final = 1_000
Signed = dict[str, Any] | None
"""What an entry keeps of a passkey's signature, where there is one."""
LONGEST_WITHDRAWAL: Final = 150
"""Together with the longest name it fits into `Hold.settled_because`, which the agent is told."""


def ask(request: HoldRequest) -> Hold:
    """Let a held action wait for people, or join the hold of the same agent for the same action; one that a grant covers
    is approved at once.

    Raises Refused (`too_many_holds`, `agent_not_active`), NotFound and Invalid.
    """
    asking.require_held(request)
    with transaction.atomic():
        agent, resource = asking.lock_parties(request)
        now = db_now()
        hold = asking.earlier(request, now=now)
        if hold:
            noted(Event.HOLD_JOINED, hold, agent_actor(agent), details={"joined_by": str(request.action_id)})
            return hold
        hold = asking.fresh(request, agent, now=now)
        hold.resubmits = resubmit_actions.announced(request, now=now)
        hold.grant = granting.covering(hold, request.canonical, now=now)
        if hold.grant is None:
            asking.require_room(agent, resource, now=now)
        hold.save(force_insert=True)
        details = {"requirement": hold.requirement, "deadline": hold.deadline.isoformat(), "policies": _policies(hold)}
        details |= {"resubmits": str(hold.resubmits_id)} if hold.resubmits else {}
        noted(Event.HOLD_ASKED, hold, agent_actor(agent), details=details | terms_of(hold))
        if hold.grant:
            grant_actions.use(hold.grant, hold)
            settle(hold, Status.APPROVED, "A grant covers it.")
        after_commit(hold_changed, hold.id)
    return hold


def estimated(hold_id: UUID, estimate: Mapping[str, object]) -> Hold:
    """Note how much the action would touch, and weigh its risk again. Raises NotFound."""
    with transaction.atomic():
        hold = locked(hold_id)
        hold.estimate = dict(estimate)
        asking.weigh(hold)
        hold.save(update_fields=["estimate", "risk", "risk_sum"])
        after_commit(hold_changed, hold.id)
    return hold


def approve(
    hold_id: UUID, *, actor: User, seen: str, reason: str = "", wider: Wider = JUST_ONCE, passkey: str = ""
) -> Hold:
    """Record `actor`'s approval of the action whose digest is `seen`; approve it when the quorum is met.

    What all of them agree to beyond this action, `wider`, is left behind as a grant; `passkey` is what signed it, where
    policy asks for that. Raises NotFound (or not theirs to see), AlreadySettled (decided, expired or withdrawn meanwhile),
    Stale (not the action that was shown), NotEligible (their own, or not a reviewer of it), Refused (`once_only`,
    `passkey_required`, `passkey_refused`) and Invalid (the reason, how wide).
    """
    with transaction.atomic():
        hold, reviewer = to_review(hold_id, actor, seen)
        granting.require_grantable(hold, wider)
        signed = signing.signed(reviewer, signing.APPROVE, [(str(hold.id), seen)], passkey) if hold.passkey else None
        take_approval(hold, reviewer, seen, reason, wider=wider, signed=signed)
    return hold


def deny(hold_id: UUID, *, actor: User, seen: str, reason: str) -> Hold:
    """Deny the action whose digest is `seen`: one denial settles. Raises as `approve` does."""
    with transaction.atomic():
        hold, reviewer = to_review(hold_id, actor, seen)
        take_denial(hold, reviewer, seen, reason)
    return hold


def retract(hold_id: UUID, *, actor: User) -> Hold:
    """Take `actor`'s approval back while the action still waits. Raises NotFound, AlreadySettled and NotEligible (gave none)."""
    with transaction.atomic():
        hold, reviewer = seen_by(hold_id, actor)
        hold.require_waiting(now=db_now())
        given = hold.reviews.filter(reviewer__person=reviewer.person, verdict=Review.Verdict.APPROVE).first()
        if given is None:
            raise NotEligible("You have not approved this.", "Only one's own approval can be taken back.")
        _take_back(given, hold, reviewer)
        after_commit(hold_changed, hold.id)
    return hold


def withdraw(hold_id: UUID, *, by: Actor, because: str = "") -> Hold:
    """Take a waiting action back, for the agent. Raises NotFound and AlreadySettled."""
    with transaction.atomic():
        hold = locked(hold_id)
        hold.require_waiting(now=db_now())
        settle(hold, Status.WITHDRAWN, because or f"Withdrawn by {by.name}.")
        noted(Event.HOLD_WITHDRAWN, hold, by)
        after_commit(hold_changed, hold.id)
    return hold


def withdraw_own(hold_id: UUID, *, actor: User, reason: str) -> Hold:
    """Take back what an agent of `actor`'s waits for, with a reason that the agent is told; as it is now, not as it was.

    Raises NotFound (or not theirs to see), AlreadySettled, NotEligible (neither its owner nor deputy) and Invalid.
    """
    if not reason.strip() or len(reason) > LONGEST_WITHDRAWAL:
        remedy = f"Say in at most {LONGEST_WITHDRAWAL} characters why; the agent is told."
        raise Invalid("reason", "Withdrawing needs a reason.", remedy)
    with transaction.atomic():
        hold, owner = seen_by(hold_id, actor)
        if owner.person not in answerable(hold.agent):
            raise NotEligible("You do not answer for this agent.", "Its owner or their deputy can withdraw it.")
        hold.require_waiting(now=db_now())
        settle(hold, Status.WITHDRAWN, f"Withdrawn by {owner}: “{reason.strip()}”")
        said = {"because": commit_text(hold.settled_because, bytes(hold.salt))}
        noted(Event.HOLD_WITHDRAWN, hold, actor_of(owner), details=said)
        after_commit(hold_changed, hold.id)
    return hold


def expire(hold_id: UUID) -> Hold:
    """Deny a hold whose deadline has passed; otherwise do nothing. Raises NotFound."""
    with transaction.atomic():
        hold = locked(hold_id)
        if hold.is_due(now=db_now()):
            settle(hold, Status.EXPIRED, "Nobody decided before the deadline.")
            noted(Event.HOLD_EXPIRED, hold, SYSTEM)
            after_commit(hold_changed, hold.id)
    return hold


def lapse(hold_id: UUID) -> Hold:
    """End an approval that was not collected in time; otherwise do nothing. Raises NotFound."""
    with transaction.atomic():
        hold = locked(hold_id)
        if hold.is_overdue(now=db_now()):
            _lapse(hold, "The agent did not come back for it in time.")
    return hold


def release(hold_id: UUID, *, digest: str, decision: Decision, node: UUID, masked: bool = False) -> Hold:
    """Let an approved action through, once: to whoever this returns to, and to nobody else ever.

    `decision` is that of the policies active now, without any approval; `node` is the gateway that will run the
    action, `masked` whether what returns is masked. The action is `released` in the same transaction.

    Raises AlreadySettled, Stale, PoliciesChanged, QuorumLost (the hold waits again or has lapsed) and Refused (it
    has lapsed: the agent may not act, or policy denies it now). What ends the hold is committed before it is
    raised, so call this outside any other transaction.
    """
    with transaction.atomic():
        hold = locked(hold_id)
        releasing.require_approved(hold, now=db_now())
        hold.require_digest(digest)
        releasing.require_current(decision)
        obstacle = releasing.obstacle(hold, decision)
        if obstacle is None:
            _release(hold, decision, node, masked)
        elif isinstance(obstacle, QuorumLost) and hold.deadline > db_now():
            _wait_again(hold, decision)
        else:
            _lapse(hold, obstacle.message)
        after_commit(hold_changed, hold.id)
    if obstacle:
        raise obstacle
    return hold


def record_refusal(hold_id: UUID, *, actor: User, error: NarrowgateError) -> None:
    """Record that `actor` was refused to review or withdraw a hold: the refused transaction is gone, this stays."""
    with transaction.atomic():
        hold = Hold.objects.filter(id=hold_id).first()
        subject = subject_of(hold) if hold else Subject(kind="hold", id=str(hold_id), name="unknown")
        details = {"code": error.code}
        record(Event.REVIEW_REFUSED, actor=actor_of(actor), subject=subject, details=details)


def to_decide(hold_id: UUID, actor: User, seen: str) -> tuple[Hold, User]:
    """The hold, locked, waiting, as it was shown; and `actor` as they are now. Raises NotFound, AlreadySettled and Stale."""
    hold, person = seen_by(hold_id, actor)
    hold.require_waiting(now=db_now())
    hold.require_digest(seen)
    return hold, person


def to_review(hold_id: UUID, actor: User, seen: str) -> tuple[Hold, User]:
    """The same, with `actor` as somebody who may review it. Raises NotEligible."""
    hold, reviewer = to_decide(hold_id, actor, seen)
    stands = standing(reviewer, hold)
    if not stands.eligible:
        raise NotEligible(stands.because, "Somebody else has to decide.")
    return hold, reviewer


def take_approval(
    hold: Hold, reviewer: User, seen: str, reason: str, *, wider: Wider = JUST_ONCE, signed: Signed = None,
    together: Sequence[str] = (),
) -> None:  # fmt: skip
    """Note the approval of somebody who may review a locked hold, decided `together` with others. Raises NotEligible and Invalid."""
    releasing.require_turn(hold, reviewer)
    if signed:
        _replace_unsigned(hold, reviewer)
    waited = releasing.waits_for_first(hold)
    _review(hold, reviewer, Review.Verdict.APPROVE, seen, reason, wider=wider, signed=signed, together=together)
    if releasing.quorum_met(hold, Requirement.of(hold.requirement), signed=hold.passkey):
        settle(hold, Status.APPROVED, "Everybody it takes has approved.")
        noted(Event.HOLD_SETTLED, hold, SYSTEM, details={"status": hold.status})
        _grant(hold)
    elif waited and not releasing.waits_for_first(hold):
        noted(Event.HOLD_STAGE, hold, SYSTEM)
    after_commit(hold_changed, hold.id)


def take_denial(hold: Hold, reviewer: User, seen: str, reason: str, *, together: Sequence[str] = ()) -> None:
    """Note the denial of somebody who may review a locked hold, decided `together` with others. Raises NotEligible and Invalid."""
    if not reason.strip():
        raise Invalid("reason", "A denial needs a reason.", "Say in a sentence why not; the agent is told.")
    _review(hold, reviewer, Review.Verdict.DENY, seen, reason, together=together)
    settle(hold, Status.DENIED, f"Denied by {reviewer}: “{reason.strip()}”")
    after_commit(hold_changed, hold.id)


def _replace_unsigned(hold: Hold, reviewer: User) -> None:
    """Take back the approval that `reviewer` gave before policy asked for a signature: it counts no longer."""
    unsigned = hold.reviews.filter(reviewer__person=reviewer.person, verdict=Review.Verdict.APPROVE, signed=False)
    if given := unsigned.first():
        _take_back(given, hold, reviewer)


def _take_back(given: Review, hold: Hold, reviewer: User) -> None:
    given.verdict, given.retracted_at = Review.Verdict.RETRACT, db_now()
    given.save(update_fields=["verdict", "retracted_at"])
    noted(Event.HOLD_RETRACTED, hold, actor_of(reviewer), details={"review": str(given.id)})


def _review(
    hold: Hold, reviewer: User, verdict: Review.Verdict, seen: str, reason: str, *, wider: Wider = JUST_ONCE,
    signed: Signed = None, together: Sequence[str] = (),
) -> None:  # fmt: skip
    if len(reason) > LONGEST_REASON:
        raise Invalid("reason", f"A reason is at most {LONGEST_REASON} characters long.", "Shorten it.")
    if hold.reviews.filter(reviewer__person=reviewer.person, verdict=verdict).exists():
        raise NotEligible("You have reviewed this already.", "A quorum counts each person once.")
    review = hold.reviews.create(
        reviewer=reviewer,
        verdict=verdict,
        digest=seen,
        reason=reason.strip(),
        at=db_now(),
        signed=bool(signed),
        **vars(wider),
    )
    event = Event.HOLD_APPROVED if verdict == Review.Verdict.APPROVE else Event.HOLD_DENIED
    said = {"reason": commit_text(review.reason, bytes(review.salt))} if review.reason else {}
    beyond = {} if wider == JUST_ONCE else vars(wider)
    proof = {"passkey": signed} if signed else {}
    others = {"together": list(together)} if together else {}
    noted(event, hold, actor_of(reviewer), details={"review": str(review.id), **said, **beyond, **proof, **others})


def _grant(hold: Hold) -> None:
    """Leave a grant behind where all who approved agreed to more than once; a hold that waited again gave its own already."""
    wider = granting.agreed(hold.reviews.filter(verdict=Review.Verdict.APPROVE, digest=hold.digest))
    if wider != JUST_ONCE and not Grant.objects.filter(hold=hold).exists():
        grant_actions.give(hold, wider, now=db_now())


def settle(hold: Hold, status: Hold.Status, because: str) -> None:
    """End the waiting of a locked hold; whoever waits for it is woken when this commits."""
    now = db_now()
    hold.status, hold.settled_at, hold.settled_because = status, now, because[:300]
    if status == Status.APPROVED:
        hold.redeem_by = now + (REDEEM_IN_TRANSACTION if hold.in_transaction else REDEEM_WITHIN)
    else:
        refuse_held(hold.action_id, code=status.value, because=hold.settled_because)
    hold.save(update_fields=["status", "settled_at", "settled_because", "redeem_by"])
    wake(hold)


def _lapse(hold: Hold, because: str) -> None:
    settle(hold, Status.LAPSED, because)
    noted(Event.HOLD_LAPSED, hold, SYSTEM)
    after_commit(hold_changed, hold.id)


def _release(hold: Hold, decision: Decision, node: UUID, masked: bool) -> None:
    hold.status, hold.released_at = Status.RELEASED, db_now()
    hold.save(update_fields=["status", "released_at"])
    subject = Subject(kind="action", id=str(hold.action_id), name=hold.verb)
    details = {
        "hold": str(hold.id),
        "node": str(node),
        "reviews": releasing.approvals_of(hold),
        "snapshot": decision.snapshot,
        **({"grant": str(hold.grant_id)} if hold.grant_id else {}),
    } | hold.outside
    entry = record(
        Event.ACTION_RELEASED, actor=agent_actor(hold.agent), subject=subject, details=details, session=hold.session_id,
        action=hold.action_id, digest=hold.digest, policy_version=decision.policy_version,
    )  # fmt: skip
    release_held(hold.action_id, node_id=node, masked=masked, entry_id=entry)


def _wait_again(hold: Hold, decision: Decision) -> None:
    """The policies of now ask for more people than have approved: what is missing can still be given."""
    hold.status, hold.settled_at, hold.settled_because, hold.redeem_by = Status.WAITING, None, "", None
    hold.grant = None  # from here on people decide it, and it counts as theirs
    wanted = asking.required(hold, decision)
    if wanted:
        hold.ask_for(wanted)
    if not (decision.escalate and decision.escalate.group == hold.escalate_to and hold.escalated_at):
        hold.escalated_at = None
        asking.plan_escalation(hold, decision)
    hold.policy_version, hold.severity, hold.passkey = decision.policy_version, decision.severity, decision.passkey
    hold.breakglass = sorted(decision.breakglass)
    hold.reasons = [{"policy": reason.policy, "why": reason.why} for reason in decision.reasons]
    hold.save()
    details = {"again": True, "requirement": hold.requirement, **terms_of(hold)}
    noted(Event.HOLD_ASKED, hold, SYSTEM, details=details)
    wake(hold)


def _policies(hold: Hold) -> list[str]:
    return [str(reason["policy"]) for reason in hold.reasons]
