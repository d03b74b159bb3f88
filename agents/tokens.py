"""The token endpoint's work: an agent proves that it holds its key and gets a token for one resource.

`private_key_jwt` (RFC 7523) for client credentials (RFC 6749 section 4.4) with a resource indicator (RFC 8707).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from accounts.actors import actor_of
from accounts.models import User
from agents import access, exchange
from agents.access import LIFE, Identity
from agents.actors import agent_actor, credential_subject
from agents.binding import read_networks, require_shown, thumbprint
from agents.exchange import Granted
from agents.metadata import resource_name
from agents.models import Agent, AgentKey, Credential, Resource
from agents.oauth_errors import OAuthError, invalid_grant, invalid_request, invalid_target, unsupported_grant_type
from agents.proof import Proof, prove, record_refusal, require_active, require_own
from agents.signing import signing_key, verification_keys
from core.db import prepared
from core.errors import Invalid, Refused
from ledger.events import Event
from ledger.write import record

GRANT_TYPE = "client_credentials"
LONGEST_PURPOSE = 300
CREDENTIAL_SQL: LiteralString = """
INSERT INTO agents_credential (id, agent_id, key_id, resource_id, on_behalf_of_id, delegation_id, kind, purpose, source, bound_to, networks,
    issued_at, expires_at, revoked_reason)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::inet, %s, %s, %s, %s, '')
"""


@dataclass(frozen=True, kw_only=True)
class TokenRequest(Proof):
    """The form of POST /oauth/token; absent fields are empty."""

    grant_type: str
    resource: str
    scope: str = ""
    purpose: str = ""
    on_behalf_of: str = ""
    subject_token: str = ""
    subject_token_type: str = ""
    networks: str = ""
    """Where the token may be used from: networks, with spaces between."""
    dpop: str = ""
    """The thumbprint of the key that a DPoP proof of this request showed."""


@dataclass(frozen=True)
class Issued:
    """A token, how many seconds it lives, and its row."""

    access_token: str
    expires_in: int
    credential: Credential


def token_endpoint() -> str:
    """Where tokens are asked for, and what a client assertion is meant for."""
    return f"{settings.GATEWAY_URL}/oauth/token"


def audiences() -> tuple[str, str]:
    """What a client assertion may be meant for: the token endpoint or, as RFC 7523 allows, its issuer."""
    return token_endpoint(), settings.GATEWAY_URL


def issue(request: TokenRequest) -> Issued:
    """Answer a token request. Raises OAuthError; a refusal is recorded in a transaction of its own.

    Steps: 1. form; 2. who asks; 3. agent; 4. resource; 5. credential, entry and token.
    """
    try:
        return _issue(request)
    except OAuthError as error:
        record_refusal(request, error, asked={"resource": request.resource[:100]})
        raise


def verify(token: str, *, resource: str, now: datetime | None = None) -> Identity:
    """Who `token` says is asking for `resource`, by this deployment's keys: `access.verify` with its arguments filled in."""
    moment = now or datetime.now(UTC)
    return access.verify(
        token, keys=verification_keys(moment), issuer=settings.GATEWAY_URL, resource=resource, now=moment
    )


def read(token: str, *, now: datetime | None = None) -> Identity:
    """As `verify`, for whatever resource the token says it is for: who is asking, at an address that serves them all."""
    moment = now or datetime.now(UTC)
    return access.read(token, keys=verification_keys(moment), issuer=settings.GATEWAY_URL, now=moment)


def _issue(request: TokenRequest) -> Issued:
    # 1. The form.
    _check_form(request)
    with transaction.atomic():
        # 2. Who asks.
        key, now = prove(request, audiences=audiences())
        try:
            return _issue_to(key, request, now)
        except OAuthError as error:
            refused = error  # raised after the commit: the assertion stays used
    raise refused


def _issue_to(key: AgentKey, request: TokenRequest, now: datetime) -> Issued:
    """In the caller's transaction, which a refusal leaves as it was: what is written is written last."""
    # 3. The agent may act.
    name = resource_name(request.resource, settings.GATEWAY_URL)
    found_there = require_active(key.agent, resource=name)
    # 4. The one resource and, in an exchange, how far the delegation reaches there.
    resource = _resource(name, found_there)
    asked = exchange.read_scope(request.scope)
    found, subject = None, _subject(request)
    if subject is not None:
        found = exchange.granted(subject, agent=key.agent, resource=resource, verbs=asked, now=now)
    # 5. The credential and its entry, then the token.
    credential = _credential(request, key, resource, found, now)
    verbs = found.reach.verbs if found else asked
    through = found.reach.through if found else ()
    token = _token(credential, resource, verbs=verbs, through=through)
    return Issued(token, int((credential.expires_at - now).total_seconds()) + 1, credential)


