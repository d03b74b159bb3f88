"""What became of a token: introspection (RFC 7662) and revocation (RFC 7009), for the agent that it was issued to.

Nobody else is told anything of a token, not even whether it is one: for them it is not active.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from agents import tokens
from agents.access import Identity
from agents.actors import agent_actor, credential_subject
from agents.models import Agent, AgentKey, Credential
from agents.oauth_errors import OAuthError, invalid_request, unauthorized_client
from agents.proof import Proof, prove, record_refusal
from agents.revision import bump_revision
from core.db import db_now
from core.errors import Refused
from ledger.events import Event
from ledger.write import record

GIVEN_BACK = "The agent gave it back."
LONGEST_HINT = 64


@dataclass(frozen=True, kw_only=True)
class StateRequest(Proof):
    """The form of POST /oauth/introspect and /oauth/revoke. The hint helps nothing here: there is one kind of token."""

    token: str
    token_type_hint: str = ""


def introspect(request: StateRequest) -> dict[str, object]:
    """What the caller's own token says, while it counts; `active: false` for every other text. Raises OAuthError, recorded."""
    key = _caller(request)
    found = _own(request.token, key)
    if found is None or not _counts(found):
        return {"active": False}
    return {"active": True, **found.claims(settings.GATEWAY_URL)}


def revoke(request: StateRequest) -> None:
    """End the caller's own token, everywhere within a second. Twice, or one that never was, does nothing (RFC 7009 section 2.2).

    Raises OAuthError, recorded, for a caller that is not proven and for another agent's token.
    """
    key = _caller(request)
    found = _read(request.token)
    if found is None:
        return
    with transaction.atomic():
        held = Credential.objects.select_for_update(of=("self",)).select_related("agent")
        credential = held.filter(id=found.credential).first()
        if credential is not None and credential.agent_id == key.agent_id:
            _give_back(credential, request.source)
            return
    error = unauthorized_client("The token was issued to another agent, which can revoke it.")
    record_refusal(request, error, asked={"kind": "revocation"})
    raise error


def _give_back(credential: Credential, source: str | None) -> None:
    if credential.revoked_at is not None:
        return
    credential.revoked_at, credential.revoked_reason = db_now(), GIVEN_BACK
    credential.save(update_fields=["revoked_at", "revoked_reason"])
    record(
        Event.CREDENTIAL_REVOKED,
        actor=agent_actor(credential.agent), subject=credential_subject(credential),
        details={"reason": GIVEN_BACK}, source=source,
    )  # fmt: skip
    bump_revision()


def _caller(request: StateRequest) -> AgentKey:
    try:
        if not request.token:
            raise invalid_request("The token parameter is missing.")
        if len(request.token_type_hint) > LONGEST_HINT:
            raise invalid_request(f"The token_type_hint has more than {LONGEST_HINT} characters.")
        return prove(request, audiences=tokens.audiences())[0]
    except OAuthError as error:
        record_refusal(request, error, asked={})
        raise


def _own(token: str, key: AgentKey) -> Identity | None:
    found = _read(token)
    return found if found is not None and found.agent == key.agent.name else None


def _read(token: str) -> Identity | None:
    """What a token of ours says that has not expired."""
    try:
        return tokens.read(token)
    except Refused:
        return None


def _counts(identity: Identity) -> bool:
    """Whether its credential was not revoked and its agent may act."""
    live = Credential.objects.filter(id=identity.credential, revoked_at=None)
    return live.filter(agent__status=Agent.Status.ACTIVE, expires_at__gt=db_now()).exists()
