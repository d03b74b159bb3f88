"""Sessions of protocols that keep no connection: one agent at one resource with one credential, until five silent minutes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

import structlog
from django.db import Error as OrmError
from django.db import transaction

from activity import actions
from agents.access import Identity
from gateway.action import Caller
from gateway.callers import caller_of, is_alive, live, opening_of, require_known, why_over
from gateway.ending import Ending
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
from gateway.web import Request
from policies.snapshot import Snapshot

ASK: Final = "ask"
HTTP: Final = "http"
MCP: Final = "mcp"
PROTOCOLS: Final = (ASK, HTTP, MCP)
"""Those whose sessions are without a connection."""
SILENT = 300.0
"""Seconds without a request after which a session is over."""
SWEEP = 5.0
MOST = 10_000
"""Sessions of one gateway at a time; beyond it a new one is refused."""
OVER = "Five minutes without a request."
LEAVING = "The gate is shutting down."
log = structlog.get_logger()

Key = tuple[UUID, str]
"""A credential and a protocol."""


@dataclass(eq=False)
class Visit:
    """A session without a connection. `ended` is set once nothing more may happen in it, `because` says why."""

    caller: Caller
    number: int = 0
    rows: int = 0
    bytes: int = 0
    """What its actions returned so far."""
    running: int = 0
    """Requests that are on their way."""
    secret_recorded: bool = False
    """Whether the ledger says that it is served with a credential of the vault."""
    heard: float = field(default_factory=time.monotonic)
    ended: Ending = field(default_factory=Ending)
    because: str = ""

    def next(self) -> int:
        """The number of its next action."""
        self.number += 1
        return self.number

    def end(self, because: str) -> None:
        """Let nothing more happen in it. A second time does nothing."""
        if not self.ended.is_set():
            self.because = because
            self.ended.set()

    def __enter__(self) -> Self:
        self.running += 1
        return self

    def __exit__(self, *_error: object) -> None:
        self.running -= 1
        self.heard = time.monotonic()


class Visits:
    """The open sessions of this gateway that have no connection."""

    def __init__(self, watch: Watch, node_id: UUID) -> None:
        self._watch = watch
        self._node_id = node_id
        self._open: dict[Key, Visit] = {}
        self._opening: dict[Key, asyncio.Lock] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._leaving = False

    def start(self) -> None:
        """Begin to end those that are silent."""
        self._sweeper = asyncio.create_task(self._sweep(), name="visits")

    def leave(self) -> None:
        """End all of them, and begin no more: whoever waits is answered while there is still a door to answer by."""
        self._leaving = True
        self.end_all(LEAVING)

    def end_all(self, because: str) -> None:
        """End all of them; others may begin."""
        for visit in self._open.values():
            visit.end(because)

    async def stop(self) -> None:
        """Leave, and close what is over."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        self.leave()
        await self._close_ended()

    @property
    def credentials(self) -> set[UUID]:
        """The credentials of those that are open."""
        return {credential for credential, _ in self._open}

    def is_open(self, credential: UUID) -> bool:
        """Whether a session with this credential is open, which ends within a second of its revocation."""
        return any(
            visit is not None and not visit.ended.is_set()
            for visit in (self._open.get((credential, protocol)) for protocol in PROTOCOLS)
        )

    async def begun_by(self, request: Request, identity: Identity, *, protocol: str) -> Visit:
        """The session that a request belongs to. Raises Refusal, recorded."""
        try:
            return await self.enter(
                identity, protocol=protocol, source=request.source, client=request.header("user-agent")
            )
        except Refusal as refusal:
            await request.refused(identity.agent, identity.resource, refusal.code, refusal.message)
            raise

    async def enter(self, identity: Identity, *, protocol: str, source: str, client: str) -> Visit:
        """The session of a proved identity, opened where there is none. Raises Refusal.

        `client` is what the agent calls its program.
        """
        key = (identity.credential, protocol)
        known = self._open.get(key)
        if known is not None and not known.ended.is_set():
            return known
        lock = self._opening.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = self._open.get(key)
                if known is not None and not known.ended.is_set():
                    return known
                return await self._begin(key, identity, source, client)
        finally:
            if not lock.locked():
                self._opening.pop(key, None)

    async def _begin(self, key: Key, identity: Identity, source: str, client: str) -> Visit:
        if self._leaving:
            raise Refusal(LEAVING, code="shutting_down", sqlstate="57P01", remedy="Ask again in a moment.")
        if len(self._open) >= MOST:
            raise Refusal("The gate takes no more sessions.", code="too_many_connections", sqlstate="53300")
        await self._watch.heard()
        agent_id = require_known(self._watch.current(), identity.agent, identity.resource)
        over = self._open.get(key)
        if over is not None:  # it was cut, and not closed yet
            await self._close(key, over)
        visit = Visit(
            await in_thread(_opened, identity, agent_id, self._node_id, protocol=key[1], source=source, client=client)
        )
        self._open[key] = visit
        # From here on a revocation finds it; one that came meanwhile is found here.
        if not await in_thread(is_alive, identity.credential):
            visit.end("The credential was revoked.")
            raise Refusal("The credential was revoked.", code="credential_revoked", sqlstate="28000")
        return visit

    def changed(self, snapshot: Snapshot, revoked: frozenset[UUID]) -> None:
        """End those that may not go on."""
        for visit in self._open.values():
            because = why_over(visit.caller, snapshot, revoked)
            if because:
                visit.end(because)

    def cut(self, session_id: UUID, reason: str) -> None:
        """A person ended this session."""
        for visit in self._open.values():
            if visit.caller.session_id == session_id:
                visit.end(f"This session was cut: {reason}")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.end_silent(time.monotonic() - SILENT)
            await self._close_ended()

    def end_silent(self, before: float) -> None:
        """End those in which nothing happened since `before`, a `time.monotonic()`."""
        for visit in self._open.values():
            if not visit.running and visit.heard < before:
                visit.end(OVER)

    async def _close_ended(self) -> None:
        over = [(key, visit) for key, visit in self._open.items() if visit.ended.is_set() and not visit.running]
        for key, visit in over:
            try:
                await self._close(key, visit)
            except OrmError as error:  # it stays, and is closed once the database answers
                log.warning("session_not_closed", session=str(visit.caller.session_id), error=str(error))

    async def _close(self, key: Key, visit: Visit) -> None:
        await in_thread(actions.close_session, visit.caller.session_id, because=visit.because)
        if self._open.get(key) is visit:  # meanwhile another may have begun
            del self._open[key]


def _opened(
    identity: Identity, agent_id: UUID, node_id: UUID, *, protocol: str, source: str, client: str
) -> Caller:  # one transaction: no session without its entry
    with transaction.atomic():
        credential, resource = live(identity, agent_id)
        caller = caller_of(identity, credential, resource, source, node_id)
        actions.open_session(opening_of(caller, protocol=protocol, client=client))
    return caller
