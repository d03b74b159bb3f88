"""Sessions of MCP: each agent's with the gate, and behind it one of the gate's own with the server. Neither sees the other's identifier."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from agents import tool_actions
from agents.access import Identity
from agents.tools import Definition
from core.errors import NarrowgateError
from gateway.http.known import Targets
from gateway.http.lost import Late, Lost
from gateway.mcp.jsonrpc import Response, Said, request
from gateway.mcp.link import MODERN, Link, Welcome
from gateway.mcp.offers import CAPABILITY, LISTS, Key, offered_by, unusable
from gateway.mcp.overhttp import OverHttp
from gateway.mcp.program import Program
from gateway.mcp.servers import Server
from gateway.refusal import Refusal
from gateway.threads import in_thread
from gateway.visits import SILENT, Visit
from gateway.web import Problem
from ledger.entries import Actor

READ_AGAIN: Final = 300.0
"""Seconds after which a session looks again at what its server offers."""
MOST: Final = 10_000
MOST_OF_ONE: Final = 100
"""Sessions of one agent at one server."""
MOST_PAGES: Final = 50
SWEEP: Final = 5.0
LOST: Final = (Lost, OSError)
"""What a link raises where a server is not reached, or is lost."""
log = structlog.get_logger()
Who = tuple[object, ...]


def who_of(identity: Identity) -> Who:
    """Whom a session belongs to: an agent at a resource, for a person, with a token bound as it was. Tokens may follow each other."""
    person = (identity.on_behalf_of, identity.delegated, identity.through)
    return identity.agent, identity.resource, *person, identity.verbs, identity.jkt, identity.x5t


@dataclass(eq=False)
class Session:
    """An agent's session and the gate's own behind it. `client` is what the agent said that it can do."""

    id: str
    who: Who
    server: Server
    link: Link
    version: str
    client: Mapping[str, Any]
    welcome: Welcome
    offered: Mapping[Key, Definition] = field(default_factory=dict)
    """What the server offered when it was last looked at."""
    running: dict[object, Callable[[], None]] = field(default_factory=dict)
    """How to cancel each request that is on its way, by its identifier where that is the session's own."""
    back: dict[str, asyncio.Future[Response]] = field(default_factory=dict)
    """What the server asked of the agent and waits for, by the gate's own identifier."""
    heard: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    listening: int = 0
    _read: float = -READ_AGAIN
    _number: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def calls_itself(self) -> str:
        """What the server calls itself."""
        return f"{self.welcome.about['name']} {self.welcome.about['version']}".strip()

    def next(self) -> int:
        """The identifier of the gate's next request to the server."""
        self._number += 1
        return self._number

    def stale(self) -> None:
        """Look at what the server offers before anything else is asked of it."""
        self._read = -READ_AGAIN

    async def look(self, note: Callable[[Session, Mapping[Key, Definition]], Any]) -> None:
        """Read what the server offers, where that is due. `note` is called with what differs from what is known. Raises Refusal."""
        async with self._turn:
            if time.monotonic() - self._read < READ_AGAIN:
                return
            offered = await offered_now(self)
            if self.server.accepted.differs(offered):
                await note(self, offered)
            self.offered, self._read = offered, time.monotonic()


async def offered_now(session: Session) -> dict[Key, Definition]:
    """What the server lists, every page of it. Raises Refusal."""
    lists = {
        method: await _all_pages(session, method)
        for method in LISTS
        if CAPABILITY[method] in session.welcome.capabilities
    }
    return offered_by(lists, session.welcome.instructions)


async def _all_pages(session: Session, method: str) -> list[object]:
    found: list[object] = []
    params: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        result = await _result(session, request(session.next(), method, params))
        entries, cursor = result.get(LISTS[method][1]), result.get("nextCursor")
        if not isinstance(entries, list) or not isinstance(cursor, (str, type(None))):
            raise unusable("it has not the form of MCP.")
        found += entries
        if not cursor:
            return found
        params = {"cursor": cursor}
    raise unusable("it does not end.")


async def _result(session: Session, said: Said) -> Mapping[str, Any]:
    async for message in session.link.ask(said):
        if message.get("id") == said["id"] and isinstance(message.get("result"), dict):
            result: Mapping[str, Any] = message["result"]
            return result
        if "method" not in message:
            break
    raise unusable("it is not given.")


