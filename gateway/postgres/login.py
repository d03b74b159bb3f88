"""Step 1 for PostgreSQL: who is at the other end, proved by a client certificate or by the token that stands where a password would.

1. The start-up packet: protocol version, names, settings that may be set.
2. The certificate, or the token: signature, time, and that it is for this resource and this agent.
3. The snapshot: the agent is active, the resource is known.
4. The database: the credential is not revoked; the vault gives the login; the session is recorded.
5. The resource itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from activity import actions
from agents import svid, tokens
from agents.access import Identity
from agents.actors import resource_subject
from agents.binding import require_shown
from agents.models import Credential, Resource, ResourceSecret
from agents.vault import open_secret
from core.errors import NarrowgateError, NotFound, Refused
from gateway.action import Caller
from gateway.callers import caller_of, live, opening_of, require_known
from gateway.postgres import settings_allowed
from gateway.postgres.client import Client
from gateway.postgres.frontend import Startup, read_text
from gateway.postgres.messages import CLEARTEXT_PASSWORD, PROTOCOL_3_0, negotiate_protocol_version
from gateway.postgres.upstream import Target
from gateway.refusal import Refusal
from gateway.snapshot import Watch
from gateway.threads import in_thread
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

WITHIN = 30.0
"""Seconds from the handshake to the end of signing in."""
NEWEST_MINOR = 2
_QUOTED = re.compile(r"^'(.*)'$", re.DOTALL)


@dataclass(frozen=True)
class Entrance:
    """Everything a session starts with. `minor` is the protocol's, `settings` what the client set at start-up."""

    caller: Caller
    target: Target
    reading: Target
    minor: int
    settings: Mapping[str, str]


@dataclass(frozen=True)
class _Asked:
    agent: str
    resource: str
    client: str
    minor: int
    settings: Mapping[str, str]


async def enter(client: Client, startup: Startup, source: str, watch: Watch, node_id: UUID) -> Entrance:
    """Take a client through steps 1 to 4. Raises Refusal, recorded; ProtocolError when it breaks the protocol."""
    asked: _Asked | None = None
    try:
        # 1. The start-up packet.
        asked = _read(client, startup)
        # 2. The token.
        identity = await _identify(client, asked, source)
        # 3. The snapshot.
        await watch.heard()
        agent_id = require_known(watch.current(), asked.agent, asked.resource)
        # 4. The database.
        return await in_thread(_admit, identity, asked, agent_id, source, node_id)
    except Refusal as refusal:
        agent, resource = (asked.agent, asked.resource) if asked else ("", "")
        await in_thread(
            actions.refuse_session,
            agent=agent,
            resource=resource,
            source=source,
            code=refusal.code,
            because=refusal.message,
        )
        raise


def _read(client: Client, startup: Startup) -> _Asked:
    # 1. Versions above 3.2 and protocol options are negotiated down, as the protocol says.
    options = [name for name in startup.parameters if name.startswith("_pq_.")]
    if options or startup.minor > NEWEST_MINOR:
        client.write(negotiate_protocol_version(PROTOCOL_3_0 + min(startup.minor, NEWEST_MINOR), options))
    given = {name: value for name, value in startup.parameters.items() if not name.startswith("_pq_.")}
    agent = given.pop("user", "")
    resource = given.pop("database", agent)
    if given.pop("replication", "false").lower() not in {"false", "off", "no", "0"}:
        raise Refusal("The gate carries no replication.", code="replication_denied", sqlstate="0A000")
    if given.pop("options", "").strip():
        raise Refusal(
            "The start-up parameter options is not taken.",
            code="setting_denied",
            remedy="Leave PGOPTIONS empty; set what may be set with SET.",
        )
    return _Asked(
        agent, resource, given.get("application_name", ""), min(startup.minor, NEWEST_MINOR), _settings(given)
    )


