"""Waiting for people: a hold is asked for, settled somewhere else, and released here, at most once.

The row decides, never a notification: each wake-up reads it again. A client that leaves changes nothing for its hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import transaction

from activity.actions import hold_action
from activity.hotpath import Intent
from agents.actors import agent_actor
from approvals import actions as approvals
from approvals.actions import HoldRequest, PoliciesChanged, QuorumLost
from approvals.models import Hold
from approvals.queries import too_few
from core.errors import AlreadySettled, NarrowgateError, Refused
from gateway.action import Action, Caller, intent_of
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
from policies.decision import Decision

REMIND = 30.0
"""Seconds between notices while people think."""
WORDS: Mapping[str, tuple[str, str]] = {
    "denied": ("hold_denied", "A reviewer denied it."),
    "expired": ("hold_expired", "Nobody decided before the deadline."),
    "withdrawn": ("hold_withdrawn", "It was withdrawn."),
    "lapsed": ("hold_lapsed", "The approval was not collected in time, or holds no longer."),
    "released": ("hold_released", "It was approved, and released to another session of this agent."),
}
log = structlog.get_logger()


class Left(Exception):
    """The client left while its action waits; the hold goes on without it."""


class Waiting(Protocol):
    """An adapter's side of a hold."""

    @property
    def in_transaction(self) -> bool:
        """Whether waiting keeps a transaction open."""
        ...

    @property
    def locks(self) -> tuple[str, ...]:
        """Tables that the open transaction has written to."""
        ...

    @property
    def left(self) -> asyncio.Event:
        """Set when the client is gone."""
        ...

    @property
    def cancelled(self) -> asyncio.Event:
        """Set when the client asks to cancel."""
        ...

    def tell(self, words: str) -> None:
        """Say something to the client without answering it."""
        ...

    async def again(self, salt: bytes) -> Action:
        """The action as it is understood now, its names resolved anew, its digest made with `salt`."""
        ...

    async def estimate(self) -> Mapping[str, object] | None:
        """How much it would touch, counted or estimated without running it."""
        ...


