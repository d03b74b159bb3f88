"""What happens to an action, whatever its protocol. Adapters translate to and from it; the steps are the design's.

1. Identify: the caller is an active agent with an unexpired credential, by a snapshot heard of within a second.
2. Classify: the adapter has turned bytes into an `Action`, or asks to have a refusal recorded (`refuse`).
3. Decide, against that snapshot.
4. Hold, if the decision says so: wait for people.
5. Record the intent; without a committed entry the action is refused.
6. Release: `admit` returns, and the adapter sends the action up, once.
7. Mask, by the obligations that came with the decision, as the answer streams.
8. Record the outcome.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from activity.hotpath import Outcome
from approvals.models import Hold
from gateway.action import STILL, Action, Caller, decided_details, intent_of
from gateway.batches import never_released
from gateway.holds import Holds, Waiting
from gateway.moment import Counted, moment
from gateway.recorder import Recorder
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from ledger.entries import Draft
from ledger.events import Event
from ledger.write import draft
from policies.decision import Code, Decision, Verdict
from policies.evaluate import Engine
from policies.snapshot import Snapshot
from policies.verbs import ARRANGING

Obligations = TypeVar("Obligations")


class Party(Waiting, Counted, Protocol[Obligations]):
    """An adapter's side of one action."""

    def obligations(self, decision: Decision) -> Obligations:
        """What the adapter must do to the answer. Raises Refusal where it cannot be done."""
        ...

    def masks(self, obligations: Obligations) -> bool:
        """Whether the answer is masked for the agent."""
        ...


@dataclass(slots=True)
class Admission(Generic[Obligations]):
    """An action that may be sent up now, once, and what must be done to its answer."""

    action_id: str
    shared: bool
    decision: Decision
    obligations: Obligations


class Pipeline:
    """The one place that says what happens to an action."""

    def __init__(self, watch: Watch, recorder: Recorder, holds: Holds) -> None:
        self._watch = watch
        self._recorder = recorder
        self._holds = holds

    async def admit(self, caller: Caller, action: Action, party: Party[Obligations]) -> Admission[Obligations]:
        """Take an action through steps 1 to 5, waiting for people if need be. Raises Refusal, recorded, when it may not run."""
        begun = await self.begin(caller, action, party)
        return begun if isinstance(begun, Admission) else await self.collect(caller, begun, party)

    async def begin(self, caller: Caller, action: Action, party: Party[Obligations]) -> Admission[Obligations] | Hold:
        """As `admit`, but where it waits for people: the hold, to be collected by `collect`."""
        # 1. Identify.
        if self._watch.is_deaf:
            await self._watch.heard()
        snapshot = self._identify(caller)
        if caller.verbs is not None and not action.verbs - ARRANGING <= caller.verbs:
            raise await self.refuse(caller, action, _beyond(action, caller.verbs))
        # 3. Decide; what cannot be obliged is denied with the rest.
        try:
            decision = await self.decide(snapshot, caller, action, party)
        except Refusal as refusal:
            raise await self.refuse(caller, action, refusal) from None
        if decision.verdict is Verdict.DENY:
            raise await self.refuse(caller, action, _denied(decision), decision)
        try:
            obligations = party.obligations(decision)
        except Refusal as refusal:
            raise await self.refuse(caller, action, refusal, decision) from None
        # 4. Hold.
        if decision.verdict is Verdict.HOLD:
            return await self._ask(caller, action, decision, party)
        try:
            _require_proof(caller, decision)
        except Refusal as refusal:
            raise await self.refuse(caller, action, refusal, decision) from None
        # 5. Record intent.
        intent = intent_of(action, caller, decision, status="released")
        intent.masked = party.masks(obligations)
        entry = None if action.shared else _entry(Event.ACTION_ALLOWED, caller, action, decision)
        try:
            await self._recorder.intend(intent, entry)
            # 6. Release, unless the caller was stopped while the entry was written.
            if self._watch.is_deaf:
                await self._watch.heard()
            self._identify(caller)
        except (Refusal, asyncio.CancelledError) as stopped:
            self.finish(never_released(intent, stopped))
            raise
        return Admission(action.id, action.shared, decision, obligations)

    async def decide(self, snapshot: Snapshot, caller: Caller, action: Action, party: Counted) -> Decision:
        """Step 3 alone: no approval is ever claimed here. Raises Refusal where policies look at what nobody can say."""
        agent, resource = snapshot.agents[caller.agent].facts, snapshot.resources.get(caller.resource)
        wanted = snapshot.engine.wanted(caller.agent, action.verbs, caller.resource)
        now = STILL
        if wanted:
            read = snapshot.engine.arguments_read(caller.agent, action.verbs, caller.resource)
            now = await moment(wanted, caller, action, party, self._watch.risks, arguments=read)
        return snapshot.engine.decide(action.asked(caller, agent, resource.facts if resource else None, now))

    async def would(self, caller: Caller, action: Action, party: Counted) -> Decision:
        """What would be decided of an action that nobody asks for, to list what may be asked for: nothing is released. Raises Refusal."""
        snapshot = self._identify(caller)
        if caller.verbs is not None and not action.verbs - ARRANGING <= caller.verbs:
            raise _beyond(action, caller.verbs)
        return await self.decide(snapshot, caller, action, party)

    @property
    def engine(self) -> Engine:
        """What decides now. Raises Refusal while the gate is deaf."""
        return self._watch.current().engine

    async def refuse(
        self, caller: Caller, action: Action, refusal: Refusal, decision: Decision | None = None
    ) -> Refusal:
        """Record that an action was denied, and give the refusal to tell the agent, which names it."""
        decision = decision or _undecided(refusal)
        intent = intent_of(action, caller, decision, status="denied", code=refusal.code, reason=refusal.message)
        details = {"code": refusal.code, "reason": _safe_reason(refusal, decision)}
        await self._recorder.intend(intent, _entry(Event.ACTION_DENIED, caller, action, decision, **details))
        return told(refusal, action.id, decision)

    def finish(self, outcome: Outcome) -> None:
        """Step 8."""
        self._recorder.finish(outcome)

    def _identify(self, caller: Caller, *, expiry: bool = True) -> Snapshot:
        """Step 1. A token's expiry counts when an action is asked, not while people think about it."""
        snapshot = self._watch.current()
        require_running(snapshot)
        if not snapshot.agents.keys() >= {caller.agent, *caller.through}:
            raise Refusal(f"The agent {caller.agent} is not active.", code="agent_not_active", sqlstate="28000")
        if expiry and time.time() >= caller.expires:
            raise Refusal(
                "The credential of this session has expired.",
                code="credential_expired",
                sqlstate="28000",
                remedy="Renew it with SET narrowgate.token = '…', or connect again with a new one.",
            )
        return snapshot

    async def _ask(self, caller: Caller, action: Action, decision: Decision, party: Party[Obligations]) -> Hold:
        # 4. Hold: the row.
        try:
            return await self._holds.ask(caller, action, decision, party)
        except Refusal as refusal:
            raise await self.refuse(caller, action, refusal, decision) from None

    async def collect(self, caller: Caller, hold: Hold, party: Party[Obligations]) -> Admission[Obligations]:
        """Steps 4 to 6 of an action that people were asked about. Raises Refusal, and Left when the client went away."""
        while True:
            # 4. The wait, and again a decision, by the policies of then, without approval.
            await self._holds.approval(hold, party)
            again = await party.again(bytes(hold.salt))
            await self._watch.heard()
            decided = await self.decide(self._identify(caller, expiry=False), caller, again, party)
            if decided.verdict is Verdict.DENY:  # the hold lapses in `release`, which says why
                obligations, masked = None, False
            else:
                _require_proof(caller, decided)  # the hold stays approved, for whoever asks again and proves it
                obligations = party.obligations(decided)
                masked = party.masks(obligations)
            # 5. The intent is recorded by the release itself, in the transaction that uses the approval up.
            if await self._holds.release(hold, again.digest, decided, masked=masked) and obligations is not None:
                # 6. Release.
                return Admission(str(hold.action_id), False, decided, obligations)


