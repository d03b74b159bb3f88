"""HTTP at the gateway's door, on its event loop: a request as it arrives, an answer, and refusals as problems (RFC 9457)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import psycopg
import structlog
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as OrmError

from activity import actions
from agents.access import Identity
from core.errors import Invalid, NarrowgateError
from gateway.ending import LEFT, Ending
from gateway.presented import Challenge, identify
from gateway.recorder import cannot_record
from gateway.refusal import Refusal
from gateway.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Way = Callable[[Scope, Receive, Send], Awaitable[None]]
PROBLEM: Final = "application/problem+json"
STATUSES: Final[Mapping[str, int]] = {
    "too_many_holds": 429,
    "too_many_connections": 429,
    "credential_expired": 401,
    "credential_revoked": 401,
    "deaf": 503,
    "record_unavailable": 503,
    "shutting_down": 503,
    "no_login": 502,
    "resource_unavailable": 502,
    "resource_timeout": 504,
    "unknown_resource": 404,
}
"""Of refusals that are not 403."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Reply:
    """An answer that is there whole."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, send: Send) -> None:
        """Answer with it. What it says is never stored."""
        given = {"cache-control": "no-store", "x-content-type-options": "nosniff", **self.headers}
        given |= {"content-length": str(len(self.body))}
        headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in given.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Problem(Exception):
    """What is wrong with a request, as RFC 9457 says it: `field` names the part, `remedy` what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        remedy: str = "",
        field: str = "",
        action: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.action = status, code, detail, action
        self.remedy, self.field, self.headers = remedy, field, headers or {}

    @property
    def reply(self) -> Reply:
        """The answer that says so."""
        said = {
            "type": f"urn:narrowgate:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        said |= {"remedy": self.remedy} if self.remedy else {}
        said |= {"field": self.field} if self.field else {}
        said |= {"action": self.action} if self.action else {}
        return Reply(self.status, _json(said), {"content-type": PROBLEM, **self.headers})


def answer(said: Mapping[str, object], status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """An answer in JSON."""
    return Reply(status, _json(said), {"content-type": "application/json", **(headers or {})})


def _json(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


def _late() -> Problem:
    return Problem(408, "invalid_request", "The request did not arrive in time.", headers={"connection": "close"})


def problem_of(error: Refusal | NarrowgateError, action: str = "") -> Problem:
    """A refusal of an action, or what went wrong in it, in the form of HTTP."""
    if isinstance(error, Refusal):
        return Problem(STATUSES.get(error.code, 403), error.code, error.message, remedy=error.remedy, action=action)
    named = error.field if isinstance(error, Invalid) else ""
    return Problem(error.status, error.code, error.message, remedy=error.remedy, field=named)


async def carried(way: Way, scope: Scope, receive: Receive, send: Send) -> None:
    """Let a way answer. What breaks before it has begun to, the database being gone included, is a problem as any other; later, the connection is cut."""
    begun = False

    async def sending(message: MutableMapping[str, Any]) -> None:
        nonlocal begun
        begun = True
        await send(message)

    try:
        await way(scope, receive, sending)
    except Exception as error:
        if begun:
            raise
        await _broken(error).reply.send(send)


def _broken(error: Exception) -> Problem:
    if isinstance(error, (OrmError, psycopg.Error)):
        log.warning("database_lost", error=str(error))
        return problem_of(cannot_record())
    log.error("request_failed", exc_info=error)
    return Problem(500, "broken", "Something broke at the gate, and was logged.", remedy="Tell the operators when.")


class Request:
    """A request whose head has arrived. `path` is as it was sent, escapes and all."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope, self.receive = scope, receive
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        """Names in small letters, with values, as often as they came."""

    @property
    def method(self) -> str:
        """As it was sent."""
        return str(self.scope["method"])

    @property
    def path(self) -> str:
        """Without the query."""
        return bytes(self.scope.get("raw_path") or b"").partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        """What comes after the first question mark."""
        return bytes(self.scope["query_string"]).decode("latin-1")

    @property
    def source(self) -> str:
        """The client's address."""
        return str((self.scope.get("client") or ("",))[0])

    def header(self, name: str) -> str:
        """The value of a header that may come once. Raises Problem where it came twice."""
        found = [value for given, value in self.headers if given == name]
        if len(found) > 1:
            raise Problem(400, "invalid_request", f"The header {name} is given twice.", field=name)
        return found[0] if found else ""

    async def identity(self) -> Identity:
        """Step 1: who asks. Raises Problem, recorded, for whoever proves nobody."""
        try:
            return await in_thread(identify, ASGIRequest(dict(self.scope), BytesIO()))
        except Challenge as challenge:
            if challenge.code != "use_dpop_nonce":  # every client's first proof is answered so
                await self.refused("", "", challenge.code, challenge.message)
            raise Problem(401, challenge.code, challenge.message, headers=challenge.headers) from None

    async def refused(self, agent: str, resource: str, code: str, because: str) -> None:
        """Record that nothing came of it."""
        await in_thread(
            actions.refuse_session, agent=agent, resource=resource, source=self.source, code=code, because=because
        )

    def require_one_length(self) -> None:
        """Raise Problem where two readers could find two ends of the body (RFC 9112, section 6.3)."""
        coded = [value for name, value in self.headers if name == "transfer-encoding"]
        is_old = self.scope["http_version"] == "1.0"  # which knows no chunks
        if coded and (is_old or any(name == "content-length" for name, _ in self.headers)):
            raise Problem(400, "invalid_request", "The request says its length in two ways.", field="content-length")
        if coded and [value.lower() for value in coded] != ["chunked"]:
            words = "The gate reads no transfer coding but chunked."
            raise Problem(501, "invalid_request", words, field="transfer-encoding", headers={"connection": "close"})

    @property
    def has_body(self) -> bool:
        """Whether a body follows the head (RFC 9112, section 6.3)."""
        return any(name in {"content-length", "transfer-encoding"} for name, _ in self.headers)

    async def body(self, most: int, within: float, remedy: str = "") -> bytes:
        """All of the body. Raises Problem where it is longer than `most` bytes, with that remedy, or takes more than `within` seconds."""
        if not self.has_body:
            return b""
        try:
            async with asyncio.timeout(within):
                return await self._whole(most, remedy)
        except TimeoutError:
            raise _late() from None

    async def _whole(self, most: int, remedy: str) -> bytes:
        parts, size = [], 0
        while True:
            message = await self.receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > most:
                words = f"The request has more than {most} bytes."
                raise Problem(413, "too_long", words, remedy=remedy, headers={"connection": "close"})
            if not message.get("more_body"):
                return b"".join(parts)

    async def pieces(self, within: float) -> AsyncIterator[bytes]:
        """The body as it comes, or what came of it before the client left. Raises Problem where nothing comes for `within` seconds."""
        more = True
        while more:
            try:
                async with asyncio.timeout(within):
                    message = await self.receive()
            except TimeoutError:
                raise _late() from None
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    @contextmanager
    def watched(self, ended: Ending) -> Iterator[Ending]:
        """Watch, once the body is read, for the client's leaving and for the session's end: what is given is set at the first of them."""
        left, connection = Ending(), self.scope[LEFT]
        with connection.calls(left.set), ended.calls(left.set):
            yield left
