"""The SSH door: who may speak, what a connection may ask for, and the sessions that are open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncssh
import structlog
from django.db import Error as OrmError

from activity import actions
from agents.access import Identity
from agents.ssh_host import HostKey
from gateway.callers import is_alive, why_over
from gateway.pipeline import Pipeline
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.ssh import login, upstream
from gateway.ssh.channel import Channel
from gateway.ssh.login import Asked, Certified, Entrance
from gateway.ssh.session import Session
from gateway.threads import in_thread
from policies.snapshot import Snapshot

WITHIN: Final = 30.0
"""Seconds that signing in may take."""
MOST_WAITING: Final = 500
"""Connections that have not signed in; more are cut off."""
MOST_TOKENS: Final = 3
MOST_TRIES: Final = 20
"""Attempts of one connection to sign in: with tokens, and with keys that a client happens to have."""
KEEPALIVE: Final = 30.0
TOLD_WITHIN: Final = 1.0
"""Seconds that a client which signed in for nothing gets to be told why."""
log = structlog.get_logger()


class SshDoor:
    """Listens, signs agents in, and keeps their sessions."""

    def __init__(self, host_key: HostKey, pipeline: Pipeline, watch: Watch, node_id: UUID) -> None:
        self.pipeline, self.watch, self.node_id = pipeline, watch, node_id
        self._host_key = host_key
        self._sessions: set[Session] = set()
        self._entering: dict[str, int] = {}
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._visitors: set[Visitor] = set()

    async def open(self, host: str, port: int, sockets: Sequence[socket.socket] = ()) -> int:
        """Begin to listen, on sockets that are bound already where there are any. Gives the port."""
        if sockets:
            self._acceptors = [await self._listen(sock=one) for one in sockets]
            return int(sockets[0].getsockname()[1])
        self._acceptors = [await self._listen(host=host, port=port)]
        return int(self._acceptors[0].get_port())

    async def _listen(self, **where: Any) -> asyncssh.SSHAcceptor:  # noqa: ANN401 -- asyncssh's arguments
        return await asyncssh.listen(
            server_factory=self._visitor,
            server_host_keys=[asyncssh.import_private_key(self._host_key.private)],
            server_version="narrowgate",
            config=[],
            password_auth=True,
            public_key_auth=True,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=None,
            encoding=None,
            line_editor=False,
            login_timeout=WITHIN,
            keepalive_interval=KEEPALIVE,
            **where,
        )

    def _visitor(self) -> asyncssh.SSHServer:
        return Visitor(self)

    def came(self, visitor: Visitor) -> bool:
        """Whether one more may sign in."""
        self._visitors.add(visitor)
        return sum(not one.signed_in for one in self._visitors) <= MOST_WAITING

    def left(self, visitor: Visitor) -> None:
        """A connection is over."""
        self._visitors.discard(visitor)

    # ---- what the gateway tells ----
    @property
    def credentials(self) -> set[UUID]:
        """The credentials of open sessions."""
        return {session.caller.credential_id for session in self._sessions}

    def changed(self, snapshot: Snapshot, revoked: frozenset[UUID]) -> None:
        """Cut off whoever may not act any more."""
        for session in list(self._sessions):
            because = why_over(session.caller, snapshot, revoked)
            if because:
                session.kill(because)

    def cut(self, session_id: UUID, reason: str) -> None:
        """A person ended this session."""
        for session in list(self._sessions):
            if session.caller.session_id == session_id:
                session.kill(f"This session was cut: {reason}")

    def end_all(self, because: str) -> None:
        """End every session; others may begin."""
        for session in list(self._sessions):
            session.kill(because)

    async def stop(self) -> None:
        """Take nobody in any more, end every session, and wait until each is closed."""
        for acceptor in self._acceptors:
            acceptor.close()
        self.end_all("The gate is shutting down.")
        visitors = list(self._visitors)
        for visitor in visitors:
            visitor.hang_up()
        await asyncio.gather(*[visitor.over() for visitor in visitors], return_exceptions=True)

    # ---- sessions ----
    async def enter(self, connection: asyncssh.SSHServerConnection, entrance: Entrance) -> Session:
        """5. The host, and with it the session. Raises Refusal."""
        try:
            host = await self._reach(entrance)
        except Refusal as refusal:
            await in_thread(actions.close_session, entrance.caller.session_id, because=refusal.message)
            raise
        session = Session(connection, entrance, host, self.pipeline, self.watch)
        self._sessions.add(session)
        # From here on a revocation finds the session; one that came while it connected is found here.
        if not await in_thread(is_alive, session.caller.credential_id):
            session.kill("The credential of this session was revoked.")
        return session

    async def _reach(self, entrance: Entrance) -> upstream.Upstream:
        name = entrance.caller.resource
        here = self._entering.get(name, 0) + sum(one.caller.resource == name for one in self._sessions)
        if here >= entrance.target.connections:
            raise Refusal(f"{name} takes no more connections.", code="too_many_connections", sqlstate="53300")
        self._entering[name] = self._entering.get(name, 0) + 1
        try:
            return await upstream.connect(entrance.target)
        finally:
            self._entering[name] -= 1

    async def leave(self, session: Session) -> None:
        """End a session whose client is gone."""
        await session.close()
        self._sessions.discard(session)
        await in_thread(actions.close_session, session.caller.session_id, because=session.ended_because)


class Visitor(asyncssh.SSHServer):
    """One connection. What it does not answer, asyncssh refuses: every kind of forwarding, and channels that are no sessions."""

    def __init__(self, door: SshDoor) -> None:
        self._door = door
        self._asked: Asked | None = None
        self._identity: Identity | None = None
        self._tries = self._tokens = 0
        self._session: asyncio.Future[Session | Refusal] = asyncio.get_running_loop().create_future()
        self._leaving: asyncio.Task[None] | None = None
        self.signed_in = False

    # ---- what asyncssh tells and asks ----
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Somebody is there."""
        self._connection = conn
        self._source = str((conn.get_extra_info("peername") or ("",))[0])
        if not self._door.came(self):
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._leaving = asyncio.get_running_loop().create_task(self._leave())

    def begin_auth(self, username: str) -> bool:
        """A login name: everybody has to prove who they are."""
        self._asked = self._identity = None
        try:
            self._asked = login.read_name(username)
            self._connection.set_authorized_keys(Certified(self._asked, self._proved))
        except Refusal as refusal:
            self._say(refusal)
        return True

    def public_key_auth_supported(self) -> bool:
        """By certificate."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """A key without a certificate of ours proves nobody."""
        self._tries += 1
        if self._tries > MOST_TRIES:
            self.hang_up("Too many attempts to sign in.")
        return False

    def password_auth_supported(self) -> bool:
        """By token."""
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether the token proves that it is the agent's, for this resource."""
        self._identity = None
        if self._asked is None:
            return False
        self._tokens += 1
        if self._tokens > MOST_TOKENS:
            self.hang_up("Too many attempts to sign in.")
            return False
        try:
            self._identity = await login.by_token(password, self._asked, self._source)
        except Refusal as refusal:
            self._say(refusal)
            await self._note(refusal)
            return False
        return True

    def _proved(self, identity: Identity) -> None:
        self._identity = identity

    def _say(self, refusal: Refusal) -> None:
        """Words that a client shows before it is asked again."""
        self._connection.send_auth_banner(f"narrowgate: {refusal.message} {refusal.remedy}".rstrip() + "\r\n")

    async def _note(self, refusal: Refusal) -> None:
        try:
            await login.refused(self._asked, self._source, refusal)
        except OrmError as error:
            log.warning("refusal_not_recorded", error=str(error))

    async def auth_completed(self) -> None:
        """Whoever it is has proved it: the session begins, or ends with the reason."""
        self.signed_in = True
        try:
            session = await self._entered()
        except Refusal as refusal:
            await self._note(refusal)
            self._turn_away(refusal)
        except Exception:
            # The database being gone included: that ends this connection and no other.
            log.exception("session_failed", source=self._source)
            self._turn_away(Refusal("Something broke at the gate, and was logged.", code="broken"))
        else:
            self._session.set_result(session)

    def _turn_away(self, refusal: Refusal) -> None:
        """Whoever asks for a channel is told why; then it is over."""
        self._session.set_result(refusal)
        words = f"{refusal.message} {refusal.remedy}".rstrip()
        asyncio.get_running_loop().call_later(TOLD_WITHIN, self.hang_up, words)

    async def _entered(self) -> Session:
        asked, identity = self._asked, self._identity
        if asked is None or identity is None or identity.agent != asked.agent:
            raise Refusal("Nobody was proved.", code="no_token")
        client = str(self._connection.get_extra_info("client_version", ""))
        door = self._door
        entrance = await login.admit(identity, asked, self._source, client, watch=door.watch, node_id=door.node_id)
        return await door.enter(self._connection, entrance)

    def session_requested(self) -> Channel:
        """A channel for a command, a shell or a file transfer."""
        return Channel(self._opened)

    async def _opened(self) -> Session | Refusal:
        return await asyncio.shield(self._session)

    # ---- the end ----
    def hang_up(self, words: str = "The gate is shutting down.") -> None:
        """End the connection, saying why."""
        self._connection.disconnect(asyncssh.DISC_BY_APPLICATION, words)

    async def over(self) -> None:
        """Wait until the connection, and all that was begun in it, has ended."""
        await self._connection.wait_closed()
        if self._leaving is not None:
            await self._leaving

    async def _leave(self) -> None:
        if self.signed_in:
            session = await self._session
            if isinstance(session, Session):
                await self._door.leave(session)
        self._door.left(self)
