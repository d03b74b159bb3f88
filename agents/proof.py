"""How an agent proves, at the gate's door, that it holds its registered key: the same for a token and for a certificate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from agents import assertions, svid
from agents.actors import agent_subject
from agents.keys import public_key
from agents.models import Agent, AgentKey, Credential
from agents.oauth_errors import OAuthError, invalid_client, unauthorized_client
from agents.replay import is_first_use
from core.db import db_now, prepared
from core.errors import Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

KEY_FIELDS = ["id", "agent_id", "kid", "algorithm", "public_jwk"]
KEY_SQL: LiteralString = """
SELECT clock_timestamp(), key.id, key.agent_id, key.kid, key.algorithm, key.public_jwk, agent.name
FROM agents_agentkey AS key JOIN agents_agent AS agent ON agent.id = key.agent_id WHERE key.kid = %s AND key.revoked_at IS NULL
"""
# Whoever changes the agent's status waits for those who hold it, and ends the credentials that they issued.
HOLD_SQL: LiteralString = """
SELECT agent.status, agent.status_reason, (SELECT reason FROM agents_halt WHERE lifted_at IS NULL),
    (SELECT id FROM agents_resource WHERE name = %s AND retired_at IS NULL)
FROM agents_agent AS agent WHERE agent.id = %s FOR SHARE OF agent
"""
UNREGISTERED = "The client assertion's key is not registered for this agent and algorithm."
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A client assertion (RFC 7523) as it came; absent fields are empty. `source` is the client's address."""

    client_assertion_type: str
    client_assertion: str
    client_id: str = ""
    source: str | None = None
    certificate: bytes | None = None
    """The client's certificate (DER), whose chain and times TLS has verified."""


def prove(proof: Proof, *, audiences: Sequence[str]) -> tuple[AgentKey, datetime]:
    """The registered key that the client holds, and the database's time of looking. Raises OAuthError (`invalid_client`).

    Steps: 1. form; 2. key; 3. assertion; 4. first use. A caller whose transaction this is in lets it commit, a refusal or not.
    """
    # 1. The form: an assertion or, without one, the certificate of the connection.
    if proof.certificate is not None and not proof.client_assertion:
        return _by_certificate(proof, proof.certificate), db_now()
    if proof.client_assertion_type != ASSERTION_TYPE or not proof.client_assertion:
        raise invalid_client(f"The client proves itself by a client_assertion of type {ASSERTION_TYPE}.")
    # 2. The key that the assertion names.
    claimed = assertions.peek(proof.client_assertion)
    registered = _registered(claimed.kid)
    if registered is None:
        raise invalid_client(UNREGISTERED)
    key, now = registered
    if key.agent.name != claimed.issuer or key.algorithm != claimed.algorithm:
        raise invalid_client(UNREGISTERED)
    # 3. The assertion, by that key.
    assertion = assertions.verify(
        proof.client_assertion,
        key=public_key(key.public_jwk), algorithm=key.algorithm, agent=key.agent.name, audiences=audiences, now=now,
    )  # fmt: skip
    if proof.client_id not in {"", key.agent.name}:
        raise invalid_client("The client_id is not the agent that the key belongs to.")
    # 4. It was never used before, in whatever process.
    if not is_first_use(assertion.issuer, assertion.jti, expires_at=assertion.expires_at):
        raise invalid_client("The client assertion was used before.")
    return key, now


def _registered(kid: str) -> tuple[AgentKey, datetime] | None:
    """A key that counts and its agent, with the columns that are needed here, and the time: the ORM's own way costs as much as all the rest of a token."""
    row = prepared(KEY_SQL, [kid]).fetchone()
    if row is None:
        return None
    now, *of_key, jwk, name = row
    key = AgentKey.from_db(connection.alias, KEY_FIELDS, [*of_key, json.loads(jwk)])
    key.agent = Agent.from_db(connection.alias, ["id", "name"], [key.agent_id, name])
    return key, now


def _by_certificate(proof: Proof, certificate: bytes) -> AgentKey:
    """Mutual TLS (RFC 8705 section 2.1): the certificate is a live SVID of the client that `client_id` names."""
    credential = _live_svid(certificate)
    if proof.client_id != credential.agent.name:
        raise invalid_client("With a client certificate the client_id is given, and is the agent that it names.")
    return credential.key


def require_own(certificate: bytes, agent: Agent) -> None:
    """Raise OAuthError unless a certificate is a live SVID of `agent`."""
    if _live_svid(certificate).agent_id != agent.id:
        raise invalid_client("The client's certificate is another agent's.")


def _live_svid(certificate: bytes) -> Credential:
    """The credential that a certificate, verified by TLS, proves. Raises OAuthError for one that is no SVID, or was revoked."""
    try:
        found = svid.read(certificate, settings.TRUST_DOMAIN)
    except Refused as error:
        raise invalid_client(error.message) from None
    held = Credential.objects.select_related("agent", "key__agent").filter(
        kind=Credential.Kind.SVID, id=found.credential
    )
    credential = held.filter(agent__name=found.agent, revoked_at=None, key__revoked_at=None).first()
    if found.expires_at <= db_now():  # TLS looked when the connection began, which may be long ago
        raise invalid_client("The client's certificate has expired.")
    if credential is None:
        raise invalid_client("The client's certificate was revoked.")
    return credential


def require_active(agent: Agent, *, resource: str = "") -> UUID | None:
    """Hold an agent as it is in the caller's transaction, beside others who do; gives the identifier of the resource of that name.

    Raises OAuthError (`unauthorized_client`) for an agent that may not act.
    """
    held = prepared(HOLD_SQL, [resource, agent.id]).fetchone()
    if held is None:
        raise unauthorized_client(f"{agent.name} is not registered.")
    status, why, stopped, found = held
    if status != Agent.Status.ACTIVE:
        raise unauthorized_client(f"{agent.name} is {Agent.Status(status).label.lower()}.", told=why)
    if stopped is not None:
        raise unauthorized_client("Everything is stopped.", told=stopped)
    return UUID(str(found)) if found else None


@transaction.atomic
def record_refusal(proof: Proof, error: OAuthError, *, asked: Mapping[str, str]) -> None:
    """An entry of a refusal, about the agent that was claimed; what was claimed is unproven, and says so."""
    try:
        claimed = assertions.peek(proof.client_assertion).issuer[:100]
    except OAuthError:
        claimed = proof.client_id[:100]
    agent = Agent.objects.filter(name=claimed).first()
    subject = agent_subject(agent) if agent else Subject(kind="agent", id="", name=claimed or "unknown")
    record(
        Event.CREDENTIAL_REFUSED,
        actor=Actor(kind="agent", id="", name=f"unproven: {claimed or 'unknown'}"),
        subject=subject,
        details={"code": error.code, "reason": error.message, **asked},
        source=proof.source,
    )
