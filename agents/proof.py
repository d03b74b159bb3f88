"""How an agent proves, at the gate's door, that it holds its registered key: the same for a token and for a certificate."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from agents import assertions
from agents.actors import agent_subject
from agents.keys import public_key
from agents.models import Agent, AgentKey, SeenAssertion
from agents.oauth_errors import OAuthError, invalid_client, unauthorized_client
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEEP_SEEN = timedelta(minutes=10)  # longer than any assertion lives, skew included


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A client assertion (RFC 7523) as it came; absent fields are empty. `source` is the client's address."""

    client_assertion_type: str
    client_assertion: str
    client_id: str = ""
    source: str | None = None


def prove(proof: Proof, *, audiences: Sequence[str], now: datetime) -> AgentKey:
    """The registered key that the client holds. Raises OAuthError (`invalid_client`).

    Steps: 1. form; 2. key; 3. assertion; 4. first use.
    """
    # 1. The form.
    if proof.client_assertion_type != ASSERTION_TYPE or not proof.client_assertion:
        raise invalid_client(f"The client proves itself by a client_assertion of type {ASSERTION_TYPE}.")
    # 2. The key that the assertion names.
    claimed = assertions.peek(proof.client_assertion)
    key = AgentKey.objects.select_related("agent").filter(kid=claimed.kid, revoked_at=None).first()
    if key is None or key.agent.name != claimed.issuer or key.algorithm != claimed.algorithm:
        raise invalid_client("The client assertion's key is not registered for this agent and algorithm.")
    # 3. The assertion, by that key.
    assertion = assertions.verify(
        proof.client_assertion,
        key=public_key(key.public_jwk), algorithm=key.algorithm, agent=key.agent.name, audiences=audiences, now=now,
    )  # fmt: skip
    if proof.client_id not in {"", key.agent.name}:
        raise invalid_client("The client_id is not the agent that the key belongs to.")
    # 4. It was never used before, in whatever process.
    _use_up(assertion, now)
    return key


def _use_up(assertion: assertions.Assertion, now: datetime) -> None:
    """Note the assertion as used; committed at once, so that a refusal later on does not give it back."""
    digest = hashlib.sha256(f"{assertion.issuer}\n{assertion.jti}".encode()).hexdigest()
    SeenAssertion.objects.filter(expires_at__lt=now - KEEP_SEEN).delete()
    try:
        with transaction.atomic():
            SeenAssertion.objects.create(digest=digest, expires_at=assertion.expires_at)
    except IntegrityError:
        raise invalid_client("The client assertion was used before.") from None


def active_agent(key: AgentKey) -> Agent:
    """The agent of a key, its row locked. Raises OAuthError (`unauthorized_client`) for one that may not act."""
    agent = Agent.objects.select_for_update(of=("self",)).get(id=key.agent_id)
    if agent.status != Agent.Status.ACTIVE:
        raise unauthorized_client(f"{agent.name} is {agent.get_status_display().lower()}.", told=agent.status_reason)
    return agent


@transaction.atomic
def record_refusal(proof: Proof, error: OAuthError, *, asked: Mapping[str, str]) -> None:
    """An entry of a refusal, about the agent that was claimed; what was claimed is unproven, and says so."""
    try:
        claimed = assertions.peek(proof.client_assertion).issuer[:100]
    except OAuthError:
        claimed = ""
    agent = Agent.objects.filter(name=claimed).first()
    subject = agent_subject(agent) if agent else Subject(kind="agent", id="", name=claimed or "unknown")
    record(
        Event.CREDENTIAL_REFUSED,
        actor=Actor(kind="agent", id="", name=f"unproven: {claimed or 'unknown'}"),
        subject=subject,
        details={"code": error.code, "reason": error.message, **asked},
        source=proof.source,
    )
