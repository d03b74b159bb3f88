"""A session with a tool server over Streamable HTTP, of either revision. What a server answers is parsed and written anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import httpcore
import structlog
from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value, mcp_param_headers, x_mcp_header_map
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, PROTOCOL_VERSION_META_KEY

from agents.tools import TOOL
from gateway.http.reaching import CONNECT_WITHIN, LONGEST
from gateway.mcp.jsonrpc import Said, notification, parsed, request, written
from gateway.mcp.link import ABOUT, HANDSHAKE, LONGEST_ANSWER, MODERN, SessionOver, Welcome, welcome_of
from gateway.mcp.servers import Server
from gateway.mcp.sse import Events
from gateway.refusal import Refusal

SILENT_FOR: Final = 300.0
"""Seconds that a tool may take without a word."""
TIMES: Final = {"connect": CONNECT_WITHIN, "read": SILENT_FOR, "write": 60.0, "pool": CONNECT_WITHIN}
MOST_RESUMED: Final = 20
"""Times that one answer may be taken up again where the server broke its stream off on purpose."""
LONGEST_ID: Final = 200
BEGINS: Final = "narrowgate-begins"
"""The identifier of the request that begins a session."""
log = structlog.get_logger()


class OverHttp:
    """See `gateway.mcp.link.Link`. `modern` is what is known of the server's revision, None for nothing."""

    def __init__(self, server: Server, pool: httpcore.AsyncConnectionPool, *, modern: bool | None = None) -> None:
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
        body = written(said)
        async with self._pool.stream(
            "POST", self._url(), headers=self._headers(said, body), content=body, extensions={"timeout": TIMES}
        ) as answer:
            if said.get("method") == "initialize":
                self._session = _session_id(answer)
            kind = _header(answer, b"content-type").partition(";")[0].strip().lower()
            if kind == "text/event-stream" and answer.status == 200:
                async for message in _events(answer, place):
                    yield message
                return
            if answer.status == 404 and self._session:
                raise SessionOver
            if kind != "application/json" or (answer.status != 200 and not self.modern):
                raise Unanswered(_status(answer.status))
            yield _message(await _whole(answer))

    async def _got(self, place: Place) -> AsyncIterator[Said]:
        headers = [*self._about(), ("accept", "text/event-stream")]
        headers += [("last-event-id", place.id)] if place.id else []
        async with self._pool.stream(
            "GET", self._url(), headers=_encoded(headers), extensions={"timeout": {**TIMES, "read": LONGEST}}
        ) as answer:
            if answer.status != 200 or not _header(answer, b"content-type").startswith("text/event-stream"):
                return
            async for message in _events(answer, place):
                yield message

    async def tell(self, said: Said) -> None:
        """See `Link`."""
        if self.modern:
            return  # the revision has nothing that a client says without asking
        body = written(said)
        async with self._pool.stream(
            "POST", self._url(), headers=self._headers(said, body), content=body, extensions={"timeout": TIMES}
        ) as answer:
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
        headers = _encoded(self._about())
        times = {**TIMES, "read": CONNECT_WITHIN}
        with suppress(httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError):
            async with self._pool.stream("DELETE", self._url(), headers=headers, extensions={"timeout": times}):
                self._session = ""

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

    def _headers(self, said: Said, body: bytes) -> list[tuple[bytes, bytes]]:
        headers = [*self._about(), ("accept", "application/json, text/event-stream")]
        headers += [("content-type", "application/json"), ("content-length", str(len(body)))]
        return _encoded([*headers, *(self._routing(said) if self.modern else ())])

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
        usual = 443 if server.way.tls else 80
        host = f"[{server.way.host}]" if ":" in server.way.host else server.way.host
        headers = [("host", host if server.way.port == usual else f"{host}:{server.way.port}")]
        headers += [("user-agent", "narrowgate"), ("accept-encoding", "identity")]
        headers += [("mcp-protocol-version", self._version)] if self._version else []
        headers += [("mcp-session-id", self._session)] if self._session else []
        return [*headers, *([server.credential] if server.credential is not None else [])]

    def _url(self) -> httpcore.URL:
        way = self._server.way
        host = way.host.encode("idna") if not way.host.isascii() else way.host.encode()
        scheme = b"https" if way.tls else b"http"
        return httpcore.URL(scheme=scheme, host=host, port=way.port, target=self._server.path.encode("ascii"))


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


async def _events(answer: httpcore.Response, place: Place) -> AsyncIterator[Said]:
    events = Events()
    async for piece in answer.aiter_stream():
        for one in events.feed(piece):
            place.id = one.id
            place.retry = one.retry if one.retry is not None else place.retry
            if one.data:
                yield _message(one.data.encode())


async def _whole(answer: httpcore.Response) -> bytes:
    parts, size = [], 0
    async for piece in answer.aiter_stream():
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


def _session_id(answer: httpcore.Response) -> str:
    """What the server calls the session: nothing of it reaches an agent. Raises Refusal for what no header can carry."""
    found = _header(answer, b"mcp-session-id")
    if len(found) > LONGEST_ID or not all("!" <= one <= "~" for one in found):
        raise Refusal("The tool server begins with what cannot be read.", code="answer_unclear")
    return found


def _status(status: int) -> Refusal:
    return Refusal(f"The tool server answered {status}.", code="resource_unavailable", remedy="Its owner knows why.")


def _header(answer: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for given, value in answer.headers if given.lower() == name), "")


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
