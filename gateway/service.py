"""A gateway process: its listener, what it decides by, its record. One per process; many may run side by side."""

from __future__ import annotations

import gc
import secrets
import socket
import ssl
from dataclasses import dataclass, field
from functools import partial
from hmac import compare_digest
from pathlib import Path
from uuid import UUID

import structlog

from activity import actions
from activity.actions import node_actor
from activity.models import GatewayNode
from agents.ssh_host import HostKey
from core import collecting
from gateway.asked.door import AskedDoor
from gateway.callers import is_alive, why_over
from gateway.door import Ways
from gateway.holds import Holds
from gateway.http import targets as apis
from gateway.http.door import HttpDoor
from gateway.http.known import Targets
from gateway.liveness import Liveness
from gateway.mcp import servers
from gateway.mcp.door import McpDoor
from gateway.mcp.reader import Reader
from gateway.mcp.sessions import Sessions
from gateway.pipeline import Pipeline
from gateway.postgres import login, messages
from gateway.postgres.client import Client
from gateway.postgres.framing import ProtocolError
from gateway.postgres.frontend import Cancel, Startup
from gateway.postgres.listener import Door
from gateway.postgres.login import Entrance
from gateway.postgres.resources import Keeper
from gateway.postgres.session import Session
from gateway.postgres.tls import Conversation
from gateway.postgres.upstream import Upstream, UpstreamError, connect
from gateway.recorder import Recorder
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.ssh.door import SshDoor
from gateway.threads import end_threads, in_thread
from gateway.tokens_seen import TokensSeen
from gateway.visits import Visits
from gateway.web import carried
from policies.snapshot import Snapshot

