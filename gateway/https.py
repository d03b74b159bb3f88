"""TLS for the gateway's HTTPS door: a client may show its certificate, and the application learns of it by the scope alone.

No header says who is there, so none can be sent to pretend it. The handshake is done here, not by the server, because it alone
knows a client whose certificate does not verify: that one gets TLS's alert, and an entry.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog
from django.http import HttpRequest
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from activity import actions
from gateway.postgres.tls import Conversation, Handshake
from gateway.threads import in_thread

CERTIFICATE = "narrowgate.certificate"
"""The scope's key for the client's certificate (DER), verified; None where it showed none."""
HANDSHAKE_WITHIN = 10.0
"""Seconds from connecting to the end of the TLS handshake."""
GOODBYE_WITHIN = 1.0
MOST_WAITING = 1_000
"""Connections whose handshake is not over; more are cut off."""
log = structlog.get_logger()


def certificate_of(request: HttpRequest) -> bytes | None:
    """The certificate (DER) that the client of a request showed, its chain and times verified; None where it showed none."""
    scope: MutableMapping[str, Any] = getattr(request, "scope", {})
    return cast("bytes | None", scope.get(CERTIFICATE))


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


@dataclass
class Entry:
    """How connections come in. An instance is what uvicorn is given in the place of its protocol's class."""

    context: ssl.SSLContext
    waiting: set[Encrypting] = field(default_factory=set)

    def __call__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any], **_named: object
    ) -> Encrypting:
        """The protocol of one connection."""
        return Encrypting(self, Conversing(config, server_state, app_state))


class Conversing(H11Protocol):
    """HTTP within TLS. Bytes may come before `begin`: the handshake can end with data in the same packet."""

    transport: asyncio.Transport | None  # type: ignore[assignment]  # none until the handshake is over
    _early = b""

    def begin(self, transport: asyncio.Transport) -> None:
        """Take the encrypted transport. Both loops leave `connection_made` out after start_tls."""
        tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
        self.app = _told(self.app, tls.getpeercert(binary_form=True))
        super().connection_made(transport)
        if self._early:
            super().data_received(self._early)

    def data_received(self, data: bytes) -> None:
        """Keep what comes early."""
        if self.transport is None:
            self._early += data
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing has to end that has not begun."""
        if self.transport is not None:
            super().connection_lost(exc)


class Encrypting(asyncio.Protocol):
    """A connection until its TLS handshake is over."""

    def __init__(self, entry: Entry, inner: Conversing) -> None:
        self._entry = entry
        self._inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        plain = cast("asyncio.Transport", transport)
        if len(self._entry.waiting) >= MOST_WAITING:
            plain.abort()
            return
        plain.pause_reading()
        self._entry.waiting.add(self)
        task = asyncio.get_running_loop().create_task(self._encrypt(plain))
        self._inner.tasks.add(task)
        task.add_done_callback(self._inner.tasks.discard)

    async def _encrypt(self, plain: asyncio.Transport) -> None:
        handshake = Handshake.by(self._entry.context)
        source = (plain.get_extra_info("peername") or ("",))[0]
        try:
            encrypted = await asyncio.get_running_loop().start_tls(
                plain,
                self._inner,
                handshake,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_WITHIN,
                ssl_shutdown_timeout=GOODBYE_WITHIN,
            )
        except (OSError, ssl.SSLError) as error:
            log.info("handshake_failed", source=source, error=str(error))
            plain.abort()
            if handshake.failure:
                await in_thread(forged, source, handshake.failure)
            return
        finally:
            self._entry.waiting.discard(self)
        if encrypted is not None:
            self._inner.begin(encrypted)


def forged(source: str, why: str) -> None:
    """Record a client's certificate that TLS did not verify: nothing it says is believed."""
    words = f"The client's certificate does not verify: {why}."
    actions.refuse_session(agent="", resource="", source=source, code="bad_certificate", because=words)


Application = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def _told(app: Any, certificate: bytes | None) -> Application:  # noqa: ANN401 -- any ASGI application
    """`app`, told by each scope what certificate its connection showed."""

    async def told(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's
        await app({**scope, CERTIFICATE: certificate}, receive, send)

    return told
