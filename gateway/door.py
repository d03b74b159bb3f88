"""The gateway's HTTPS door, for agents: its own addresses, no cookie, no session, no page of the console.

The console's door never serves these addresses and this one never serves the console's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from io import BytesIO
from typing import Any, NamedTuple

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, JsonResponse
from django.middleware.security import SecurityMiddleware

from gateway.threads import Pool

URLS = "gateway.urls"
AT_ONCE = 8
"""Requests that one process answers at the same time, each with a connection to the database that is kept."""
LONGEST_BODY = 65_536
BODY_WITHIN = 10.0
"""Seconds that a request has to arrive whole."""
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Ways = Mapping[str, Callable[[Any, Any, Any], Awaitable[None]]]


class Answer(NamedTuple):
    """A response, whole: nothing that the door answers is long."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Door(BaseHandler):
    """Django's handler with the gateway's addresses and nothing but the security headers around them.

    Django's own ASGI handler gives each request a thread, and with it a new connection to the database, and goes there and back
    several times. Here AT_ONCE threads stay, each with its connection; a request that is there whole goes to one that is free, once,
    so that a client which sends slowly keeps nobody waiting.
    """

    def __init__(self, ways: Ways | None = None) -> None:
        """`ways` are answered on the event loop, by the beginning of their address: what agents do, rather than ask of us."""
        super().__init__()
        self.load_middleware()
        self._ways = ways or {}
        self._threads: Pool | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        """Answer a request, once it has arrived, in a thread that is free."""
        if scope["type"] != "http":
            raise ValueError(f"The door speaks HTTP alone, not {scope['type']}.")
        way = next((way for begins, way in self._ways.items() if scope["path"].startswith(begins)), None)
        if way is not None:
            await way(scope, receive, send)
            return
        try:
            async with asyncio.timeout(BODY_WITHIN):
                body = await _body(receive)
        except TimeoutError:
            await _send(send, _refusal(408, "The request did not arrive in time."))
            return
        if body is None:
            await _send(send, _refusal(413, f"The request has more than {LONGEST_BODY} bytes."))
            return
        threads = self._threads = self._threads or Pool("gateway-door", AT_ONCE)
        await _send(send, await threads.run(self._answer, scope, body))

    async def close(self) -> None:
        """End the threads and their connections; what is being answered is answered first."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await threads.close()

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the one-link chain, in place of `settings.MIDDLEWARE`, which is the console's."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        inner = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]  # the stubs leave it out
        self._middleware_chain = convert_exception_to_response(SecurityMiddleware(inner))

    def _answer(self, scope: MutableMapping[str, Any], body: bytes) -> Answer:
        request = ASGIRequest(scope, BytesIO(body))
        request.urlconf = URLS
        response = self.get_response(request)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        return Answer(response.status_code, headers, response.getvalue())


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is too long. Of a client that left, what there is: nobody hears the answer."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LONGEST_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _refusal(status: int, why: str) -> Answer:
    """An answer without reading further; the connection ends with it."""
    body = json.dumps({"error": "invalid_request", "error_description": why}).encode()
    return Answer(status, [(b"content-type", b"application/json"), (b"connection", b"close")], body)


async def _send(send: Any, answer: Answer) -> None:  # noqa: ANN401 -- ASGI's
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def not_found(_request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """404 in the form of every error here."""
    return JsonResponse(
        {"error": "not_found", "error_description": "There is no such address at this door."}, status=404
    )


def malformed(_request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """400 for what is no request that could be read: too long, too many fields, no such host."""
    return JsonResponse(
        {"error": "invalid_request", "error_description": "The request is too long, or malformed."}, status=400
    )


def broken(_request: HttpRequest) -> JsonResponse:
    """500, without a word about why: the log knows."""
    return JsonResponse(
        {"error": "server_error", "error_description": "Something broke here, and was logged."}, status=500
    )
