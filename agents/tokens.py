"""The token endpoint's work: an agent proves that it holds its key and gets a token for one resource.

`private_key_jwt` (RFC 7523) for client credentials (RFC 6749 section 4.4) with a resource indicator (RFC 8707).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from agents import access, assertions
from agents.access import LIFE, RESOURCE_URN, SCOPE, Identity
from agents.actors import agent_actor, agent_subject, credential_subject
from agents.keys import public_key
from agents.models import Agent, AgentKey, Credential, Resource, SeenAssertion
from agents.oauth_errors import (
    OAuthError,
    invalid_client,
    invalid_request,
    invalid_scope,
    invalid_target,
    unauthorized_client,
    unsupported_grant_type,
)
from agents.signing import signing_key, verification_keys
from core.db import db_now
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_PURPOSE = 300
KEEP_SEEN = timedelta(minutes=10)  # longer than any assertion lives, skew included


@dataclass(frozen=True)
class TokenRequest:
    """The form of POST /oauth/token; absent fields are empty. `source` is the client's address."""

    grant_type: str
    client_assertion_type: str
    client_assertion: str
    resource: str
    scope: str = ""
    client_id: str = ""
    purpose: str = ""
    on_behalf_of: str = ""
    source: str | None = None


@dataclass(frozen=True)
class Issued:
    """A token, how many seconds it lives, and its row."""

    access_token: str
    expires_in: int
    credential: Credential


def token_endpoint() -> str:
    """The audience of every client assertion."""
    return f"{settings.GATEWAY_URL}/oauth/token"


def issue(request: TokenRequest) -> Issued:
    """Answer a token request. Raises OAuthError; a refusal is recorded in a transaction of its own.

    Steps: 1. form; 2. key; 3. assertion; 4. first use; 5. agent; 6. resource; 7. credential, entry and token.
    """
    try:
        return _issue(request)
    except OAuthError as error:
        with transaction.atomic():
            _record_refusal(request, error)
        raise


def verify(token: str, *, resource: str, now: datetime | None = None) -> Identity:
    """Who `token` says is asking for `resource`, by this deployment's keys: `access.verify` with its arguments filled in."""
    moment = now or datetime.now(UTC)
    return access.verify(token, keys=verification_keys(), issuer=settings.GATEWAY_URL, resource=resource, now=moment)


def _issue(request: TokenRequest) -> Issued:
    # 1. The form.
    _check_form(request)
    # 2. The key that the assertion names.
    claimed = assertions.peek(request.client_assertion)
    key = AgentKey.objects.select_related("agent").filter(kid=claimed.kid, revoked_at=None).first()
    if key is None or key.agent.name != claimed.issuer or key.algorithm != claimed.algorithm:
        raise invalid_client("The client assertion's key is not registered for this agent and algorithm.")
    # 3. The assertion, by that key.
    now = db_now()
    assertion = assertions.verify(
        request.client_assertion,
        key=public_key(key.public_jwk), algorithm=key.algorithm, agent=key.agent.name, audience=token_endpoint(), now=now,
    )  # fmt: skip
    if request.client_id not in {"", key.agent.name}:
        raise invalid_client("The client_id is not the agent that the key belongs to.")
    # 4. It was never used before, in whatever process.
    _use_up(assertion, now)
    with transaction.atomic():
        # 5. The agent may act.
        agent = Agent.objects.select_for_update(of=("self",)).get(id=key.agent_id)
        if agent.status != Agent.Status.ACTIVE:
            raise unauthorized_client(f"{agent.name} is {agent.get_status_display().lower()}: {agent.status_reason}")
        # 6. The one resource.
        resource = _resource(request.resource)
        # 7. The credential and its entry, then the token.
        credential = _credential(request, agent, key, resource, now)
        return Issued(_token(credential), int(LIFE.total_seconds()), credential)


def _check_form(request: TokenRequest) -> None:
    if request.grant_type != GRANT_TYPE:
        raise unsupported_grant_type()
    if request.client_assertion_type != ASSERTION_TYPE or not request.client_assertion:
        raise invalid_client(f"The client proves itself by a client_assertion of type {ASSERTION_TYPE}.")
    if request.scope not in {"", SCOPE}:
        raise invalid_scope()
    if len(request.purpose) > LONGEST_PURPOSE:
        raise invalid_request(f"The purpose has more than {LONGEST_PURPOSE} characters.")


def _use_up(assertion: assertions.Assertion, now: datetime) -> None:
    """Note the assertion as used; committed at once, so that a refusal later on does not give it back."""
    digest = hashlib.sha256(f"{assertion.issuer}\n{assertion.jti}".encode()).hexdigest()
    SeenAssertion.objects.filter(expires_at__lt=now - KEEP_SEEN).delete()
    try:
        with transaction.atomic():
            SeenAssertion.objects.create(digest=digest, expires_at=assertion.expires_at)
    except IntegrityError:
        raise invalid_client("The client assertion was used before.") from None


def _resource(asked: str) -> Resource:
    """The resource named by its URN or, for short, its name."""
    if not asked:
        raise invalid_target("The resource parameter is missing: a token is for one resource.")
    name = asked.removeprefix(RESOURCE_URN)
    resource = Resource.objects.filter(name=name, retired_at=None).first()
    if resource is None:
        raise invalid_target(f"There is no resource {name[:60]}.")
    return resource


def _credential(request: TokenRequest, agent: Agent, key: AgentKey, resource: Resource, now: datetime) -> Credential:
    person = _person(request.on_behalf_of)
    # Whole seconds, as in the token: both must end at the same moment.
    ends = now.replace(microsecond=0) + LIFE
    credential = Credential.objects.create(
        agent=agent, key=key, resource=resource, purpose=request.purpose, on_behalf_of=person,
        source=request.source, issued_at=now, expires_at=ends,
    )  # fmt: skip
    details = {"resource": resource.name, "kid": key.kid, "kind": credential.kind, "expires_at": ends.isoformat()}
    details |= {"on_behalf_of": str(person.id)} if person else {}
    record(
        Event.CREDENTIAL_ISSUED,
        actor=agent_actor(agent), subject=credential_subject(credential), details=details, source=request.source,
    )  # fmt: skip
    return credential


def _person(username: str) -> User | None:
    """Whom the agent says it acts for. It gains nothing by it: that person may not approve."""
    if not username:
        return None
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise invalid_request("There is no such person to act for.")
    return person


def _token(credential: Credential) -> str:
    identity = Identity(
        agent=credential.agent.name,
        resource=credential.resource.name,
        credential=credential.id,
        expires_at=credential.expires_at,
        kind=credential.kind,
        purpose=credential.purpose,
        on_behalf_of=str(credential.on_behalf_of_id or ""),
    )
    return access.sign(identity, key=signing_key(), issuer=settings.GATEWAY_URL, now=credential.issued_at)


def _record_refusal(request: TokenRequest, error: OAuthError) -> None:
    """An entry of the refusal, about the agent that was claimed; what was claimed is unproven, and says so."""
    try:
        claimed = assertions.peek(request.client_assertion).issuer[:100]
    except OAuthError:
        claimed = ""
    agent = Agent.objects.filter(name=claimed).first()
    subject = agent_subject(agent) if agent else Subject(kind="agent", id="", name=claimed or "unknown")
    record(
        Event.CREDENTIAL_REFUSED,
        actor=Actor(kind="agent", id="", name=f"unproven: {claimed or 'unknown'}"),
        subject=subject,
        details={"code": error.code, "reason": error.message, "resource": request.resource[:100]},
        source=request.source,
    )