def _check_form(request: TokenRequest) -> None:
    if request.grant_type not in {GRANT_TYPE, exchange.GRANT_TYPE}:
        raise unsupported_grant_type()
    if len(request.purpose) > LONGEST_PURPOSE:
        raise invalid_request(f"The purpose has more than {LONGEST_PURPOSE} characters.")
    if request.grant_type == exchange.GRANT_TYPE and request.on_behalf_of:
        raise invalid_request("In an exchange the delegation says for whom the agent acts.")


def _subject(request: TokenRequest) -> str | Identity | None:
    """What is to be exchanged: a delegation's identifier, or a token that whoever presents it can use; None without exchange."""
    if request.grant_type != exchange.GRANT_TYPE:
        return None
    if request.subject_token_type == exchange.DELEGATION:
        return request.subject_token
    if request.subject_token_type != exchange.ACCESS_TOKEN:
        raise invalid_request(f"The subject_token_type is {exchange.DELEGATION} or {exchange.ACCESS_TOKEN}.")
    try:
        identity = read(request.subject_token)
        require_shown(identity, source=request.source or "", key=request.dpop, certificate=request.certificate)
    except Refused as error:
        raise invalid_grant(error.message) from None
    return identity


def _resource(name: str, found: UUID | None) -> Resource:
    """The resource named by its URN, its address or, for short, its name."""
    if not name:
        raise invalid_target("The resource parameter is missing: a token is for one resource.")
    if found is None:
        raise invalid_target(f"There is no resource {name[:60]}.")
    return Resource.from_db(connection.alias, ["id", "name"], [found, name])


def _credential(
    request: TokenRequest, key: AgentKey, resource: Resource, found: Granted | None, now: datetime
) -> Credential:
    delegation = found.delegation if found else None
    person = delegation.person if delegation else _person(request.on_behalf_of)
    # Whole seconds, as in the token: both must end at the same moment.
    ends = found.reach.expires_at.replace(microsecond=0) if found else now.replace(microsecond=0) + LIFE
    if ends <= now:
        raise invalid_grant("The delegation ends this second.")
    kind, bound_to = _binding(request, key.agent)
    credential = Credential(
        agent=key.agent, key=key, resource=resource, on_behalf_of=person, delegation=delegation, kind=kind,
        purpose=request.purpose or (delegation.purpose if delegation else ""), bound_to=bound_to,
        networks=_networks(request.networks), source=request.source, issued_at=now, expires_at=ends,
    )  # fmt: skip
    _insert(credential)
    details = {"resource": resource.name, "kid": key.kid, "kind": credential.kind, "expires_at": ends.isoformat()}
    details |= {"on_behalf_of": str(person.id)} if person else {}
    details |= {"delegation": str(delegation.id)} if delegation else {}
    record(
        Event.CREDENTIAL_ISSUED,
        actor=agent_actor(key.agent), subject=credential_subject(credential), details=details, source=request.source,
        on_behalf_of=actor_of(delegation.person) if delegation else None,
    )  # fmt: skip
    return credential


def _insert(new: Credential) -> None:
    """Save a credential: by the ORM it takes as long as all the rest of a token's statements."""
    prepared(
        CREDENTIAL_SQL,
        [
            new.id, new.agent_id, new.key_id, new.resource_id, new.on_behalf_of_id, new.delegation_id, new.kind, new.purpose, new.source,
            new.bound_to, Jsonb(new.networks), new.issued_at, new.expires_at,
        ],
    )  # fmt: skip


def _binding(request: TokenRequest, agent: Agent) -> tuple[str, str]:
    """The kind of a token and the thumbprint that it is bound to: of the key proved, else of the certificate shown."""
    if request.dpop:
        return Credential.Kind.DPOP, request.dpop
    if request.certificate is not None:
        require_own(request.certificate, agent)
        return Credential.Kind.MTLS, thumbprint(request.certificate)
    return Credential.Kind.BEARER, ""


def _networks(words: str) -> list[str]:
    try:
        return list(read_networks(words))
    except Invalid as error:
        raise invalid_request(f"{error.message} {error.remedy}".strip()) from None


def _person(username: str) -> User | None:
    """Whom the agent says it acts for. It gains nothing by it: that person may not approve."""
    if not username:
        return None
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise invalid_request("There is no such person to act for.")
    return person


def _token(
    credential: Credential, resource: Resource, *, verbs: frozenset[str] | None, through: tuple[str, ...]
) -> str:
    identity = Identity(
        agent=credential.agent.name,
        resource=resource.name,
        credential=credential.id,
        expires_at=credential.expires_at,
        kind=credential.kind,
        purpose=credential.purpose,
        on_behalf_of=str(credential.on_behalf_of_id or ""),
        delegated=credential.delegation_id is not None,
        through=through,
        verbs=verbs,
        jkt=credential.bound_to if credential.kind == Credential.Kind.DPOP else "",
        x5t=credential.bound_to if credential.kind == Credential.Kind.MTLS else "",
        networks=tuple(credential.networks),
    )
    return access.sign(identity, key=signing_key(), issuer=settings.GATEWAY_URL, now=credential.issued_at)
