"""TLS for the gateway's HTTPS door: a client may show its certificate, and the application learns of it by the scope alone.

No header says who is there, so none can be sent to pretend it. The handshake is done here, not by the server, because it alone
knows a client whose certificate does not verify: that one gets TLS's alert, and an entry.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
from django.http import HttpRequest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from activity import actions
from gateway.door import Door
from gateway.ending import LEFT, Ending
from gateway.postgres.tls import Conversation, Handshake
from gateway.threads import in_thread

CERTIFICATE = "narrowgate.certificate"
"""The scope's key for the client's certificate (DER), verified; None where it showed none."""
PROVED = "narrowgate.proved"
"""Its key for when this connection's handshake showed that the certificate's key is held; None where it did not."""
HANDSHAKE_WITHIN = 10.0
"""Seconds from connecting to the end of the TLS handshake."""
GOODBYE_WITHIN = 1.0
KEPT = 60
"""Seconds that a connection is kept after an answer: to begin another costs both sides more than to keep one."""
HEAD_WITHIN = 10.0
"""Seconds that the head of a request has to arrive whole."""
LONGEST_HEAD = 65_536
"""Bytes of a head that is not over yet."""
PAUSE = 0.1
"""Seconds after a connection that could not be accepted."""
MOST_WAITING = 1_000
"""Connections whose handshake is not over; more are cut off."""
MOST_OPEN = 10_000
"""Connections of one gateway; more are cut off. Each takes some 60 KB."""
log = structlog.get_logger()


def certificate_of(request: HttpRequest) -> bytes | None:
    """The certificate (DER) that the client of a request showed, its chain and times verified; None where it showed none."""
    scope: MutableMapping[str, Any] = getattr(request, "scope", {})
    return cast("bytes | None", scope.get(CERTIFICATE))


def proved_at(request: HttpRequest) -> datetime | None:
    """When the connection of a request showed that the certificate's key is held; None where it showed none, or resumed another."""
    scope: MutableMapping[str, Any] = getattr(request, "scope", {})
    return cast("datetime | None", scope.get(PROVED))