YOUNG = 20_000
"""New objects after which the collector looks at them: statements make many, and nearly all are gone by then."""
SHORT_KEY, LONG_KEY = 4, 32
"""Bytes of a cancel key in protocol 3.0 and 3.2."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Config:
    """What a gateway needs to know. `dsn` is its own login; port 0 means any free one; `console_url` goes into notices.

    `sockets`, bound and listening, are used instead of `host` and `postgres_port` where there are any, and `ssh_sockets` likewise.
    """

    dsn: str
    console_url: str
    certificate: Path
    key: Path
    key_password: str = field(default="", repr=False)
    agents_ca: Path | None = None
    """The root that agents' certificates are verified by; without one none is asked for."""
    node: str = "node-1"
    host: str = "127.0.0.1"
    postgres_port: int = 0
    sockets: tuple[socket.socket, ...] = ()
    ssh_key: HostKey | None = None
    """By which agents know the gate over SSH; without one it does not speak SSH."""
    ssh_port: int = 0
    ssh_sockets: tuple[socket.socket, ...] = ()

    def tls_context(self) -> ssl.SSLContext:
        """TLS 1.2 or newer with the listener's certificate, and ALPN as libpq asks for it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslobject_class = Conversation
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self.certificate, self.key, self.key_password or None)
        context.set_alpn_protocols(["postgresql"])
        if self.agents_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.agents_ca)
        return context


class Service:
    """A running gateway. `addresses` maps a protocol to `host:port`."""

    def __init__(self, config: Config, node: GatewayNode, alive: Liveness) -> None:
        self.addresses: dict[str, str] = {}
        self.node_id: UUID = node.id
        self._config = config
        self._alive = alive
        self._watch = Watch(config.dsn, node.id)
        self._recorder = Recorder(config.dsn, node=config.node, actor=node_actor(node))
        self._holds = Holds(self._watch, node_id=node.id, console_url=config.console_url)
        self._pipeline = Pipeline(self._watch, self._recorder, self._holds)
        self._visits = Visits(self._watch, node.id)
        self._targets = Targets(self._watch, node.id, apis.load)
        seen = TokensSeen(self._visits)
        self._servers = Targets(self._watch, node.id, servers.load)
        self._tools = Sessions(self._servers, node_actor(node))
        self._reader = Reader(node_actor(node))
        self._mcp = McpDoor(self._pipeline, self._visits, self._servers, self._tools, seen)
        self.ways: Ways = {
            "/v1/actions": partial(carried, AskedDoor(self._pipeline, self._holds, self._visits)),
            "/http/": partial(carried, HttpDoor(self._pipeline, self._visits, self._targets, seen)),
            "/mcp/": partial(carried, self._mcp),
        }
        """What the HTTPS door answers on this gateway's loop."""
        self._sessions: dict[int, tuple[bytes, Session]] = {}
        self._keepers: dict[str, Keeper] = {}
        self._former: list[Keeper] = []
        self._door = Door(config.tls_context(), self._serve, self._cancel, _forged)
        self._ssh = SshDoor(config.ssh_key, self._pipeline, self._watch, node.id) if config.ssh_key else None
        self._watch.credentials = self._credentials
        self._watch.on_changed = self._changed
        self._watch.on_cut = self._cut
        alive.on_taken_for_dead = self._taken_for_dead

    async def open(self) -> None:
        """Begin to listen."""
        await self._watch.start()
        await self._recorder.start()
        self._alive.start()
        self._visits.start()
        self._tools.start()
        self._reader.nudge()
        given = self._config
        port = await (
            self._door.adopt(given.sockets) if given.sockets else self._door.open(given.host, given.postgres_port)
        )
        shown = "localhost" if self._config.host in ("127.0.0.1", "::1") else self._config.host
        self.addresses["postgres"] = f"{shown}:{port}"
        if self._ssh is not None:
            port = await self._ssh.open(given.host, given.ssh_port, given.ssh_sockets)
            self.addresses["ssh"] = f"{shown}:{port}"
        log.info("gateway_listens", **self.addresses)

    def leave(self) -> None:
        """End the sessions of the HTTPS door, which closes before the rest: whoever waits there is told that the gate is shutting down."""
        self._visits.leave()

    async def stop(self) -> None:
        """End every session, write what is queued, and leave nothing behind."""
        await self._alive.stop()
        self._door.shut()
        for _, session in list(self._sessions.values()):
            session.stop("57P01", "The gate is shutting down.", "Connect again in a moment.")
        if self._ssh is not None:
            await self._ssh.stop()
        await self._door.close()
        await self._reader.stop()
        await self._tools.stop()
        await self._mcp.stop()
        await self._visits.stop()
        await self._targets.close()
        await self._servers.close()
        for keeper in (*self._former, *self._keepers.values()):
            await keeper.close()
        await self._holds.close()
        await self._recorder.stop()
        await self._watch.stop()
        await in_thread(actions.stop_node, self.node_id)
        await end_threads()
        await self._alive.close()

    def _credentials(self) -> set[UUID]:
        """The credentials of open sessions."""
        over_ssh = self._ssh.credentials if self._ssh is not None else set()
        return (
            self._visits.credentials
            | over_ssh
            | {session.caller.credential_id for _, session in self._sessions.values()}
        )

    async def _changed(self, snapshot: Snapshot, revoked: frozenset[UUID]) -> None:
        """Cut off whoever may not act any more."""
        self._visits.changed(snapshot, revoked)
        self._reader.nudge()
        if self._ssh is not None:
            self._ssh.changed(snapshot, revoked)
        for _, session in list(self._sessions.values()):
            because = why_over(session.caller, snapshot, revoked)
            if because:
                session.kill(because)

    def _cut(self, session_id: UUID, reason: str) -> None:
        """A person ended this session."""
        self._visits.cut(session_id, reason)
        if self._ssh is not None:
            self._ssh.cut(session_id, reason)
        for _, session in list(self._sessions.values()):
            if session.caller.session_id == session_id:
                session.kill(f"This session was cut: {reason}")

    def _taken_for_dead(self) -> None:
        """Another gateway has said of whatever runs here that it is uncertain: nothing of it goes on."""
        because = "The gate lost its database for too long."
        self._visits.end_all(because)
        if self._ssh is not None:
            self._ssh.end_all(because)
        for _, session in list(self._sessions.values()):
            session.kill(because)

    def _cancel(self, asked: Cancel) -> None:
        known = self._sessions.get(asked.process)
        if known is not None and compare_digest(known[0], asked.secret):
            known[1].interrupt()

    # ---- one connection ----
    async def _serve(self, client: Client, source: str) -> None:
        try:
            async with login.timeout():
                opening = await client.opening()
                if isinstance(opening, Cancel):
                    self._cancel(opening)
                elif isinstance(opening, Startup):
                    entrance = await login.enter(client, opening, source, self._watch, self.node_id)
                    session = await self._open(client, entrance)
            if isinstance(opening, Startup):
                await self._carry(*session)
        except Refusal as refusal:
            _refuse(client, refusal)
        except ProtocolError as error:
            _refuse(client, Refusal(error.message, code="protocol", sqlstate=error.sqlstate))
        except TimeoutError:
            _refuse(client, Refusal("Signing in took too long.", code="sign_in_timeout", sqlstate="08006"))
        except Exception:
            # Whatever went wrong in one session, the database being gone included, ends that session and no other.
            log.exception("session_failed", source=source)
            _refuse(client, Refusal("Something broke at the gate, and was logged.", code="broken", sqlstate="58000"))
        finally:
            await client.hang_up()

    async def _open(self, client: Client, entrance: Entrance) -> tuple[int, Session]:
        """5. The resource: one upstream connection for this session and no other. Raises Refusal."""
        try:
            self._require_room(entrance)
            upstream = await connect(entrance.target, entrance.settings)
        except (Refusal, UpstreamError) as error:
            await in_thread(actions.close_session, entrance.caller.session_id, because=error.message)
            if isinstance(error, Refusal):
                raise
            raise Refusal(error.message, code="resource_unavailable", sqlstate=error.sqlstate) from None
        session = Session(client, upstream, entrance, self._keeper(entrance), self._pipeline)
        process = secrets.randbits(31)
        secret = secrets.token_bytes(LONG_KEY if entrance.minor >= 2 else SHORT_KEY)
        self._sessions[process] = (secret, session)
        client.write(_welcome(upstream, process, secret))
        return process, session

    def _require_room(self, entrance: Entrance) -> None:
        name = entrance.caller.resource
        here = sum(session.caller.resource == name for _, session in self._sessions.values())
        if here >= entrance.target.connections:
            raise Refusal(f"{name} takes no more connections.", code="too_many_connections", sqlstate="53300")

    async def _carry(self, process: int, session: Session) -> None:
        try:
            # From here on a revocation finds the session; one that came while it connected is found here.
            if not await in_thread(is_alive, session.caller.credential_id):
                session.kill("The credential of this session was revoked.")
            await session.run()
        finally:
            session.leave()  # one that never ran, because the gate stops or its database fell away, has not done so
            del self._sessions[process]
            await in_thread(actions.close_session, session.caller.session_id, because=session.ended_because)

    def _keeper(self, entrance: Entrance) -> Keeper:
        """The resource's catalog; another one once the resource is somewhere else or has another login."""
        name, role = entrance.caller.resource, entrance.target.role or entrance.target.user
        known = self._keepers.get(name)
        if known is None or (known.target, known.role) != (entrance.reading, role):
            self._former += [known] if known is not None else []
            known = self._keepers[name] = Keeper(name, entrance.reading, role, self._watch)
        return known