def _settings(given: Mapping[str, str]) -> dict[str, str]:
    settings = {}
    for name, value in given.items():
        unquoted = _QUOTED.sub(r"\1", value)  # asyncpg quotes its encoding
        if name.lower() == "client_encoding":
            if unquoted.lower() != "sql_ascii":  # what a C locale makes of UTF-8: bytes are bytes
                settings_allowed.check(name, unquoted)
            continue
        settings_allowed.check(name, unquoted)
        settings[name.lower()] = unquoted
    return settings


async def _identify(client: Client, asked: _Asked, source: str) -> Identity:
    # 2. The client's certificate, which TLS has verified; else a token, over TLS, where nobody else reads it.
    certificate = client.certificate()
    identity = _certified(client, certificate, asked) if certificate else await _by_token(client, asked, source)
    if identity.agent != asked.agent:
        raise Refusal(
            f"The credential belongs to {identity.agent}, not to {asked.agent}.",
            code="wrong_agent",
            sqlstate="28000",
            remedy=f"Connect with user={identity.agent}.",
        )
    return identity


def _certified(client: Client, certificate: bytes, asked: _Asked) -> Identity:
    try:
        found = svid.read(certificate, settings.TRUST_DOMAIN)
    except Refused as error:
        raise Refusal(error.message, code=error.code, sqlstate="28000", remedy=error.remedy) from None
    proved_at = datetime.now(UTC) if client.is_fresh() else None
    return Identity(
        found.agent, asked.resource, found.credential, found.expires_at, kind=Credential.Kind.SVID, proved_at=proved_at
    )


async def _by_token(client: Client, asked: _Asked, source: str) -> Identity:
    client.write(CLEARTEXT_PASSWORD)
    message = await client.next()
    if message is None or message.kind != ord("p"):
        raise Refusal("No token was given.", code="no_token", sqlstate="28P01", remedy=_how(asked))
    try:
        identity = tokens.verify(read_text(message.body), resource=asked.resource)
        require_shown(identity, source=source)  # a client with a certificate is not asked for a token
    except Refused as error:
        raise Refusal(error.message, code=error.code, sqlstate="28P01", remedy=_how(asked)) from None
    return identity


def _how(asked: _Asked) -> str:
    return f"The password is an access token for this resource: narrowgate token {asked.agent}. The database is the resource's name."


def _admit(identity: Identity, asked: _Asked, agent_id: UUID, source: str, node_id: UUID) -> Entrance:
    # 4. One transaction.
    with transaction.atomic():
        credential, resource = live(identity, agent_id, kind="postgres")
        try:
            targets = _target(resource, ResourceSecret.Use.ACTIONS), _reading(resource)
        except NarrowgateError as error:
            raise Refusal(error.message, code="no_login", sqlstate="08004", remedy=error.remedy) from None
        caller = caller_of(identity, credential, resource, source, node_id)
        actions.open_session(opening_of(caller, protocol="postgres", client=asked.client))
        record(
            Event.SECRET_USED,
            actor=Actor(kind="gateway", id=str(node_id), name="gateway"),
            subject=resource_subject(resource),
            session=caller.session_id,
        )
    return Entrance(caller, *targets, minor=asked.minor, settings=asked.settings)


def _target(resource: Resource, use: str) -> Target:
    login = open_secret(resource, use)
    return Target(
        resource_id=resource.id,
        host=resource.host,
        port=resource.port,
        database=resource.database,
        user=login.user,
        password=login.password,
        other=login.other,
        tls=resource.tls != "off",
        ca=resource.tls_ca,
        search_path=resource.search_path,
        role=resource.role if use == ResourceSecret.Use.ACTIONS else "",
        connections=resource.connections,
    )


def _reading(resource: Resource) -> Target:
    """The login that reads the catalog; where none is stored, the one for actions reads it too."""
    try:
        return _target(resource, ResourceSecret.Use.READING)
    except NotFound:
        return _target(resource, ResourceSecret.Use.ACTIONS)


def timeout() -> asyncio.Timeout:
    """The time that signing in may take."""
    return asyncio.timeout(WITHIN)
