"""`SET narrowgate.token = '…'`: a live session goes on under a newer credential, for the same agent at the same resource.

PostgreSQL's protocol asks for a password once. The text is taken out before anything reads, records or forwards it, so the token is
nowhere but here; in any other form it is a setting that nobody may set, and every constant of it is hidden.
"""

from __future__ import annotations

import re
from dataclasses import replace

from django.db import transaction

from agents import tokens
from agents.access import Identity
from agents.binding import require_shown
from agents.models import Agent, Credential
from core.errors import Refused
from gateway.action import Caller
from gateway.refusal import Refusal
from gateway.threads import in_thread
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

SHOWN = "SET narrowgate.token = '…'"
_RENEWAL = re.compile(
    r"\s*SET\s+(?:SESSION\s+)?narrowgate\.token\s*(?:=|TO)\s*'([A-Za-z0-9._-]*)'\s*;?\s*", re.IGNORECASE
)


def token_in(sql: str) -> str | None:
    """The token that a text renews a session with; None for every other text."""
    found = _RENEWAL.fullmatch(sql)
    return found[1] if found else None


async def renewed(caller: Caller, token: str, certificate: bytes | None, *, idle: bool) -> Caller:
    """The same caller under the credential that `token` proves, while nothing runs. Raises Refusal, whatever it is that does not fit."""
    if not idle:
        raise Refusal("A token is renewed between statements.", code="renewal_refused", sqlstate="55000")
    try:
        identity = tokens.verify(token, resource=caller.resource)
        require_shown(identity, source=caller.source, certificate=certificate)
    except Refused as error:
        raise Refusal(error.message, code=error.code, sqlstate="28P01", remedy=error.remedy) from None
    if not _is_same(caller, identity):
        raise Refusal(
            "The token is of another agent, or of another delegation: it renews nothing here.",
            code="renewal_refused",
            sqlstate="28P01",
            remedy="Connect with it instead.",
        )
    return await in_thread(_renewed, caller, identity)


def _is_same(caller: Caller, identity: Identity) -> bool:
    """Whether a token says no more, and no less, than the session it is to renew."""
    ours = caller.agent, str(caller.on_behalf_of or ""), bool(caller.acts_for), caller.through, caller.verbs
    return ours == (
        identity.agent,
        identity.on_behalf_of,
        identity.delegated,
        identity.through,
        identity.verbs,
    )


def _renewed(caller: Caller, identity: Identity) -> Caller:
    with transaction.atomic():
        live = Credential.objects.filter(
            id=identity.credential, kind=identity.kind, agent=caller.agent_id, revoked_at=None
        )
        credential = live.filter(agent__status=Agent.Status.ACTIVE).first()
        if credential is None:
            raise Refusal("The credential was revoked.", code="credential_revoked", sqlstate="28P01")
        details = {
            "credential": str(identity.credential), "kind": identity.kind, "expires_at": identity.expires_at.isoformat(),
        }  # fmt: skip
        resource = Subject(kind="resource", id=str(caller.resource_id), name=caller.resource)
        record(
            Event.SESSION_RENEWED, actor=caller.actor, subject=resource, session=caller.session_id, details=details,
            source=caller.source or None,
        )  # fmt: skip
    return replace(
        caller,
        credential_id=identity.credential,
        expires=identity.expires_at.timestamp(),
        kind=identity.kind,
        issued=credential.issued_at.timestamp(),
        purpose=identity.purpose,
    )