class Holds:
    """The holds that sessions of this gateway wait for."""

    def __init__(self, watch: Watch, *, node_id: UUID, console_url: str) -> None:
        self._watch = watch
        self._node_id = node_id
        self._console_url = console_url.rstrip("/")
        self._waiting: dict[UUID, set[asyncio.Future[str]]] = {}
        self._estimates: set[asyncio.Task[None]] = set()
        watch.holds = lambda: list(self._waiting)
        watch.on_holds = self._read

    def _read(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for hold_id, status, _because, deadline in rows:
            if status != Hold.Status.WAITING or deadline <= datetime.now(UTC):
                for waiter in self._waiting.get(hold_id, ()):
                    if not waiter.done():
                        waiter.set_result(str(status))

    async def ask(self, caller: Caller, action: Action, decision: Decision, party: Waiting) -> Hold:
        """Ask people, or join the hold of the same action. Raises Refusal when no more may wait."""
        request = _request(caller, action, decision, party)
        intent = intent_of(action, caller, decision, status="held")
        try:
            hold = await in_thread(_ask, request, intent)
        except Refused as error:
            raise Refusal(error.message, code=error.code, remedy=error.remedy) from None
        if str(hold.action_id) == action.id and hold.status == Hold.Status.WAITING:
            self._estimate(hold.id, party.estimate())
        return hold

    def _estimate(self, hold_id: UUID, estimate: Awaitable[Mapping[str, object] | None]) -> None:
        async def note() -> None:
            found = await estimate
            if found is not None:
                await in_thread(approvals.estimated, hold_id, found)

        task = asyncio.ensure_future(note())
        self._estimates.add(task)
        task.add_done_callback(self._estimated)

    async def close(self) -> None:
        """Give up estimates that are still out."""
        for task in self._estimates:
            task.cancel()
        await asyncio.gather(*self._estimates, return_exceptions=True)

    def _estimated(self, task: asyncio.Task[None]) -> None:
        self._estimates.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("estimate_failed", error=str(task.exception()))

    async def approval(self, hold: Hold, party: Waiting) -> None:
        """Return once `hold` is approved. Raises Refusal for every other end, Left when the client went away."""
        while True:
            await in_thread(_look, hold)
            if hold.status == Hold.Status.APPROVED:
                return
            if hold.status != Hold.Status.WAITING:
                raise _ended(hold)
            if hold.deadline <= datetime.now(UTC):
                await in_thread(approvals.expire, hold.id)  # a no-op unless the database's clock agrees
                await asyncio.sleep(0.05)
                continue
            party.tell(self._notice(hold))
            await self._change(hold, party)

    async def _change(self, hold: Hold, party: Waiting) -> None:
        """Wait for a change of the row, a reminder's time, or the client's leaving or cancelling."""
        settled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(hold.id, set()).add(settled)
        left, cancelled = (asyncio.ensure_future(event.wait()) for event in (party.left, party.cancelled))
        try:
            waiters: set[asyncio.Future[Any]] = {settled, left, cancelled}
            await asyncio.wait(waiters, timeout=REMIND, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            cancelled.cancel()
            self._forget(hold.id, settled)
        if party.cancelled.is_set():
            await self._withdraw(hold)
        elif party.left.is_set():
            raise Left

    def _forget(self, hold_id: UUID, settled: asyncio.Future[str]) -> None:
        waiters = self._waiting[hold_id]
        waiters.discard(settled)
        if not waiters:
            del self._waiting[hold_id]

    async def _withdraw(self, hold: Hold) -> None:
        try:
            await in_thread(_withdraw, hold)
        except AlreadySettled:
            return  # settled in the same moment: `approval` reads how
        raise Refusal(
            "Canceled by the client while it waited for approval; it did not run.",
            code="hold_withdrawn",
            sqlstate="57014",
        )

    def _notice(self, hold: Hold) -> str:
        seats = hold.needs
        left = max(0, round((hold.deadline - datetime.now(UTC)).total_seconds()))
        why = hold.reasons[0]["why"] if hold.reasons else ""
        why += " Too few people may review it; administrators were told." if hold.too_few else ""
        return (
            f"Waiting for approval ({seats}) until {hold.deadline.astimezone(UTC):%H:%M:%S} UTC, {left} s left. {why} "
            f"{self._console_url}/queue/{hold.id}/"
        )

    async def release(self, hold: Hold, digest: str, decision: Decision, *, masked: bool) -> bool:
        """Use the approval up; False when the hold must be looked at again. Raises Refusal when it may not run."""
        try:
            await in_thread(
                approvals.release, hold.id, digest=digest, decision=decision, node=self._node_id, masked=masked
            )
        except PoliciesChanged:
            await self._watch.refresh()
            return False
        except QuorumLost:
            return False
        except AlreadySettled:
            await in_thread(hold.refresh_from_db)
            raise _ended(hold) from None
        except NarrowgateError as error:
            raise Refusal(f"{error.message} (action {hold.action_id})", code=error.code, remedy=error.remedy) from None
        return True


def _look(hold: Hold) -> None:
    hold.refresh_from_db()
    hold.too_few = too_few(hold)


def _ask(request: HoldRequest, intent: Intent) -> Hold:
    with transaction.atomic():
        hold = approvals.ask(request)
        if hold.action_id == request.action_id:
            hold_action(intent)
    return hold


def _withdraw(hold: Hold) -> None:
    approvals.withdraw(hold.id, by=agent_actor(hold.agent), because="The agent canceled it.")


def _request(caller: Caller, action: Action, decision: Decision, party: Waiting) -> HoldRequest:
    return HoldRequest(
        action_id=UUID(action.id),
        session_id=caller.session_id,
        agent_id=caller.agent_id,
        resource_id=caller.resource_id,
        canonical=action.canonical,
        salt=action.salt,
        digest=action.digest,
        decision=decision,
        verb=action.verb,
        summary=action.summary,
        shown=action.shown,
        shape=action.shape,
        tables=tuple(sorted(action.tables)),
        tags=tuple(sorted(action.tags)),
        purpose=caller.purpose,
        on_behalf_of=caller.on_behalf_of,
        in_transaction=party.in_transaction,
        enforced=action.enforced,
        has_where=action.has_where,
        locks=party.locks,
    )


def _ended(hold: Hold) -> Refusal:
    code, words = WORDS.get(hold.status, ("hold_ended", "It may not run."))
    because = hold.settled_because or words
    return Refusal(
        f"Not run. {because} (action {hold.action_id})", code=code, remedy="Ask again if it is still needed."
    )
