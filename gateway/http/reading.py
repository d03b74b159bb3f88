"""Pure. Step 2 for HTTP: a request, whole, becomes an operation with arguments; its digest covers every byte that goes up.

Of a long body that is no JSON it covers the length alone: such a request is allowed or denied, and never held (`party.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from activity.digest import SALT_BYTES, canonical, digest
from agents.openapi import Operation
from core.errors import Invalid
from core.ids import new_id
from gateway.action import Action, Caller
from gateway.asked.reading import object_or_list, one_line
from gateway.http.paths import Routes, fields, segments, target
from gateway.refusal import Refusal
from policies.arguments import readable
from policies.verbs import HTTP_READ, HTTP_WRITE

LONGEST_BODY: Final = 1024 * 1024
"""Bytes of a request's body that is there first, because what is decided is what is sent."""
LONGEST_VALUE: Final = 4_096
LONGEST_SHOWN: Final = 20_000
JSON_TYPES: Final = ("application/json", "+json")
PASSED: Final = frozenset(
    {
        "accept",
        "accept-language",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "idempotency-key",
        "range",
    }
)
"""Headers that go up as they come, beside those that the API's description lists."""
NEVER: Final = frozenset(
    {
        "authorization", "connection", "content-encoding", "content-length", "cookie", "dpop", "expect", "forwarded", "host", "keep-alive",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-http-method",
        "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
    }
)  # fmt: skip
"""Headers that never go up, whatever the description lists: what they say is the gate's, or one connection's."""
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Call:
    """A request as it goes up."""

    operation: Operation
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    arguments: Mapping[str, Any]
    description: str
    """The digest of the document by which it was understood."""
    follows: int = 0
    """Bytes of a body that goes up as it comes, in place of one that is there."""


@dataclass(frozen=True)
class Request:
    """A request as it came: `path` begins behind the resource's name, names of headers are in small letters."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    follows: int = 0
    """Bytes of a body that is not read before it is decided."""


def understand(request: Request, routes: Routes, base: str, description: str) -> Call:
    """What a request means. Raises Refusal."""
    parts = segments(request.path)
    found = routes.find(request.method, parts)
    asked = fields(request.query)
    unlisted = next((name for name, _ in asked if name not in found.operation.queries), None)
    if unlisted is not None:
        raise Refusal(
            f"{found.operation.name} lists no query parameter {unlisted[:40]}.",
            code="unlisted_parameter",
            remedy="Leave it out, or have it listed.",
        )
    headers = tuple(_headers(request.headers, found.operation))
    arguments = {"path": dict(found.parameters), "query": _query(asked)}
    body = _body(request, found.operation)
    arguments |= {"body": body} if body is not None else {}
    up = target(base, parts, asked)
    return Call(found.operation, up, headers, request.body, arguments, description, request.follows)


def _query(asked: Iterable[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in asked:
        found.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _headers(given: Iterable[tuple[str, str]], operation: Operation) -> Iterable[tuple[str, str]]:
    """The headers that go up; each may come once."""
    wanted = (PASSED | set(operation.headers)) - NEVER
    seen: set[str] = set()
    for name, value in given:
        if name not in wanted and not (name == "content-type" and operation.media):
            continue
        if name in seen or len(value) > LONGEST_VALUE:
            raise Refusal(
                f"The header {name} is there twice, or too long.", code="header_denied", remedy="Send it once."
            )
        seen.add(name)
        yield name, value


def media_type(given: Iterable[tuple[str, str]]) -> str:
    """The media type that headers name, without its parameters."""
    return next((value for name, value in given if name == "content-type"), "").partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    """Whether a media type is JSON."""
    return media == JSON_TYPES[0] or media.endswith(JSON_TYPES[1])


def _body(request: Request, operation: Operation) -> Any:  # noqa: ANN401 -- JSON
    """The body as arguments; what is no JSON, by its hash, or by its length alone where that is known alone. None where there is none."""
    if any(name == "content-encoding" and value.lower() != "identity" for name, value in request.headers):
        raise Refusal("A compressed body is not read.", code="body_denied", remedy="Send it as it is.")
    if not request.body and not request.follows:
        return None
    media = media_type(request.headers)
    if media not in operation.media:
        listed = ", ".join(operation.media) or "no body"
        raise Refusal(
            f"{operation.name} takes {listed}.", code="body_denied", remedy="Send that, with its Content-Type."
        )
    if request.follows:
        if operation.reads:
            raise Refusal(
                "A long body goes with what changes something.",
                code="body_denied",
                remedy=f"Send at most {LONGEST_BODY} bytes.",
            )
        return {"bytes": request.follows}
    if not is_json(media):
        return {"sha256": sha256(request.body).hexdigest(), "bytes": len(request.body)}
    try:
        return object_or_list(request.body)
    except Invalid as error:
        raise Refusal(error.message, code="body_denied", remedy=error.remedy) from None


def action_of(call: Call, caller: Caller, tags: frozenset[str], *, number: int, salt: bytes = b"") -> Action:
    """The action of sending it once. A salt is made where none is given. Raises Refusal."""
    salt = salt or os.urandom(SALT_BYTES)
    covered = _canonical(call, caller)
    verb = HTTP_READ if call.operation.reads else HTTP_WRITE
    try:
        arguments = readable(call.arguments)
    except Invalid as error:
        raise Refusal(error.message, code="body_denied", remedy=error.remedy) from None
    return Action(
        str(new_id()), number, verb, shown(call), covered, salt, digest(covered, salt), datetime.now(UTC), frozenset({verb}),
        tags=tags, shape=call.operation.name, summary="" if call.operation.reads else summary(call),
        shared=call.operation.reads, operation=call.operation.name, arguments=arguments,
    )  # fmt: skip


def _canonical(call: Call, caller: Caller) -> bytes:
    return canonical(
        {
            "agent": caller.agent,
            "body": f"{call.follows} bytes, as they come" if call.follows else sha256(call.body).hexdigest(),
            "description": call.description,
            "headers": [list(pair) for pair in sorted(call.headers)],
            "method": call.operation.method,
            "on_behalf_of": str(caller.on_behalf_of or ""),
            "operation": call.operation.name,
            "resource": caller.resource,
            "target": call.target,
        }
    )


def unread(request: Request, caller: Caller, number: int) -> Action:
    """The action of a request that was refused before it was understood. What it asked for is shown without query and body."""
    salt = os.urandom(SALT_BYTES)
    said = {
        "agent": caller.agent,
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "resource": caller.resource,
    }
    covered = canonical(said | {"body": sha256(request.body).hexdigest()})
    text = f"{request.method[:16]} {request.path[:500]}"
    return Action(str(new_id()), number, UNKNOWN, text, covered, salt, digest(covered, salt), datetime.now(UTC))


def shown(call: Call) -> str:
    """The request for people: its line, and its body."""
    line = f"{call.operation.method} {call.target}"
    body = call.arguments.get("body")
    if body is None:
        return line[:LONGEST_SHOWN]
    return f"{line}\n{json.dumps(body, ensure_ascii=False, indent=2, sort_keys=True)}"[:LONGEST_SHOWN]


def summary(call: Call) -> str:
    """One line of it: the operation, and what is in path and body."""
    body = call.arguments.get("body")
    named = {**call.arguments["path"], **(body if isinstance(body, dict) else {})}
    return one_line(call.operation.name, named)
