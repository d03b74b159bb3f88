"""A session with a tool server over Streamable HTTP, of either revision. What a server answers is parsed and written anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value, mcp_param_headers, x_mcp_header_map
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from agents.tools import TOOL
from gateway.http.connection import Sending, head
from gateway.http.lost import Lost
from gateway.http.pool import Answer, Pool
from gateway.http.reaching import CONNECT_WITHIN, LONGEST
from gateway.mcp.jsonrpc import Said, notification, parsed, request, written
from gateway.mcp.link import ABOUT, HANDSHAKE, LONGEST_ANSWER, MODERN, SessionOver, Welcome, welcome_of
from gateway.mcp.servers import Server
from gateway.mcp.sse import Events
from gateway.refusal import Refusal

SILENT_FOR: Final = 300.0
"""Seconds that a tool may take without a word."""
MOST_RESUMED: Final = 20
"""Times that one answer may be taken up again where the server broke its stream off on purpose."""
LONGEST_ID: Final = 200
BEGINS: Final = "narrowgate-begins"
"""The identifier of the request that begins a session."""
log = structlog.get_logger()


class OverHttp:
    """See `gateway.mcp.link.Link`. `modern` is what is known of the server's revision, None for nothing."""

    def __init__(self, server: Server, pool: Pool, *, modern: bool | None = None) -> None:
        self._server, self._pool = server, pool
        self.modern = modern
        self._session = ""
        self._version = ""
        self._capabilities: Mapping[str, Any] = {}

    # ---- beginning ----
    async def begin(self, capabilities: Mapping[str, Any]) -> Welcome:
        """Find out which revision the server speaks, and begin."""
        self._capabilities = capabilities
        if self.modern is not False:
            found = await self._discovered()
            if found is not None:
                return found
        return await self._initialized()

    async def _discovered(self) -> Welcome | None:
        """What a server of the newest revision says; None for any other."""
        self.modern, self._version = True, MODERN
        try:
            result = await self._only(request(BEGINS, "server/discover", {}))
            versions = result.get("supportedVersions", ())
            if isinstance(versions, list) and MODERN in versions:
                return welcome_of(result, MODERN)
        except Unanswered:
            pass
        self.modern, self._version = False, ""
        return None

    async def _initialized(self) -> Welcome:
        about = {"protocolVersion": HANDSHAKE[0], "capabilities": dict(self._capabilities), "clientInfo": dict(ABOUT)}
        try:
            result = await self._only(request(BEGINS, "initialize", about))
        except Unanswered as error:
            raise error.refusal from None
        version = result.get("protocolVersion")
        if version not in HANDSHAKE:
            raise Refusal("The tool server speaks no revision that the gate speaks.", code="resource_unavailable")
        self._version = str(version)
        await self.tell(notification("notifications/initialized", {}))
        return welcome_of(result, self._version)

    async def _only(self, said: Said) -> Mapping[str, Any]:
        """The result of a request. Raises Unanswered."""
        async for message in self.ask(said):
            if message.get("id") == said["id"] and isinstance(message.get("result"), dict):
                found: Mapping[str, Any] = message["result"]
                return found
            if "error" in message and message.get("id") in {said["id"], None}:
                break
        raise Unanswered(Refusal("The tool server does not begin a session.", code="resource_unavailable"))

    # ---- one request ----
    async def ask(self, said: Said, client: Mapping[str, Any] | None = None) -> AsyncIterator[Said]:
        """See `Link`. A stream that the server broke off on purpose is taken up again where it ended."""
        place = Place()
        async for message in self._posted(self._with_meta(said, client), place):
            yield message
            if "method" not in message:
                return
        for _ in range(MOST_RESUMED):
            if not place.id:
                break
            await asyncio.sleep(place.retry / 1_000)
            async for message in self._got(place):
                yield message
                if "method" not in message:
                    return
        raise ConnectionResetError("the stream ended before the answer")

    async def _posted(self, said: Said, place: Place) -> AsyncIterator[Said]:
        with await self._post(said) as answer:
            if said.get("method") == "initialize":
                self._session = _session_id(answer)
            kind = answer.header(b"content-type").partition(";")[0].strip().lower()
            if kind == "text/event-stream" and answer.status == 200:
                async for message in _events(answer, place):
                    yield message
                return
            if answer.status == 404 and self._session:
                raise SessionOver
            if kind != "application/json" or (answer.status != 200 and not self.modern):
                raise Unanswered(_status(answer.status))
            whole = await _whole(answer)
        yield _message(whole)

    async def _got(self, place: Place) -> AsyncIterator[Said]:
        headers = [*self._about(), ("accept", "text/event-stream")]
        headers += [("last-event-id", place.id)] if place.id else []
        with await self._pool.ask(self._sending("GET", headers), silent_for=LONGEST) as answer:
            if answer.status != 200 or not answer.header(b"content-type").startswith("text/event-stream"):
                return
            async for message in _events(answer, place):
                yield message

    async def tell(self, said: Said) -> None:
        """See `Link`."""
        if self.modern:
            return  # the revision has nothing that a client says without asking
        with await self._post(said) as answer:
            if answer.status == 404 and self._session:
                raise SessionOver
            if answer.status not in {200, 202, 204}:
                raise _status(answer.status)

    async def listen(self) -> AsyncIterator[Said]:
        """See `Link`."""
        if self.modern:
            return
        async for message in self._got(Place()):
            yield message

    async def close(self) -> None:
        """See `Link`."""
        if not self._session:
            return
        asked, self._session = self._sending("DELETE", self._about()), ""
        with suppress(Lost), await self._pool.ask(asked, silent_for=CONNECT_WITHIN):
            pass

    # ---- headers ----
    def _with_meta(self, said: Said, client: Mapping[str, Any] | None) -> Said:
        """The newest revision says with each request what a session said once."""
        if not self.modern or "id" not in said:
            return said
        params = said.get("params", {})
        meta = {
            **params.get("_meta", {}),
            PROTOCOL_VERSION_META_KEY: MODERN,
            CLIENT_INFO_META_KEY: dict(ABOUT),
            CLIENT_CAPABILITIES_META_KEY: dict(self._capabilities if client is None else client),
        }
        return {**said, "params": {**params, "_meta": meta}}

    async def _post(self, said: Said) -> Answer:
        body = written(said)
        headers = [*self._about(), ("accept", "application/json, text/event-stream")]
        headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
        headers += self._routing(said) if self.modern else ()
        return await self._pool.ask(self._sending("POST", headers, body), silent_for=SILENT_FOR)

    def _sending(self, method: str, headers: list[tuple[str, str]], body: bytes = b"") -> Sending:
        return Sending(method, head(method, self._server.path, headers) + body)

    def _routing(self, said: Said) -> list[tuple[str, str]]:
        """What the newest revision says in headers too, for whoever routes by it."""
        method, params = str(said.get("method", "")), said.get("params", {})
        headers = [("mcp-method", method)]
        named = NAME_BEARING_METHODS.get(method)
        headers += [("mcp-name", encode_header_value(str(params.get(named, ""))))] if named else []
        tool = (
            self._server.accepted.definitions.get((TOOL, str(params.get("name", ""))))
            if method == "tools/call"
            else None
        )
        if tool is not None:
            marked = x_mcp_header_map(tool.body["inputSchema"])
            headers += mcp_param_headers(marked, params.get("arguments", {})).items()
        return headers

    def _about(self) -> list[tuple[str, str]]:
        """Who asks, and in which session."""
        server = self._server
        headers = [("host", server.way.authority), ("user-agent", "narrowgate"), ("accept-encoding", "identity")]
        headers += [("mcp-protocol-version", self._version)] if self._version else []
        headers += [("mcp-session-id", self._session)] if self._session else []
        return [*headers, *([server.credential] if server.credential is not None else [])]


