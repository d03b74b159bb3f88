"""An answer on its way to the agent: one JSON message while nothing comes before it, a stream of events from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.mcp.jsonrpc import Said, written
from gateway.mcp.masking import without
from gateway.mcp.sse import PING, event
from gateway.web import Send

STREAM: Final = "text/event-stream"
JSON: Final = "application/json"
PING_EVERY: Final = 15.0
"""Seconds of silence on a stream after which something is said, so that nobody in between takes it for dead."""


class Down:
    """The way to the client of one request. What is sent after it has left goes nowhere."""

    def __init__(self, send: Send, headers: Mapping[str, str], secrets: Sequence[bytes] = ()) -> None:
        self._send = send
        self._headers = headers
        self.secrets = secrets
        self.size = 0
        """Bytes of messages that were sent."""
        self._streams = False
        self._ended = False
        self._turn = asyncio.Lock()
        self._pinging: asyncio.Task[None] | None = None

    async def tell(self, said: Said) -> None:
        """Send something before the answer."""
        async with self._turn:
            await self._begin_stream()
            await self._body(event(self._written(said)), more=True)

    async def begin(self) -> None:
        """Begin to stream, before there is anything to say."""
        async with self._turn:
            await self._begin_stream()

    async def finish(self, said: Said, status: int = 200) -> None:
        """Send the answer, and end."""
        message = self._written(said)
        async with self._turn:
            if self._streams:
                await self._body(event(message), more=False)
            else:
                await self._start(status, JSON, len(message))
                await self._body(message, more=False)
        await self.end()

    async def end(self) -> None:
        """End without more words."""
        async with self._turn:
            if self._streams and not self._ended:
                await self._body(b"", more=False)
            self._ended = True
        if self._pinging is not None:
            self._pinging.cancel()
            await asyncio.gather(self._pinging, return_exceptions=True)
            self._pinging = None

    def _written(self, said: Said) -> bytes:
        return without(written(said), self.secrets)

    async def _begin_stream(self) -> None:
        if not self._streams and not self._ended:
            self._streams = True
            await self._start(200, STREAM, None)
            self._pinging = asyncio.create_task(self._ping())

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY)
            async with self._turn:
                await self._body(PING, more=True)

    async def _start(self, status: int, media: str, length: int | None) -> None:
        headers = {
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            **self._headers,
            "content-type": media,
        }
        headers |= {"content-length": str(length)} if length is not None else {"x-accel-buffering": "no"}
        encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def _body(self, data: bytes, *, more: bool) -> None:
        if self._ended:
            return
        self._ended = not more
        self.size += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
