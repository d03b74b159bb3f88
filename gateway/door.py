"""The gateway's HTTPS door, for agents: its own addresses, no cookie, no session, no page of the console.

The console's door never serves these addresses and this one never serves the console's.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import django
from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.middleware.security import SecurityMiddleware

URLS = "gateway.urls"
AT_ONCE = 8
"""Requests that one process answers at the same time, each with a connection to the database that is kept."""
LONGEST_BODY = 65_536
BODY_WITHIN = 10.0
"""Seconds that a request has to arrive whole."""
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Door(ASGIHandler):
    """Django's ASGI handler with the gateway's addresses and nothing but the security headers around them.

    Django gives each request a thread of its own, and with it a new connection to the database. Here AT_ONCE threads stay,
    each with its connection, and a request takes one that is free: what is more than that waits. It takes one when it is there
    whole, so that a client which sends slowly keeps nobody waiting.
    """

    def __init__(self) -> None:
        super().__init__()
        self._free = [ThreadSensitiveContext() for _ in range(AT_ONCE)]
        self._room = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        """Answer a request, once it has arrived, in a thread that is free."""
        if scope["type"] != "http":
            raise ValueError(f"The door speaks HTTP alone, not {scope['type']}.")
        try:
            async with asyncio.timeout(BODY_WITHIN):
                body = await _body(receive)
        except TimeoutError:
            await _refuse(send, 408, "The request did not arrive in time.")
            return
        if body is None:
            await _refuse(send, 413, f"The request has more than {LONGEST_BODY} bytes.")
            return
        await self._answer(scope, _arrived(body, receive), send)

    async def _answer(self, scope: Any, receive: Receive, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        async with self._room:
            thread = self._free.pop()
            known = SyncToAsync.thread_sensitive_context.set(thread)
            try:
                await self.handle(scope, receive, send)
            finally:
                SyncToAsync.thread_sensitive_context.reset(known)
                self._free.append(thread)

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the one-link chain, in place of `settings.MIDDLEWARE`, which is the console's."""
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        answer = getattr(self, "_get_response_async" if is_async else "_get_response")  # the stubs leave both out
        inner = convert_exception_to_response(answer)
        self._middleware_chain = convert_exception_to_response(SecurityMiddleware(inner))

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Answer from the gateway's addresses."""
        request.urlconf = URLS
        return await super().get_response_async(request)


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


def _arrived(body: bytes, receive: Receive) -> Receive:
    """What the application receives: the body in one piece, and after it whatever comes."""
    pieces = [body]

    async def received() -> MutableMapping[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(), "more_body": False}
        return await receive()

    return received


async def _refuse(send: Any, status: int, why: str) -> None:  # noqa: ANN401 -- ASGI's
    """Answer without reading further; the connection ends with it."""
    body = json.dumps({"error": "invalid_request", "error_description": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


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


def door() -> Door:
    """The ASGI application, for `uvicorn gateway.door:door --factory` with the gateway's certificate."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    django.setup(set_prefix=False)
    return Door()