@dataclass
class Place:
    """How far a stream of events was read, and after how many milliseconds it may be taken up again."""

    id: str = ""
    retry: int = 500


class Unanswered(Refusal):
    """A server answered with no message of the protocol."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message, code=refusal.code, remedy=refusal.remedy)
        self.refusal = refusal


async def _events(answer: Answer, place: Place) -> AsyncIterator[Said]:
    events = Events()
    async for piece in answer.body():
        for one in events.feed(piece):
            place.id = one.id
            place.retry = one.retry if one.retry is not None else place.retry
            if one.data:
                yield _message(one.data.encode())


async def _whole(answer: Answer) -> bytes:
    parts, size = [], 0
    async for piece in answer.body():
        parts.append(piece)
        size += len(piece)
        if size > LONGEST_ANSWER:
            raise Refusal("The tool server's answer is too long.", code="answer_too_long")
    return b"".join(parts)


def _message(body: bytes) -> Said:
    try:
        said = parsed(body)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise Unanswered(Refusal("The tool server's answer is no message.", code="answer_unclear"))
    return said


def _session_id(answer: Answer) -> str:
    """What the server calls the session: nothing of it reaches an agent. Raises Refusal for what no header can carry."""
    found = answer.header(b"mcp-session-id")
    if len(found) > LONGEST_ID or not all("!" <= one <= "~" for one in found):
        raise Refusal("The tool server begins with what cannot be read.", code="answer_unclear")
    return found


def _status(status: int) -> Refusal:
    return Refusal(f"The tool server answered {status}.", code="resource_unavailable", remedy="Its owner knows why.")
