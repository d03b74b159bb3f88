"""The gate's own connection to a PostgreSQL resource: TLS, SCRAM (RFC 5802, RFC 7677), start-up, cancel.

A server that says "authenticated" before it has proved with SCRAM that it knows the password is refused:
whoever answers on that address could otherwise pose as the resource.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import scramp
import structlog

from gateway.postgres import messages
from gateway.postgres.backend import read_key, read_parameter_status, read_report
from gateway.postgres.framing import HEADER, ProtocolError, ServerFramer, Span

if TYPE_CHECKING:
    from uuid import UUID

CONNECT_WITHIN = 10.0
"""Seconds for connecting, TLS and signing in together."""
NOTHING_SET: Mapping[str, str] = {}
WRONG_PASSWORD = "28P01"  # noqa: S105 -- an SQLSTATE
MECHANISM = "SCRAM-SHA-256"
log = structlog.get_logger()


class UpstreamError(Exception):
    """The resource cannot be reached, or does not let the gate in. The message is safe to show to an agent."""

    def __init__(self, message: str, sqlstate: str = "08006") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate


class WrongPassword(UpstreamError):
    """The resource does not take the password."""


@dataclass(frozen=True)
class Target:
    """Where a resource is and how the gate signs in there. `host` beginning with / is a unix socket's folder."""

    resource_id: UUID
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    tls: bool = True
    ca: str = ""
    search_path: str = "public"
    role: str = ""
    connections: int = 50
    other: str = field(default="", repr=False)
    """The password that is about to take the place of `password`, or has: tried where that one is refused."""

    def parameters(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The start-up packet: what decides the meaning of a statement is pinned here, where RESET ALL returns to."""
        pinned = {
            "application_name": "narrowgate",
            **settings,
            "user": self.user,
            "database": self.database,
            "client_encoding": "UTF8",
            "standard_conforming_strings": "on",
            "search_path": self.search_path,
        }
        return pinned | ({"role": self.role} if self.role else {})

    def tls_context(self) -> ssl.SSLContext:
        """Verifies the server's name and chain, by the resource's own CA where it has one."""
        context = ssl.create_default_context(cadata=self.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


class Upstream(asyncio.Protocol):
    """One connection to a resource. After `connect` every chunk of whole messages goes to `on_messages`."""

    def __init__(self) -> None:
        self.on_messages: Callable[[bytes, list[Span]], None] | None = None
        self.on_lost: Callable[[], None] = lambda: None
        self.parameters: dict[str, str] = {}
        self.key: tuple[int, bytes] = (0, b"")
        self.gone = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._framer = ServerFramer()
        self._early: deque[tuple[int, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._drained = asyncio.Event()
        self._drained.set()

    # ---- what the transport calls ----
    def attach(self, transport: asyncio.Transport) -> None:
        """Take the transport, encrypted where it is to be."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hand whole messages on; while signing in, keep them."""
        try:
            chunk, spans = self._framer.feed(data)
            if self.on_messages is not None:
                if spans:
                    self.on_messages(chunk, spans)
                return
        except ProtocolError as error:
            log.warning("resource_broke_protocol", error=error.message)
            self.abort()
            return
        self._early.extend((kind, chunk[start + HEADER : end]) for kind, start, end in spans)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.gone.set()
        self._drained.set()
        self._wake()
        self.on_lost()

    def pause_writing(self) -> None:
        """The resource reads more slowly than the client sends."""
        self._drained.clear()

    def resume_writing(self) -> None:
        """The resource caught up."""
        self._drained.set()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- what the session calls ----
    def write(self, data: bytes) -> None:
        """Send bytes; nothing happens once the connection is gone."""
        if self._transport is not None and not self.gone.is_set():
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait while the resource is slow."""
        if not self._drained.is_set():
            await self._drained.wait()

    def hold_back(self, full: bool) -> None:
        """Stop or go on reading, because the client cannot, or can, take more."""
        if self._transport is None or self.gone.is_set():
            return
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """End the session at the resource in order."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(messages.TERMINATE)
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    # ---- signing in ----
    async def start(self, target: Target, settings: Mapping[str, str]) -> None:
        """Sign in and wait until the server is ready. Raises UpstreamError."""
        self.write(messages.startup(target.parameters(settings)))
        await self._authenticate(target)
        while True:
            kind, body = await self._next()
            if kind == ord("S"):
                name, value = read_parameter_status(body)
                self.parameters[name] = value
            elif kind == ord("K"):
                self.key = read_key(body)
            elif kind == ord("Z"):
                break
        if self.parameters.get("server_encoding") != "UTF8":
            raise UpstreamError("The resource's database is not in UTF8, which is all the gate reads.", "08004")

    async def _authenticate(self, target: Target) -> None:
        kind, body = await self._next()
        if kind != ord("R") or body[:4] != b"\x00\x00\x00\x0a" or MECHANISM.encode() not in body[4:].split(b"\x00"):
            raise UpstreamError(
                "The resource does not ask for SCRAM-SHA-256, so the gate does not sign in there.", "08004"
            )
        scram = scramp.ScramClient([MECHANISM], target.user, target.password)
        self.write(messages.sasl_initial_response(MECHANISM, scram.get_client_first().encode()))
        try:
            challenge = (await self._authentication(11)).decode()
            final = await asyncio.to_thread(_answer, scram, challenge)  # PBKDF2 takes a millisecond: off the loop
            self.write(messages.sasl_response(final.encode()))
            scram.set_server_final((await self._authentication(12)).decode())
        except (scramp.ScramException, UnicodeDecodeError):
            raise UpstreamError("The resource did not prove that it knows the gate's password.", "08004") from None
        await self._authentication(0)

    async def _authentication(self, code: int) -> bytes:
        kind, body = await self._next()
        if kind != ord("R") or int.from_bytes(body[:4], "big") != code:
            raise UpstreamError("The resource broke off signing in.", "08004")
        return body[4:]

    async def _next(self) -> tuple[int, bytes]:
        while not self._early:
            if self.gone.is_set():
                raise UpstreamError("The resource hung up.")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        kind, body = self._early.popleft()
        if kind == ord("E"):
            report = read_report(body)
            log.warning("resource_refused_gate", sqlstate=report.get("C"), words=report.get("M"))
            refused = WrongPassword if report.get("C") == WRONG_PASSWORD else UpstreamError
            raise refused("The resource does not let the gate in.", "08004")
        return kind, body


def _answer(scram: scramp.ScramClient, challenge: str) -> str:
    scram.set_server_first(challenge)
    return str(scram.get_client_final())


async def connect(target: Target, settings: Mapping[str, str] = NOTHING_SET) -> Upstream:
    """A connection that is ready for use, with the client's own settings, by whichever password of a login that is being changed opens.

    Raises UpstreamError within CONNECT_WITHIN seconds, or twice that while a password is being changed.
    """
    try:
        return await _connect(target, settings)
    except WrongPassword:
        if not target.other:
            raise
    return await _connect(replace(target, password=target.other, other=""), settings)


async def _connect(target: Target, settings: Mapping[str, str]) -> Upstream:
    upstream = Upstream()
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            upstream.attach(await _reach(target, upstream))
            await upstream.start(target, settings)
    except TimeoutError:
        upstream.abort()
        raise UpstreamError("The resource does not answer.") from None
    except OSError:
        upstream.abort()
        raise UpstreamError("The resource cannot be reached.") from None
    except BaseException:
        upstream.abort()
        raise
    return upstream


async def _reach(target: Target, protocol: asyncio.Protocol) -> asyncio.Transport:
    loop = asyncio.get_running_loop()
    if target.host.startswith("/"):
        plain, _ = await loop.create_unix_connection(lambda: protocol, f"{target.host}/.s.PGSQL.{target.port}")
        return plain
    if not target.tls:
        plain, _ = await loop.create_connection(lambda: protocol, target.host, target.port)
        return plain
    request = _TlsRequest()
    transport, _ = await loop.create_connection(lambda: request, target.host, target.port)
    transport.write(messages.ssl_request())
    if await request.answer != b"S":
        transport.abort()
        raise UpstreamError("The resource does not speak TLS.", "08004")
    transport.pause_reading()
    encrypted = await loop.start_tls(transport, protocol, target.tls_context(), server_hostname=target.host)
    if encrypted is None:
        raise UpstreamError("The resource hung up.")
    return encrypted


class _TlsRequest(asyncio.Protocol):
    """Waits for the one byte that answers SSLRequest; more than one byte is an attack (CVE-2021-23222)."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_result(b"")


class _Closing(asyncio.Protocol):
    """Waits for the other end to hang up."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()


async def cancel(target: Target, key: tuple[int, bytes]) -> None:
    """Ask the resource to cancel what the connection with this key is doing. Best effort: a failure is logged."""
    request = _Closing()
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            transport = await _reach(target, request)
            transport.write(messages.cancel_request(*key))
            await request.closed.wait()
            transport.close()
    except (OSError, TimeoutError, UpstreamError) as error:
        log.warning("cancel_failed", error=str(error))