def context(certificate: Path, key: Path, password: str, agents_ca: Path) -> ssl.SSLContext:
    """A server's TLS context that asks for a certificate of an agent, and does without one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.sslobject_class = Conversation
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.load_cert_chain(certificate, key, password or None)
    made.set_alpn_protocols(["http/1.1"])
    made.verify_mode = ssl.CERT_OPTIONAL
    made.load_verify_locations(agents_ca)
    return made


class Gathering(asyncio.Transport):
    """A transport that gathers what is written in one turn of the loop: an answer that is there whole is one record of TLS, not three."""

    def __init__(self, inner: asyncio.Transport) -> None:
        super().__init__()
        self._inner, self._loop = inner, asyncio.get_running_loop()
        self._pieces: list[bytes | bytearray | memoryview[Any]] = []

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Write it soon."""
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._inner.write(b"".join(pieces))

    def close(self) -> None:
        """Write what was gathered, then end."""
        self._flush()
        self._inner.close()

    def abort(self) -> None:
        """End at once."""
        self._pieces = []
        self._inner.abort()

    def is_closing(self) -> bool:
        """As the transport within says."""
        return self._inner.is_closing()

    def pause_reading(self) -> None:
        """As within."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """As within."""
        self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 -- asyncio's
        """As within."""
        return self._inner.get_extra_info(name, default)


class Conversing(HttpToolsProtocol):
    """HTTP within TLS: the application is told what certificate the connection showed, and whether it proved the key.

    The parser bounds neither the size of a head nor its time, and takes fields after a chunked body for fields of the head: all three are refused here.
    """

    _unread = 0
    _late: asyncio.TimerHandle | None = None

    def __init__(self, *given: Any, **more: Any) -> None:  # noqa: ANN401 -- uvicorn's own
        super().__init__(*given, **more)
        self._left = Ending()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        """Take the encrypted transport, whose handshake is over."""
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True)
        proved = _proved(tls) if certificate else None
        self.app = _told(self.app, {CERTIFICATE: certificate, PROVED: proved, LEFT: self._left})
        super().connection_made(Gathering(transport))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the head that will not come; whoever works for the client hears of it."""
        self._end_head()
        super().connection_lost(exc)
        self._left.set()

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse a head that has become too long."""
        super().data_received(data)
        if self._late is None or self.transport.is_closing():
            return
        self._unread += len(data)
        if self._unread > LONGEST_HEAD:
            self.send_400_response(f"The head of the request has more than {LONGEST_HEAD} bytes.")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._late is None:
            self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head. Whatever is raised here is answered 400, and ends the connection."""
        if self._late is None:
            raise ValueError("A field after the body is no field of the head.")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is over."""
        if self.parser.get_http_version() not in {"1.0", "1.1"}:
            raise ValueError("Another version is read otherwise.")
        self._end_head()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is over: from here on nothing comes but the next request, or the end."""
        super().on_message_complete()
        self.flow.resume_reading()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever asks for another protocol is answered in this one."""

    def _expect_head(self) -> None:
        self._unread, self._late = 0, self.loop.call_later(HEAD_WITHIN, self._is_late)

    def _end_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _is_late(self) -> None:
        log.info("head_is_late", source=self.client[0] if self.client else "")
        self.transport.abort()


class Server(uvicorn.Server):
    """uvicorn, with each connection accepted and its TLS begun here. Signals are left to whoever runs it.

    `leaving` is called once no more connections are accepted, before what is open gets its time to end.
    """

    def __init__(
        self, door: Door, tls: ssl.SSLContext, leaving: Callable[[], object] = lambda: None, **options: Any,  # noqa: ANN401 -- uvicorn's own
    ) -> None:  # fmt: skip
        quiet = {"lifespan": "off", "log_config": None, "access_log": False, "server_header": False, "ws": "none"}
        # No header says where a request comes from: whoever sends one could be anywhere.
        own = {**quiet, "timeout_keep_alive": KEPT, "proxy_headers": False}
        super().__init__(uvicorn.Config(door, **{**options, **own}))
        self._door = door
        self._tls = tls
        self._leaving = leaving
        self._accepting: list[asyncio.Task[None]] = []
        self._entering: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept on `sockets`, which listen already."""
        await super().startup(sockets=[])
        for listener in sockets or []:
            listener.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(listener)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, then end what is open."""
        for task in (*self._accepting, *self._entering):
            task.cancel()
        await asyncio.gather(*self._accepting, *self._entering, return_exceptions=True)
        self._leaving()
        await super().shutdown(sockets=sockets)
        await self._door.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                plain, address = await loop.sock_accept(listener)
            except OSError as error:  # out of descriptors, or the client left at once
                log.warning("not_accepted", error=str(error))
                await asyncio.sleep(PAUSE)
                continue
            if len(self._entering) >= MOST_WAITING or len(self.server_state.connections) >= MOST_OPEN:
                log.warning("too_many_connections", source=str(address[0]))
                plain.close()
                continue
            task = loop.create_task(self._enter(plain, str(address[0])))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, plain: socket.socket, source: str) -> None:
        """One handshake; afterwards uvicorn's protocol has the connection."""
        handshake = Handshake.by(self._tls)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Conversing(self.config, self.server_state, self.lifespan.state),
                plain,
                ssl=handshake,
                ssl_handshake_timeout=HANDSHAKE_WITHIN,
                ssl_shutdown_timeout=GOODBYE_WITHIN,
            )
        except (OSError, ssl.SSLError) as error:
            log.info("handshake_failed", source=source, error=str(error))
            plain.close()
            if handshake.failure:
                await in_thread(forged, source, handshake.failure)


def forged(source: str, why: str) -> None:
    """Record a client's certificate that TLS did not verify: nothing it says is believed."""
    words = f"The client's certificate does not verify: {why}."
    actions.refuse_session(agent="", resource="", source=source, code="bad_certificate", because=words)


Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def _proved(tls: ssl.SSLObject) -> datetime | None:
    """Now, unless the handshake resumed an earlier session: that shows no certificate's key again."""
    return None if tls.session_reused else datetime.now(UTC)


def _told(app: Any, shown: Mapping[str, Any]) -> Application:  # noqa: ANN401 -- any ASGI application
    """`app`, told by each scope what its connection showed."""

    async def told(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        await app({**scope, **shown}, receive, send)

    return told