def require_running(snapshot: Snapshot) -> None:
    """Raise Refusal while everything is stopped."""
    if snapshot.halted:
        raise Refusal(
            "Everything is stopped.",
            code="halted",
            sqlstate="28000",
            remedy="Two people can lift it; then get a new credential.",
        )


def _require_proof(caller: Caller, decision: Decision) -> None:
    """Raise Refusal where policy asks that the agent has proved lately that it holds its key, and it has not."""
    within = decision.proof.total_seconds() if decision.proof is not None else None
    if within is not None and time.time() - caller.proved > within:
        raise Refusal(
            f"Policy asks for a proof, at most {within:.0f} s old, that the agent's key is held.",
            code="proof_needed",
            remedy="Over HTTP, ask with a token that is bound to a key: its DPoP proof is one. With one bound to a certificate, connect anew.",
        )


def _denied(decision: Decision) -> Refusal:
    policies = ", ".join(decision.policies)
    remedy = (
        f"Whoever maintains the policy {policies} could allow it."
        if policies
        else "A policy that permits it would allow it."
    )
    return Refusal(decision.why, code=str(decision.code), remedy=remedy)


def _beyond(action: Action, verbs: frozenset[str]) -> Refusal:
    asked = ", ".join(sorted(action.verbs - ARRANGING - verbs))
    return Refusal(
        f"The credential is good for {', '.join(sorted(verbs))} alone, and this is {asked}.",
        code="outside_delegation",
        remedy="Ask whoever let the agent act for them for more, or act without their delegation.",
    )


def _undecided(refusal: Refusal) -> Decision:
    return Decision(verdict=Verdict.DENY, code=Code.UNKNOWN_VERB, why=refusal.message)


def told(refusal: Refusal, action_id: UUID | str, decision: Decision | None = None) -> Refusal:
    """The refusal as the agent gets it: reason, policies and the action's id."""
    policies = ", ".join(decision.policies) if decision is not None else ""
    by = f" [policy {policies}]" if policies and decision is not None and decision.verdict is Verdict.DENY else ""
    message = f"{refusal.message}{by} (action {action_id})"
    return Refusal(message, code=refusal.code, sqlstate=refusal.sqlstate, remedy=refusal.remedy)


def _safe_reason(refusal: Refusal, decision: Decision) -> str:
    """Words without anything the agent typed, for the ledger: a policy's own, else the code."""
    return decision.why if decision.reasons else refusal.code


def _entry(event: Event, caller: Caller, action: Action, decision: Decision, **details: object) -> Draft:
    return draft(
        event,
        actor=caller.actor,
        subject=action.subject(),
        session=caller.session_id,
        action=action.id,
        digest=action.digest,
        policy_version=decision.policy_version,
        source=caller.source or None,
        details={**decided_details(action, decision), **details},
    )
