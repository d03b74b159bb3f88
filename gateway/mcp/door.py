"""`/mcp/NAME` at the gateway's door: a tool server as its agents see it, over Streamable HTTP. Steps are the pipeline's.

POST brings one message, GET opens a stream for what the server says of itself, DELETE ends a session.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from mcp_types import INVALID_REQUEST

from agents.access import Identity
from agents.metadata import PROTECTED_RESOURCE
from agents.tools import TOOL
from gateway.action import Caller
from gateway.callers import as_proved
from gateway.http.known import Targets
from gateway.mcp.backwards import Backwards
from gateway.mcp.beginning import TASKS_SINCE, Beginning, negotiated, welcome
from gateway.mcp.down import JSON, STREAM, Down
from gateway.mcp.exchange import Exchange
from gateway.mcp.jsonrpc import Fault, Message, Notification, Request, Response, Said, read, refused, result, written
from gateway.mcp.link import HANDSHAKE, MODERN
from gateway.mcp.masking import looked_through
from gateway.mcp.modern import is_modern, mismatch, status_of, wrong
from gateway.mcp.servers import Server
from gateway.mcp.sessions import LOST, Session, Sessions
from gateway.mcp.tasks import METHODS, Task, Tasks, ttl_of
from gateway.pipeline import Pipeline
from gateway.refusal import Refusal
from gateway.tokens_seen import TokensSeen
from gateway.visits import MCP, Visit, Visits
from gateway.web import Problem, Receive, Reply, Scope, Send, problem_of
from gateway.web import Request as HttpRequest

WITHIN: Final = 30.0
"""Seconds that a message has to arrive whole."""
LONGEST_BODY: Final = 1024 * 1024
SESSION: Final = "mcp-session-id"
VERSION: Final = "mcp-protocol-version"
MOST_STREAMS: Final = 4
"""Of one session."""
_PATH: Final = re.compile(r"/mcp/([a-z0-9-]{1,60})\Z")


class McpDoor:
    """Answers what comes to `/mcp/`."""

    def __init__(
        self, pipeline: Pipeline, visits: Visits, servers: Targets[Server], sessions: Sessions, seen: TokensSeen
    ) -> None:
        self._pipeline, self._visits, self._servers, self._sessions = pipeline, visits, servers, sessions
        self._seen, self._tasks = seen, Tasks()
        self._carrying: set[asyncio.Task[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = HttpRequest(scope, receive)
        try:
            reply = await self._answer(request, send)
        except Problem as problem:
            reply = _challenged(problem, request.path)
        except Fault as fault:
            reply = Reply(400, written(fault.said), {"content-type": JSON})
        except Refusal as refusal:
            reply = problem_of(refusal).reply
        if reply is not None:
            await reply.send(send)

    async def _answer(self, request: HttpRequest, send: Send) -> Reply | None:
        """The answer, where it was not sent already."""
        name = _require_address(request)
        # 1. Identify.
        identity = await self._seen.identify(request)
        if identity.resource != name:
            because = f"The token is for {identity.resource}."
            await request.refused(identity.agent, name, "wrong_resource", because)
            raise Problem(403, "wrong_resource", because, remedy=f"Ask for one for {name}.")
        if request.method == "POST":
            return await self._post(request, identity, send)
        visit = await self._visits.begun_by(request, identity, protocol=MCP)
        session = await self._sessions.find(request.header(SESSION), identity, visit)
        if request.method == "DELETE":
            self._sessions.end(session)
            return Reply(204)
        return await self._listen(request, session, visit, send)

    # ---- one message ----
    async def _post(self, request: HttpRequest, identity: Identity, send: Send) -> Reply | None:
        _require_media(request)
        message = read(await request.body(LONGEST_BODY, WITHIN))
        visit = await self._visits.begun_by(request, identity, protocol=MCP)
        params = {} if isinstance(message, Response) else message.params
        if is_modern(request.header(VERSION), params):
            return await self._modern(request, message, visit, identity, send)
        if isinstance(message, Request) and message.method == "initialize":
            return await self._begin(request, message, visit, identity)
        session = await self._sessions.find(request.header(SESSION), identity, visit)
        _require_version(request, session)
        if isinstance(message, Request):
            return await self._asked(request, message, session, visit, identity, send)
        if isinstance(message, Response):
            return self._answered(message, session)
        return await self._noted(message, session)

    async def _begin(self, request: HttpRequest, message: Request, visit: Visit, identity: Identity) -> Reply:
        if request.header(SESSION):
            raise Problem(400, "invalid_request", "A session is begun outside of any.", field=SESSION)
        beginning = Beginning(message, self._pipeline, visit, as_proved(visit.caller, identity))
        version, client = negotiated(message.params)
        try:
            with visit:
                await beginning.decided()
                session = await self._sessions.begin(visit, identity, version=version, client=client)
                beginning.done()
        except Refusal as refusal:
            beginning.failed(refusal)
            return Reply(200, written(refused(message.id, refusal, beginning.action_id)), {"content-type": JSON})
        return Reply(200, written(result(message.id, welcome(session))), {"content-type": JSON, SESSION: session.id})

    async def _modern(
        self, request: HttpRequest, message: Message, visit: Visit, identity: Identity, send: Send
    ) -> Reply | None:
        """A request that says all of it (2026-07-28). What is no request is taken, and goes nowhere: the revision has no other."""
        if isinstance(message, Response):
            raise Fault(INVALID_REQUEST, "In this revision nothing is answered by a client.")
        if isinstance(message, Notification):
            return Reply(202)
        said = wrong(message, request.headers)
        if said is not None:
            return Reply(status_of(said), written(said), {"content-type": JSON})
        beginning = Beginning(message, self._pipeline, visit, as_proved(visit.caller, identity))
        try:
            with visit:
                session = await self._shared(beginning, visit, identity)
        except Refusal as refusal:
            beginning.failed(refusal)
            return Reply(200, written(refused(message.id, refusal, beginning.action_id)), {"content-type": JSON})
        tool = session.server.accepted.definitions.get((TOOL, str(message.params.get("name", ""))))
        if message.method == "tools/call" and tool is not None:
            said = mismatch(message, tool.body["inputSchema"], request.headers)
            if said is not None:
                return Reply(status_of(said), written(said), {"content-type": JSON})
        return await self._asked(request, message, session, visit, identity, send)

    async def _shared(self, beginning: Beginning, visit: Visit, identity: Identity) -> Session:
        """The gate's session with the server for whoever asks, begun where there is none, which is an action. Raises Refusal."""
        known = await self._sessions.standing(identity, visit)
        if known is not None:
            return known
        await beginning.decided()
        session = await self._sessions.shared(visit, identity)
        beginning.done()
        return session

    async def _asked(  # noqa: PLR0917 -- one place calls it
        self, request: HttpRequest, message: Request, session: Session, visit: Visit, identity: Identity, send: Send
    ) -> Reply | None:
        if message.method == "ping":
            return Reply(200, written(result(message.id, {})), {"content-type": JSON})
        if message.id in session.running and session.version != MODERN:
            raise Fault(INVALID_REQUEST, "A request with this id is on its way.", message_id=message.id)
        down = Down(send, {}, session.server.secrets)
        caller = as_proved(visit.caller, identity)
        if message.method in METHODS and session.version == TASKS_SINCE:
            with request.watched(visit.ended) as left:
                said = await self._tasks.answer(message, session.who, left)
            await (down.finish(said) if said is not None else down.end())
            return None
        if message.method == "tools/call" and isinstance(message.params.get("task"), dict):
            await down.finish(await self._as_task(message, session, visit, caller))
            return None
        with request.watched(visit.ended) as left:
            exchange = self._exchange(message, session, visit, caller, down, left)
            task = asyncio.create_task(self._carry(exchange, visit, down))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
            leaving = asyncio.create_task(left.wait())
            # A client that leaves ends nothing that has begun: its answer goes nowhere, and its outcome into the record.
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if visit.ended.is_set():
                await asyncio.gather(task, return_exceptions=True)
        return None

    def _exchange(  # noqa: PLR0917 -- two places call it
        self, message: Request, session: Session, visit: Visit, caller: Caller, down: Down, left: asyncio.Event,
        *, in_task: bool = False,
    ) -> Exchange:  # fmt: skip
        return Exchange(
            message, pipeline=self._pipeline, servers=self._servers, sessions=self._sessions, session=session,
            visit=visit, caller=caller, down=down, left=left, in_task=in_task,
        )  # fmt: skip

    async def _as_task(self, message: Request, session: Session, visit: Visit, caller: Caller) -> Said:
        """Begin a call whose client comes back for its answer: what was decided is told at once."""
        if not self._tasks.has_room(session.who):
            return refused(message.id, Refusal("No more tasks of this agent are kept.", code="too_many_connections"))
        exchange = self._exchange(message, session, visit, caller, Down(_nowhere, {}), visit.ended, in_task=True)
        work = asyncio.create_task(self._worked(exchange, visit))
        self._carrying.add(work)
        work.add_done_callback(self._carrying.discard)
        begun = asyncio.create_task(exchange.begun.wait())
        await asyncio.wait({work, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if not exchange.begun.is_set():  # it was denied
            said = work.result()
            return (
                said if said is not None else refused(message.id, Refusal("The session is over.", code="session_ended"))
            )
        task = Task(exchange.action, session.who, ttl_of(message.params["task"]), exchange.cancel)
        work.add_done_callback(lambda done: task.end(None if done.cancelled() else done.result()))
        self._tasks.keep(task)
        return result(message.id, {"task": task.said})

    async def _worked(self, exchange: Exchange, visit: Visit) -> Said | None:
        with visit:
            return await exchange.run()

    async def _carry(self, exchange: Exchange, visit: Visit, down: Down) -> None:
        with visit:
            said = await exchange.run()
            status = status_of(said) if said is not None and exchange.is_modern else 200
            await (down.finish(said, status) if said is not None else down.end())

    def _answered(self, message: Response, session: Session) -> Reply:
        """What the agent says to what the server asked."""
        waiting = session.back.get(str(message.id))
        if waiting is None or waiting.done():
            raise Problem(400, "invalid_request", "Nobody waits for this answer.", field="id")
        waiting.set_result(message)
        return Reply(202)

    async def _noted(self, message: Notification, session: Session) -> Reply:
        """A notification: what the gate does not know goes nowhere."""
        if message.method == "notifications/cancelled":
            cancel = session.running.get(_id(message.params.get("requestId")))
            if cancel is not None:
                cancel()
        return Reply(202)

    # ---- what a server says of itself ----
    async def _listen(self, request: HttpRequest, session: Session, visit: Visit, send: Send) -> Reply | None:
        if STREAM not in request.header("accept") and "*/*" not in request.header("accept"):
            raise Problem(406, "not_acceptable", f"What comes here is {STREAM}.", field="accept")
        _require_version(request, session)
        if session.listening >= MOST_STREAMS:
            raise Problem(429, "too_many_connections", "No more streams are open in one session.")
        down = Down(send, {}, session.server.secrets)
        await request.body(0, WITHIN)
        session.listening += 1
        try:
            with request.watched(visit.ended) as left:
                await down.begin()
                relaying = asyncio.create_task(self._relayed(session, visit, down, left))
                ending = [asyncio.create_task(one.wait()) for one in (left, session.ended)]
                await asyncio.wait({relaying, *ending}, return_when=asyncio.FIRST_COMPLETED)
                for task in (relaying, *ending):
                    task.cancel()
                await asyncio.gather(relaying, *ending, return_exceptions=True)
        finally:
            session.listening -= 1
            await down.end()
        return None

    async def _relayed(self, session: Session, visit: Visit, down: Down, left: asyncio.Event) -> None:
        """Pass on what the server says of itself; where it says nothing the stream stays open, and silent."""
        back = Backwards(session, self._pipeline, visit, visit.caller, down, "", left)
        async with back:
            with suppress(Refusal, *LOST):
                scanner = self._servers.detecting(visit).scanner
                async for said in session.link.listen():
                    await back.take(looked_through(said, scanner)[0])
            await left.wait()

    async def stop(self) -> None:
        """Let what is on its way be told, and no longer."""
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)


async def _nowhere(_message: Mapping[str, Any]) -> None:
    """Where what is said beside the answer of a task goes."""


def _require_address(request: HttpRequest) -> str:
    """The name of the tool server. Raises Problem for another address or method, and for a page of somebody else's."""
    found = _PATH.match(request.path)
    if found is None or request.query:
        raise Problem(404, "not_found", "There is no such address at this door.", remedy="/mcp/RESOURCE")
    if request.method not in {"POST", "GET", "DELETE"}:
        raise Problem(
            405,
            "method_not_allowed",
            "This address takes POST, GET and DELETE.",
            headers={"allow": "POST, GET, DELETE"},
        )
    _require_origin(request.header("origin"))
    request.require_one_length()
    if any(name == "content-encoding" for name, _ in request.headers):
        raise Problem(415, "body_denied", "A compressed body is not read.", field="content-encoding")
    return found[1]


def _require_origin(origin: str) -> None:
    """A browser says which page asks: none but the gate's own may. Raises Problem."""
    if origin and origin.rstrip("/") != _origin(settings.GATEWAY_URL):
        raise Problem(403, "wrong_origin", "A page of another origin asks.", field="origin")


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _require_media(request: HttpRequest) -> None:
    media = request.header("content-type").partition(";")[0].strip().lower()
    if media != JSON:
        raise Problem(415, "body_denied", f"A message is {JSON}.", field="content-type")
    accepted = request.header("accept").lower()
    if "*/*" not in accepted and not (JSON in accepted and STREAM in accepted):
        raise Problem(406, "not_acceptable", f"Answers are {JSON} or {STREAM}: accept both.", field="accept")


def _require_version(request: HttpRequest, session: Session) -> None:
    """Raise Problem where the request is of another revision than its session, or of one that is not spoken."""
    given = request.header(VERSION)
    if given and (given not in HANDSHAKE or given != session.version):
        raise Problem(400, "unknown_version", f"The session speaks {session.version}.", field=VERSION)


def _challenged(problem: Problem, path: str) -> Reply:
    """A problem; one of identity says where a client finds out how to prove itself (RFC 9728, section 5.1)."""
    reply = problem.reply
    challenge = reply.headers.get("WWW-Authenticate")
    if challenge is None:
        return reply
    place = f"{settings.GATEWAY_URL}{PROTECTED_RESOURCE}{path}"
    headers: Mapping[str, Any] = {**reply.headers, "WWW-Authenticate": f'{challenge}, resource_metadata="{place}"'}
    return Reply(reply.status, reply.body, headers)


def _id(value: object) -> int | str:
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
