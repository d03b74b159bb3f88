"""The client's side of a session: whole messages in order, and a stream back that says when it is full."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from gateway.postgres.framing import ClientFramer, Message, ProtocolError
from gateway.postgres.frontend import Opening, opening_length, read_opening

HANG_UP_WITHIN = 0.5
"""Seconds that a client gets to read its last message and say goodbye."""
READ_AHEAD = 1 << 20
"""Bytes of messages not yet handled at which reading pauses."""


class Client(asyncio.Protocol):
    """A client behind TLS. Bytes may come before `attach`: the handshake can end with data in the same packet."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.gone = asyncio.Event()
        self.on_full: Callable[[bool], None] = lambda _full: None
        self.on_gone: Callable[[], None] = lambda: None
        self._framer = ClientFramer()
        self._opening: bytes | None = b""
        self._messages: deque[Message] = deque()
        self._ahead = 0
        self._broken: ProtocolError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reading = True
        self._loop = asyncio.get_running_loop()  # kept: asking for it takes a system call

    def attach(self, transport: asyncio.Transport) -> None:
        """Take the encrypted transport. Both loops leave `connection_made` out after start_tls."""
        self.transport = transport
        transport.set_write_buffer_limits(high=256 * 1024)

    # ---- what the transport calls ----
    def data_received(self, data: bytes) -> None:
        """Keep what came, cut into messages."""
        if self._broken is not None:
            return
        if self._opening is not None:
            self._opening += data
        else:
            self._take(data)
        self._wake()

    def _take(self, data: bytes) -> None:
        try:
            for message in self._framer.feed(data):
                self._messages.append(message)
                self._ahead += len(message.raw)
        except ProtocolError as error:
            self._broken = error
        if self._ahead > READ_AHEAD and self._reading and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """A client that stops sending has left."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.gone.set()
        self._wake()
        self.on_gone()

    def pause_writing(self) -> None:
        """The client reads more slowly than the resource sends."""
        self.on_full(True)

    def resume_writing(self) -> None:
        """The client caught up."""
        self.on_full(False)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _more(self) -> asyncio.Future[None]:
        """Done when something came, or the client left."""
        self._waiter = self._loop.create_future()
        return self._waiter

    # ---- what the session calls ----
    async def opening(self) -> Opening | None:
        """The first packet inside TLS, None when the client left. Raises ProtocolError."""
        while not self.gone.is_set():
            held = self._opening or b""
            length = opening_length(held)
            if length is not None and len(held) >= length:
                self._opening = None
                if len(held) > length:
                    self._take(held[length:])
                return read_opening(held[:length])
            await self._more()
        return None

    async def next(self) -> Message | None:
        """The next message, None when the client left. Raises ProtocolError after the last good one."""
        while not self._messages:
            if self.gone.is_set():
                return None
            if self._broken is not None:
                raise self._broken
            await self._more()
        message = self._messages.popleft()
        self._ahead -= len(message.raw)
        if not self._reading and self._ahead < READ_AHEAD // 2 and self.transport is not None:
            self._reading = True
            self.transport.resume_reading()
        return message

    def write(self, data: bytes) -> None:
        """Send bytes; nothing happens once the client left."""
        if self.transport is not None and not self.gone.is_set():
            self.transport.write(data)

    def close(self) -> None:
        """Send what is waiting, then hang up."""
        if self.transport is not None:
            self.transport.close()

    async def hang_up(self) -> None:
        """As `close`, but wait for it, and not for a client that does not answer."""
        self.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_WITHIN):
                await self.gone.wait()
        self.abort()

    def abort(self) -> None:
        """Hang up at once."""
        if self.transport is not None:
            self.transport.abort()

    def certificate(self) -> bytes | None:
        """The client's certificate (DER), whose chain and times TLS has verified; None where it gave none."""
        tls = self._tls()
        return tls.getpeercert(binary_form=True) if tls is not None else None

    def is_fresh(self) -> bool:
        """Whether this handshake showed that the certificate's key is held: one that resumes another does not."""
        tls = self._tls()
        return tls is not None and not tls.session_reused

    def _tls(self) -> ssl.SSLObject | None:
        found: ssl.SSLObject | None = (
            self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        )
        return found
