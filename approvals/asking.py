"""How a held action becomes a hold: what is asked, how many may wait, which earlier hold it joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from accounts.models import User
from accounts.quorum import Requirement
from activity.digest import digest
from activity.models import Action
from agents.models import Agent, Resource
from approvals import lookalike, risk
from approvals.eligibility import exclusions
from approvals.models import Hold
from core.errors import Invalid, NotFound, Refused
from policies.decision import Decision, Verdict
from policies.terms import DEFAULT_TTL

MOST_PER_AGENT: Final = 5
MOST_PER_OWNER: Final = 25
REMINDED: Final = 0.75
"""Of the time that a hold has: when those who may still review it are told again."""
TOO_SHORT: Final = timedelta(minutes=4)
"""A hold that ends sooner has no reminder: it would come with the first word of it."""
LONGEST_IN_TRANSACTION: Final = timedelta(seconds=60)
"""An open transaction keeps its locks while people think."""


@dataclass(frozen=True, kw_only=True)
class HoldRequest:
    """A held action as the gateway knows it.

    `canonical` and `salt` give `digest` (`activity.digest`); `shown` has the literals of tagged positions
    masked; `purpose` is the agent's claim; `estimate` is as `Hold.estimate`, None when it comes later.
    """

    action_id: UUID
    session_id: UUID
    agent_id: UUID
    resource_id: UUID
    canonical: bytes
    salt: bytes
    digest: str
    decision: Decision
    verb: str
    summary: str
    shown: str
    shape: str = ""
    tables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    purpose: str = ""
    on_behalf_of: UUID | None = None
    in_transaction: bool = False
    enforced: bool = True
    has_where: bool | None = None
    locks: tuple[str, ...] = ()
    estimate: Mapping[str, object] | None = None


def lock_parties(request: HoldRequest) -> tuple[Agent, Resource]:
    """Lock the agent, its owner and the resource, in this order, so that limits are counted by one at a time.

    Raises Refused when the agent is not active.
    """
    agents = Agent.objects.select_for_update(of=("self",), no_key=True)
    agent = agents.select_related("owner__manager", "deputy", "enroller").filter(id=request.agent_id).first()
    if agent is None:
        raise NotFound("There is no such agent.")
    require_active(agent)
    User.objects.select_for_update(no_key=True).get(id=agent.owner_id)
    resource = Resource.objects.select_for_update(no_key=True).filter(id=request.resource_id).first()
    if resource is None:
        raise NotFound("There is no such resource.")
    return agent, resource


def require_active(agent: Agent) -> None:
    """Raise Refused unless `agent` may act."""
    if agent.status != Agent.Status.ACTIVE:
        raise Refused(f"The agent {agent.name} is {agent.get_status_display().lower()}.", code="agent_not_active")


def require_held(request: HoldRequest) -> None:
    """Raise Invalid unless the decision is a hold and the digest is that of the canonical form."""
    if request.decision.verdict is not Verdict.HOLD or request.decision.requirement is None:
        raise Invalid("decision", "Only an action that policy holds can wait for people.")
    if digest(request.canonical, request.salt) != request.digest:
        raise Invalid("digest", "The digest is not that of the action.")


def earlier(request: HoldRequest, *, now: datetime) -> Hold | None:
    """The live hold of the same agent for the same action at the same resource, approved before waiting."""
    live = Q(status=Hold.Status.APPROVED, redeem_by__gt=now) | Q(status=Hold.Status.WAITING, deadline__gt=now)
    holds = Hold.objects.filter(live, agent_id=request.agent_id, resource_id=request.resource_id)
    same = (
        hold
        for hold in holds.order_by("status", "asked_at")
        if digest(request.canonical, bytes(hold.salt)) == hold.digest
    )
    return next(same, None)


def require_room(agent: Agent, resource: Resource, *, now: datetime) -> None:
    """Raise Refused (`too_many_holds`) where as many wait as may."""
    waiting = Hold.objects.filter(status=Hold.Status.WAITING, deadline__gt=now)
    limits = (
        (waiting.filter(agent=agent), MOST_PER_AGENT, agent.name),
        (waiting.filter(agent__owner=agent.owner), MOST_PER_OWNER, "the owner's agents"),
        (waiting.filter(resource=resource), max(1, resource.connections // 2), resource.name),
    )
    for holds, most, whose in limits:
        if holds.count() >= most:
            remedy = "Wait for one to be decided, or withdraw one."
            raise Refused(f"{most} actions of {whose} already wait for people.", remedy, code="too_many_holds")


def fresh(request: HoldRequest, agent: Agent, *, now: datetime) -> Hold:
    """The row of a new hold, not saved."""
    decision = request.decision
    acted_for = User.objects.filter(id=request.on_behalf_of).first() if request.on_behalf_of else None
    hold = Hold(
        action_id=request.action_id, session_id=request.session_id, agent=agent, resource_id=request.resource_id,
        digest=request.digest, salt=request.salt, verb=request.verb, summary=request.summary[:300], shown=request.shown,
        shape=request.shape, tables=list(request.tables), tags=list(request.tags), purpose=request.purpose[:300],
        on_behalf_of=acted_for, manager=agent.owner.manager, severity=decision.severity, passkey=decision.passkey, breakglass=sorted(decision.breakglass),
        policy_version=decision.policy_version,
        reasons=[{"policy": reason.policy, "why": reason.why} for reason in decision.reasons],
        excluded=exclusions(agent, acted_for), estimate=dict(request.estimate) if request.estimate else None,
        locks=list(request.locks), in_transaction=request.in_transaction, enforced=request.enforced, has_where=request.has_where,
        asked_at=now, deadline=now + patience(request),
    )  # fmt: skip
    if decision.requirement:
        hold.ask_for(decision.requirement)
    plan_escalation(hold, decision)
    hold.remind_at = remind_at(hold)
    weigh(hold)
    return hold


def plan_escalation(hold: Hold, decision: Decision) -> None:
    """Note to whom it escalates, and when, unless it has ended by then. Not saved."""
    hold.escalate_to, hold.escalate_at = "", None
    if decision.escalate and hold.asked_at + decision.escalate.after < hold.deadline:
        hold.escalate_to, hold.escalate_at = decision.escalate.group, hold.asked_at + decision.escalate.after


def required(hold: Hold, decision: Decision) -> Requirement | None:
    """What `decision` asks of `hold`: as wide as it was escalated, where the policies of now say the same group."""
    wanted = decision.requirement
    if wanted and hold.escalated_at and decision.escalate and decision.escalate.group == hold.escalate_to:
        return wanted.widened(hold.escalate_to)
    return wanted


def remind_at(hold: Hold) -> datetime | None:
    """When to remind of it; None where it ends too soon for that."""
    time = hold.deadline - hold.asked_at
    return hold.asked_at + time * REMINDED if time >= TOO_SHORT else None


def patience(request: HoldRequest) -> timedelta:
    """How long it may wait."""
    ttl = request.decision.ttl or DEFAULT_TTL
    return min(ttl, LONGEST_IN_TRANSACTION) if request.in_transaction else ttl


def weigh(hold: Hold) -> None:
    """Set the risk of `hold` and the lines that add up to it, from what is known of it by now."""
    estimate = hold.estimate or {}
    before = Action.objects.filter(agent_id=hold.agent_id, resource_id=hold.resource_id, asked_at__lt=hold.asked_at)
    before = before.exclude(id=hold.action_id)
    denied = before.filter(decision=Action.Decision.DENY).order_by("-asked_at").first()
    scored = risk.score(
        risk.Facts(
            verb=hold.verb,
            tags=frozenset(hold.tags),
            has_where=hold.has_where,
            in_transaction=hold.in_transaction,
            first_time=not before.filter(shape=hold.shape).exists(),
            denied_seconds_ago=int((hold.asked_at - denied.asked_at).total_seconds()) if denied else None,
            hour=hold.asked_at.hour,
            odd_characters=len(lookalike.find(hold.shown)),
            rows=estimate.get("rows"),
            rows_of=estimate.get("of"),
        )
    )
    hold.risk = scored.score
    hold.risk_sum = [{"because": line.because, "points": line.points} for line in scored.lines]
