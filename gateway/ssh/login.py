"""Step 1 for SSH: who is at the other end, proved by a certificate of ours or by the token that stands where a password would.

1. The login name says agent and resource: `support.production+web-07`.
2. The certificate (signature, times, that the key is held: asyncssh's part), or the token.
3. The snapshot: the agent is active, the resource is known.
4. The database: the credential is not revoked; the vault gives the login; the session is recorded.
5. The host itself, which proves to hold the key that is registered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncssh
from asyncssh.auth_keys import SSHAuthorizedKeys
from django.db import transaction

from activity import actions
from agents import certificates, ssh_certificates, tokens
from agents.access import Identity
from agents.actors import resource_subject
from agents.binding import require_shown
from agents.models import Credential, Resource
from agents.vault import open_secret
from core.errors import NarrowgateError, Refused
from gateway.action import Caller
from gateway.callers import caller_of, live, opening_of, require_known
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

SSH: Final = "ssh"
_NAME: Final = re.compile(r"([a-z0-9][a-z0-9.-]{0,99})\+([a-z0-9][a-z0-9-]{0,59})\Z", re.ASCII)
HOW: Final = "The login name is AGENT+RESOURCE, as in support.production+web-07."


@dataclass(frozen=True)
class Asked:
    """What a login name says."""

    agent: str
    resource: str


@dataclass(frozen=True)
class Target:
    """Where a host is, and how the gate signs in there. `secret` is a password, or a private key in PEM form."""

    host: str
    port: int
    host_key: str
    connections: int
    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Entrance:
    """Everything a session starts with."""

    caller: Caller
    target: Target


def read_name(name: str) -> Asked:
    """What a login name says. Raises Refusal."""
    found = _NAME.match(name)
    if found is None:
        raise Refusal("The login name does not say which agent, and where to.", code="unknown_resource", remedy=HOW)
    return Asked(found[1], found[2])


async def by_token(token: str, asked: Asked, source: str) -> Identity:
    """Whom a token proves. Raises Refusal."""
    return await in_thread(_by_token, token, asked, source)


def _by_token(token: str, asked: Asked, source: str) -> Identity:
    how = f"The password is an access token: narrowgate token {asked.agent} --resource {asked.resource}"
    try:
        identity = tokens.verify(token, resource=asked.resource)
        require_shown(identity, source=source)
    except Refused as error:
        raise Refusal(error.message, code=error.code, sqlstate="28P01", remedy=how) from None
    _require_agent(identity.agent, asked)
    return identity


def _require_agent(agent: str, asked: Asked) -> None:
    if agent != asked.agent:
        raise Refusal(f"The credential belongs to {agent}, not to {asked.agent}.", code="wrong_agent", remedy=HOW)


class Certified(SSHAuthorizedKeys):
    """What asyncssh asks about a certificate's authority: ours, and a certificate that names this agent. Plain keys prove nobody."""

    def __init__(self, asked: Asked, proved: Callable[[Identity], None]) -> None:
        super().__init__()
        self._asked, self._proved = asked, proved
        line = ssh_certificates.authority_line(certificates.authority().signing.key)
        self._authority = asyncssh.import_public_key(line)

    def validate(
        self,
        key: asyncssh.SSHKey,
        client_host: str,
        client_addr: str,
        cert_principals: Sequence[str] | None = None,
        ca: bool = False,
    ) -> Any:  # noqa: ANN401 -- asyncssh's own type of options is private
        """The options of a login: that the principals were looked at here. None for what proves nobody."""
        if not ca or key != self._authority:
            return None
        named = ssh_certificates.read_principals(list(cert_principals or ()))
        if named is None or named[0] != self._asked.agent:
            return None
        now = datetime.now(UTC)
        identity = Identity(
            named[0], self._asked.resource, named[1], now, kind=Credential.Kind.SVID, proved_at=now
        )  # until when it counts, its row says
        self._proved(identity)
        return {"principals": [list(cert_principals or ())]}


async def admit(identity: Identity, asked: Asked, source: str, client: str, *, watch: Watch, node_id: UUID) -> Entrance:
    """Take whoever was proved through steps 3 and 4. Raises Refusal."""
    # 3. The snapshot.
    await watch.heard()
    agent_id = require_known(watch.current(), asked.agent, asked.resource)
    # 4. The database.
    return await in_thread(_admit, identity, agent_id, source, client, node_id)


def _admit(identity: Identity, agent_id: UUID, source: str, client: str, node_id: UUID) -> Entrance:
    with transaction.atomic():
        credential, resource = live(identity, agent_id, kind=SSH)
        if identity.kind == Credential.Kind.SVID:
            identity = replace(identity, expires_at=credential.expires_at)
        try:
            target = _target(resource)
        except NarrowgateError as error:
            raise Refusal(error.message, code="no_login", remedy=error.remedy) from None
        caller = caller_of(identity, credential, resource, source, node_id)
        actions.open_session(opening_of(caller, protocol=SSH, client=client))
        record(
            Event.SECRET_USED,
            actor=Actor(kind="gateway", id=str(node_id), name="gateway"),
            subject=resource_subject(resource),
            session=caller.session_id,
        )
    return Entrance(caller, target)


def _target(resource: Resource) -> Target:
    if not resource.host_key:
        raise NarrowgateError(
            f"The host key of {resource.name} is not registered.",
            "A platform engineer tests the connection, compares the key, and registers it.",
        )
    login = open_secret(resource)
    return Target(resource.host, resource.port, resource.host_key, resource.connections, login.user, login.password)


async def refused(asked: Asked | None, source: str, refusal: Refusal) -> None:
    """Record that somebody was not let in."""
    agent, resource = (asked.agent, asked.resource) if asked else ("", "")
    await in_thread(
        actions.refuse_session,
        agent=agent,
        resource=resource,
        source=source,
        code=refusal.code,
        because=refusal.message,
    )
