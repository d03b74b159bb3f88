"""One connection to an API, and the one request at a time that it carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Final, cast

from gateway.http.answers import Reader
from gateway.http.lost import Late, Lost, Unreached

MOST_WAITING: Final = 262_144
"""Bytes of an answer that wait here before the API has to wait itself."""


@dataclass(frozen=True)
class Sending:
    """A request as its bytes are: `more` is what follows them, in the form that the head says, as it comes."""

    method: str
    data: bytes
    more: AsyncIterator[bytes] | None = None


def head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. Raises Unreached for what would say something else than it seems."""
    lines = [f"{method} {target} HTTP/1.1", *[f"{name}: {value}" for name, value in headers]]
    said = "\r\n".join(lines).encode("latin-1", "replace")
    if said.count(b"\n") + 1 != len(lines) or said.count(b"\r") + 1 != len(lines) or b"\0" in said:
        raise Unreached("a header holds what no header can say")
    return said + b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """See above. `on_lost` is called once, when the connection is no more."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self.unused_since = 0.0
        """By the loop's clock."""
        self._reader: Reader | None = None
        self._wrong: Exception | None = None
        self._changed: asyncio.Future[None] | None = None
        self._taken: asyncio.Future[None] | None = None
        self._is_held_back = False
        self._rest: asyncio.Task[None] | None = None
        self._silent_for = self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    # ---- a request and its answer ----
    async def ask(self, asked: Sending, *, silent_for: float) -> Reader:
        """Send a request, and return once the head of its answer is there. Raises Lost, and what `more` raises."""
        self._reader = reader = Reader(to_head=asked.method == "HEAD")
        self._silent_for, self._heard = silent_for, self._loop.time()
        self._timer = self._loop.call_later(silent_for, self._look_whether_silent)
        self._transport.write(asked.data)
        if asked.more is not None:
            self._rest = self._loop.create_task(self._send(asked.more))
        while not reader.has_head:
            await self._change()
        return reader

    async def body(self, reader: Reader) -> AsyncIterator[bytes]:
        """The answer's body as it comes. Raises Lost."""
        while True:
            for piece in reader.take():
                yield piece
            if self._is_held_back:
                self._is_held_back = False
                self._transport.resume_reading()
            if not reader.waiting:
                if reader.is_over:
                    return
                await self._change()

    def finish(self) -> bool:
        """End the request, wherever it is. Whether the connection may carry another; it is cut where not."""
        reader, self._reader = self._reader, None
        is_sent = (self._rest is None or self._rest.done()) and not self._transport.get_write_buffer_size()
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._timer is not None:
            self._timer.cancel()
        goes_on = is_sent and self.is_open and self._wrong is None and reader is not None and reader.keeps
        if reader is not None:
            reader.close()
        if not goes_on:
            self.cut()
        return goes_on

    @property
    def is_open(self) -> bool:
        """Whether a request may be sent over it."""
        return not self._transport.is_closing()

    def cut(self) -> None:
        """End the connection."""
        self._transport.abort()

    async def _send(self, more: AsyncIterator[bytes]) -> None:
        """Send what follows, no faster than it is taken. Where it breaks off, so does the request."""
        try:
            async for data in more:
                if self._taken is not None:
                    await self._taken
                self._transport.write(data)
                self._heard = self._loop.time()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it belongs to whoever asked
            self._fail(error)

    async def _change(self) -> None:
        """Wait for anything new. Raises Lost, and what the rest of the request raises."""
        if self._wrong is not None:
            raise self._wrong
        self._changed = self._loop.create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _tell(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._wrong = self._wrong or error
        self._tell()

    def _look_whether_silent(self) -> None:
        if self._reader is None or self._reader.is_over:
            return
        now = self._loop.time()
        if self._is_held_back:  # it waits for us
            self._heard = now
        left = self._heard + self._silent_for - now
        if left <= 0:
            self._fail(Late(f"nothing came or went for {self._silent_for:.0f} s"))
        else:
            self._timer = self._loop.call_later(left, self._look_whether_silent)

    # ---- asyncio.Protocol ----
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there, its TLS included."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection."""
        reader = self._reader
        if reader is None or self._wrong is not None:
            self._transport.abort()
            return
        self._heard = self._loop.time()
        try:
            reader.feed(data)
        except Lost as error:
            self._fail(error)
            return
        if reader.waiting > MOST_WAITING and not self._is_held_back:
            self._is_held_back = True
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        """The API has ended the connection on purpose: an answer without a length is over by that."""
        if self._reader is not None and self._wrong is None:
            try:
                self._reader.end()
            except Lost as error:
                self._fail(error)
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._reader is None or not self._reader.is_over:
            self._fail(Lost(f"the connection is gone: {exc or 'without a word'}"))
        self.resume_writing()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The API takes no more for now."""
        self._taken = self._loop.create_future()

    def resume_writing(self) -> None:
        """It takes more."""
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_result(None)
