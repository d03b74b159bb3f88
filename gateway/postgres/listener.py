"""The door of the PostgreSQL protocol: TLS always, and nothing that came before the handshake is read after it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

import structlog

from gateway.postgres.client import Client
from gateway.postgres.framing import ProtocolError
from gateway.postgres.frontend import Cancel, GssRequest, SslRequest, opening_length, read_opening
from gateway.postgres.messages import error_response
from gateway.postgres.tls import Handshake

HANDSHAKE_WITHIN = 10.0
"""Seconds from connecting to the end of the TLS handshake."""
GOODBYE_WITHIN = 1.0
"""Seconds that a client gets to end TLS in order."""
BACKLOG = 512
MOST_WAITING = 1_000
"""Connections whose handshake is not over; more are cut off."""
PLAIN_REFUSED = "The gate speaks TLS only."
PLAIN_HINT = "Connect with sslmode=verify-full and the gate's CA file as sslrootcert."

Serve = Callable[[Client, str], Awaitable[None]]
CancelSink = Callable[[Cancel], None]
Forged = Callable[[str, str], Awaitable[None]]
log = structlog.get_logger()


class Doorway(asyncio.Protocol):
    """A connection until its TLS handshake is over."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._buffer = b""
        self._upgrading = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._door.waiting) >= MOST_WAITING:
            self._transport.abort()
            return
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_WITHIN, self._transport.abort)
        self._door.waiting.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._done()

    def _done(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._door.waiting.discard(self)

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read one opening packet at a time; anything after an SSLRequest ends the connection (CVE-2021-23222)."""
        self._buffer += data
        if self._upgrading:
            self._transport.abort()
            return
        try:
            length = opening_length(self._buffer)
            if length is None or len(self._buffer) < length:
                return
            packet, rest = self._buffer[:length], self._buffer[length:]
            self._buffer = b""
            self._open(packet, rest)
        except ProtocolError as error:
            self._refuse(error.sqlstate, error.message)

    def _open(self, packet: bytes, rest: bytes) -> None:
        opening = read_opening(packet)
        if isinstance(opening, Cancel):
            self._door.cancel(opening)
            self._transport.close()
        elif rest:
            self._transport.abort()
        elif isinstance(opening, GssRequest):
            self._transport.write(b"N")
        elif isinstance(opening, SslRequest):
            self._upgrading = True
            self._transport.pause_reading()
            self._transport.write(b"S")
            self._door.run(self._upgrade())
        else:
            self._refuse("28000", PLAIN_REFUSED, PLAIN_HINT)

    def _refuse(self, sqlstate: str, words: str, hint: str = "") -> None:
        self._transport.write(error_response(sqlstate, words, severity="FATAL", hint=hint))
        self._transport.close()

    async def _upgrade(self) -> None:
        client, handshake = Client(), Handshake.by(self._door.context)
        address = (self._transport.get_extra_info("peername") or ("",))[0]
        loop = asyncio.get_running_loop()
        try:
            encrypted = await loop.start_tls(
                self._transport,
                client,
                handshake,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_WITHIN,
                ssl_shutdown_timeout=GOODBYE_WITHIN,
            )
        except (OSError, ssl.SSLError) as error:
            log.info("handshake_failed", source=address, error=str(error))
            self._transport.abort()
            if handshake.failure:
                await self._door.forged(address, handshake.failure)
            return
        finally:
            self._done()
        if encrypted is None:
            return
        client.attach(encrypted)
        await self._door.serve(client, address)


class Door:
    """Listens, and hands every client that finished its handshake to `serve`.

    `forged` is told of an address that showed a certificate which does not verify, and why.
    """

    def __init__(self, context: ssl.SSLContext, serve: Serve, cancel: CancelSink, forged: Forged) -> None:
        self.context = context
        self.serve = serve
        self.cancel = cancel
        self.forged = forged
        self.waiting: set[Doorway] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    async def adopt(self, sockets: Sequence[socket.socket]) -> int:
        """Begin to listen on sockets that are bound already, to one port. Gives the port."""
        loop = asyncio.get_running_loop()
        for one in sockets:
            self._servers.append(await loop.create_server(lambda: Doorway(self), sock=one, backlog=BACKLOG))
        return int(sockets[0].getsockname()[1])

    async def open(self, host: str, port: int) -> int:
        """Begin to listen, on both loopback addresses for 127.0.0.1; port 0 is any free one. Gives the port."""
        loop = asyncio.get_running_loop()
        first = await loop.create_server(lambda: Doorway(self), host, port, backlog=BACKLOG)
        self._servers = [first]
        port = int(first.sockets[0].getsockname()[1])
        if host == "127.0.0.1":
            with suppress(OSError):  # a machine without IPv6; clients try both addresses of localhost
                self._servers.append(await loop.create_server(lambda: Doorway(self), "::1", port, backlog=BACKLOG))
        return port

    def run(self, work: Awaitable[None]) -> None:
        """Keep a connection's task until it ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def shut(self) -> None:
        """Take no new connection."""
        for server in self._servers:
            server.close()
        for doorway in list(self.waiting):
            doorway.abort()

    async def close(self) -> None:
        """End every connection's task and wait for them."""
        self.shut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