class Sessions:
    """The open ones of this gateway."""

    def __init__(self, servers: Targets[Server], node: Actor) -> None:
        self._servers, self._node = servers, node
        self._open: dict[str, Session] = {}
        self._modern: dict[tuple[object, ...], bool | None] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._sharing: dict[str, asyncio.Lock] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to end those that are silent."""
        self._sweeper = asyncio.create_task(self._sweep(), name="mcp sessions")

    async def stop(self) -> None:
        """End all of them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        for session in list(self._open.values()):
            self.end(session)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def begin(self, visit: Visit, identity: Identity, *, version: str, client: Mapping[str, Any]) -> Session:
        """Begin a session with the server for whoever asks. Raises Refusal."""
        who = who_of(identity)
        if len(self._open) >= MOST or sum(one.who == who for one in self._open.values()) >= MOST_OF_ONE:
            raise Refusal("No more sessions are taken with this tool server.", code="too_many_connections")
        server = await self._servers.of(visit)
        link = self._link(server)
        try:
            welcome = await link.begin(client)
        except LOST as error:
            await link.close()
            raise unreached(error) from None
        except Refusal:
            await link.close()
            raise
        if isinstance(link, OverHttp):
            self._modern[server.same_way] = link.modern
        session = Session(secrets.token_urlsafe(24), who, server, link, version, client, welcome)
        self._open[session.id] = session
        return session

    def _link(self, server: Server) -> Link:
        if server.pool is None:
            return Program(server)
        return OverHttp(server, server.pool, modern=self._modern.get(server.same_way))

    async def find(self, session_id: str, identity: Identity, visit: Visit) -> Session:
        """The session that a request names. Raises Problem, the same for one that is somebody else's and one that is not."""
        session = self._open.get(session_id)
        if session is None or session.who != who_of(identity) or session.ended.is_set():
            raise Problem(404, "unknown_session", "There is no such session.", remedy="Begin one with initialize.")
        server = await self._servers.of(visit)
        if server.same_way != session.server.same_way:
            self.end(session)
            raise Problem(404, "unknown_session", "The session is over.", remedy="Begin another with initialize.")
        session.server, session.heard = server, time.monotonic()
        return session

    async def standing(self, identity: Identity, visit: Visit) -> Session | None:
        """The session with the server that requests of the newest revision of whoever asks share, where there is one."""
        known = self._open.get(_shared(identity))
        with suppress(Problem):
            return None if known is None else await self.find(known.id, identity, visit)
        return None

    async def shared(self, visit: Visit, identity: Identity) -> Session:
        """As `standing`, begun where there is none. Raises Refusal."""
        key = _shared(identity)
        lock = self._sharing.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                known = await self.standing(identity, visit)
                if known is not None:
                    return known
                session = await self.begin(visit, identity, version=MODERN, client={})
                self._open[key] = self._open.pop(session.id)
                session.id = key
                return session
        finally:
            if not lock.locked():
                self._sharing.pop(key, None)

    async def look(self, session: Session) -> None:
        """Know what its server offers. Raises Refusal."""
        try:
            await session.look(self._note)
        except LOST as error:
            raise unreached(error) from None

    async def _note(self, session: Session, offered: Mapping[Key, Definition]) -> None:
        about = session.calls_itself
        try:
            await in_thread(tool_actions.saw, session.server.id, offered, about=about, actor=self._node)
        except NarrowgateError as error:
            raise Refusal(error.message, code=error.code, remedy=error.remedy) from None

    def end(self, session: Session) -> None:
        """End a session, here and at the server."""
        if self._open.pop(session.id, None) is None:
            return
        session.ended.set()
        for cancel in list(session.running.values()):
            cancel()
        for waiting in session.back.values():
            waiting.cancel()
        task = asyncio.create_task(session.link.close())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.end_silent(time.monotonic() - SILENT)

    def end_silent(self, before: float) -> None:
        """End those in which nothing happened since `before`, a `time.monotonic()`."""
        for session in list(self._open.values()):
            if not session.running and not session.listening and session.heard < before:
                self.end(session)


def _shared(identity: Identity) -> str:
    return f"shared {who_of(identity)!r}"  # with a space: no header can name it


def unreached(error: Exception) -> Refusal:
    """Why a server is not reached: the agent learns no more than that."""
    log.info("tool_server_unreached", error=f"{type(error).__name__}: {error}")
    if isinstance(error, Late):
        return Refusal(
            "The tool server did not answer in time.", code="resource_timeout", remedy="Try again in a moment."
        )
    return Refusal("The tool server cannot be reached.", code="resource_unavailable", remedy="Try again in a moment.")