async def _forged(source: str, why: str) -> None:
    """A client's certificate that TLS did not verify: nothing it says is believed, and that it was shown is recorded."""
    words = f"The client's certificate does not verify: {why}."
    await in_thread(actions.refuse_session, agent="", resource="", source=source, code="bad_certificate", because=words)


def _welcome(upstream: Upstream, process: int, secret: bytes) -> bytes:
    parts = [messages.AUTHENTICATION_OK]
    parts += [messages.parameter_status(name, value) for name, value in upstream.parameters.items()]
    parts += [messages.backend_key_data(process, secret), messages.ready_for_query(b"I")]
    return b"".join(parts)


def _refuse(client: Client, refusal: Refusal) -> None:
    client.write(messages.error_response(refusal.sqlstate, refusal.message, severity="FATAL", hint=refusal.remedy))


async def start(config: Config) -> Service:
    """Start a gateway: settle what dead ones left, then listen. Raises what the database or the port raise."""
    node = await in_thread(actions.start_node, config.node)
    alive = Liveness(config.dsn, node.id)
    try:
        await alive.open()
        service = Service(config, node, alive)
        await service.open()
    except BaseException:
        await alive.close()
        raise
    # What is loaded by now lives as long as the process: the collector need not look at it again and again.
    collecting.set_aside()
    gc.set_threshold(YOUNG)
    return service
