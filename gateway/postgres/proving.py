"""`SET narrowgate.proof = '…'`: a session proves anew that the agent's key is held, where a policy asks for that (`@proof`).

A token in the place of a password is proved once, by whoever got it. The gate asks with a challenge of its own, good for one answer in
one session, and counts the proof from the moment it asked: no clock but ours has a say.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, replace

from django.db import transaction

from agents.keys import public_key
from agents.models import Credential
from agents.possession import require_possession
from core.errors import Refused
from gateway.action import Caller
from gateway.refusal import Refusal
from gateway.threads import in_thread
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

SHOWN = "SET narrowgate.proof = '…'"
_PROOF = re.compile(
    r"\s*SET\s+(?:SESSION\s+)?narrowgate\.proof\s*(?:=|TO)\s*'([A-Za-z0-9._-]*)'\s*;?\s*", re.IGNORECASE
)


@dataclass(frozen=True)
class Challenge:
    """What the gate asked, and when (seconds since 1970)."""

    text: str
    asked: float

    @classmethod
    def to(cls, caller: Caller) -> Challenge:
        """A new one, for one session."""
        return cls(f"{caller.session_id}.{secrets.token_urlsafe(16)}", time.time())


def proof_in(sql: str) -> str | None:
    """The proof that a text brings; None for every other text."""
    found = _PROOF.fullmatch(sql)
    return found[1] if found else None


def asked(refusal: Refusal, caller: Caller, challenge: Challenge) -> Refusal:
    """A refusal for want of a proof, which says how to give one."""
    remedy = (
        f"Answer with SET narrowgate.proof = '…', as narrowgate proof {caller.agent} {challenge.text} prints it, and ask again. "
        "A new connection with a client certificate proves it, too."
    )
    return Refusal(refusal.message, code=refusal.code, sqlstate=refusal.sqlstate, remedy=remedy)


async def proved(caller: Caller, proof: str, challenge: Challenge | None, *, idle: bool) -> Caller:
    """The same caller, its key proved when `challenge` was made. Raises Refusal."""
    if not idle:
        raise Refusal("A proof is given between statements.", code="proof_refused", sqlstate="55000")
    if challenge is None:
        raise Refusal(
            "The gate has asked for no proof since the last one.",
            code="proof_refused",
            sqlstate="55000",
            remedy="Ask for what needs one; the refusal brings a challenge.",
        )
    return await in_thread(_proved, caller, proof, challenge)


def _proved(caller: Caller, proof: str, challenge: Challenge) -> Caller:
    live = Credential.objects.select_related("key").filter(revoked_at=None, key__revoked_at=None)
    credential = live.filter(id=caller.credential_id, agent=caller.agent_id).first()
    if credential is None:
        raise Refusal("The credential or its key was revoked.", code="credential_revoked", sqlstate="28P01")
    try:
        require_possession(
            proof, key=public_key(credential.key.public_jwk), agent=caller.agent, challenge=challenge.text
        )
    except Refused as error:
        raise Refusal(error.message, code=error.code, sqlstate="28P01", remedy=error.remedy) from None
    resource = Subject(kind="resource", id=str(caller.resource_id), name=caller.resource)
    with transaction.atomic():
        record(
            Event.SESSION_PROVED, actor=caller.actor, subject=resource, session=caller.session_id,
            details={"kid": credential.key.kid}, source=caller.source or None,
        )  # fmt: skip
    return replace(caller, proved=challenge.asked)
