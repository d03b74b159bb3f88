"""An action followed as server-sent events: each change of what is told of it, until nothing of it changes any more.

An event's identifier is made of what it says. A client that comes back with the last one it had (`Last-Event-ID`), at whichever
gateway, is told what changed meanwhile and nothing twice; where that was all, the answer is 204, at which browsers stop asking.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from activity.models import Action
from agents.access import Identity
from approvals.models import Hold
from gateway.asked.reports import described, own_action
from gateway.threads import in_thread
from gateway.visits import Visit
from gateway.web import Problem, Reply, Request, Send

STREAM: Final = "text/event-stream"
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff", "x-accel-buffering": "no"}
MOST_EACH: Final = 10
"""Streams of one agent at one gateway."""
SILENT: Final = 15.0
"""Seconds after which something is said, so that nobody in between takes the stream for dead."""
LOOK: Final = 1.0
"""Seconds between looks at what nobody is woken for, as an action that runs."""
RETRY: Final = 2_000
"""Milliseconds after which a client comes back when the stream breaks."""
_MOVING: Final = frozenset({Action.Status.HELD, Action.Status.RELEASED, Action.Status.PENDING})
Settle = Callable[[Action, Hold, float, asyncio.Event], Awaitable[None]]
"""Waits so many seconds for people, or until the client leaves; releases what they approved, where it is for the agent to carry out."""


def wanted(request: Request) -> bool:
    """Whether the client asks for a stream."""
    kinds = [value for name, value in request.headers if name == "accept"]
    return any(kind.partition(";")[0].strip().lower() == STREAM for kind in ",".join(kinds).split(","))


def is_over(found: Action) -> bool:
    """Whether nothing of it changes but by the agent's own word."""
    return found.status not in _MOVING or (found.status == Action.Status.RELEASED and not found.enforced)


def event_of(found: Action, hold: Hold | None) -> tuple[str, bytes]:
    """What is told of an action now, as an event, with its identifier."""
    data = json.dumps(described(found, hold), ensure_ascii=False).encode("utf-8", "replace")
    name = sha256(data).hexdigest()[:24]
    return name, b"event: action\nid: " + name.encode() + b"\ndata: " + data + b"\n\n"


def told_at_once(found: Action, hold: Hold | None, last: str) -> Reply:
    """The whole stream of an action that is over."""
    name, event = event_of(found, hold)
    return Reply(204) if name == last else Reply(200, event, {"content-type": STREAM})


class Followers:
    """How many streams each agent has here."""

    def __init__(self) -> None:
        self._of: Counter[UUID] = Counter()

    def come(self, agent: UUID) -> None:
        """One more. Raises Problem where there are as many as may be."""
        if self._of[agent] >= MOST_EACH:
            raise Problem(
                429, "too_many_streams", f"This agent follows {MOST_EACH} actions here already.", remedy="Close one, or ask with ?wait=60."
            )  # fmt: skip
        self._of[agent] += 1

    def go(self, agent: UUID) -> None:
        """One less."""
        self._of[agent] -= 1
        if not self._of[agent]:
            del self._of[agent]


@dataclass
class Following:
    """An answer that goes on until the action is over, the client leaves, or its credential ends."""

    action_id: UUID
    request: Request
    identity: Identity
    visit: Visit
    followers: Followers
    settle: Settle
    last: str = ""
    _tried: bool = False

    async def send(self, send: Send) -> None:
        """Answer with it."""
        try:
            with self.visit, self.request.watched(self.visit.ended) as left:
                ends = max(0.0, (self.identity.expires_at - datetime.now(UTC)).total_seconds())
                timer = asyncio.get_running_loop().call_later(ends, left.set)
                try:
                    await self._follow(send, left)
                finally:
                    timer.cancel()
        finally:
            self.followers.go(self.visit.caller.agent_id)

    async def _follow(self, send: Send, left: asyncio.Event) -> None:
        headers = [(name.encode(), value.encode()) for name, value in {**HEADERS, "content-type": STREAM}.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _piece(send, b"retry: %d\n\n" % RETRY)
        spoke = time.monotonic()
        while True:
            found, hold = await in_thread(own_action, self.action_id, self.identity)
            name, event = event_of(found, hold)
            if name != self.last:
                await _piece(send, event)
                self.last, spoke = name, time.monotonic()
            elif time.monotonic() - spoke >= SILENT:
                await _piece(send, b": %d s left\n\n" % _left(hold))
                spoke = time.monotonic()
            if left.is_set() or is_over(found):
                break
            await self._change(found, hold, left)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _change(self, found: Action, hold: Hold | None, left: asyncio.Event) -> None:
        """Until it may have changed, or it is time to say something."""
        if hold is not None and hold.status == Hold.Status.WAITING:
            await self.settle(found, hold, SILENT, left)
        elif hold is not None and hold.status == Hold.Status.APPROVED and not found.enforced:
            await _either(left, LOOK if self._tried else 0)  # what is refused at once must not be asked in a circle
            self._tried = True
            await self.settle(found, hold, SILENT, left)
        else:
            await _either(left, LOOK)


def _left(hold: Hold | None) -> int:
    """Seconds that people still have."""
    if hold is None or hold.status != Hold.Status.WAITING:
        return 0
    return max(0, int((hold.deadline - datetime.now(UTC)).total_seconds()))


async def _piece(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


async def _either(left: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await left.wait()
    except TimeoutError:
        return
