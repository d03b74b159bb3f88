"""Decisions signed with a passkey: what it is asked to sign, and whether what came back is that. Single use, within two minutes.

The signature goes into the entry of the decision, where `ledger/verify_passkeys.py` checks it again, anywhere and at any time.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction

from accounts.models import User
from accounts.passkeys import origin, passkeys_of, relying_party
from approvals.models import Challenge
from core.db import db_now
from core.errors import Invalid, Refused
from ledger.entries import timestamp
from ledger.verify_passkeys import challenge, check, from_url, to_url
from ledger.verify_primitives import Unreadable, read_object

LIFE: Final = timedelta(minutes=2)
KEPT: Final = timedelta(days=1)
APPROVE: Final = "approve"
BREAK: Final = "break"
VERDICTS: Final = (APPROVE, BREAK)
MOST_HOLDS: Final = 50
LONGEST: Final = 10_000
"""Characters of an answer; a passkey's has some 1,000."""
Holds = Sequence[tuple[str, str]]


def ask(user: User, verdict: str, holds: Holds) -> dict[str, Any]:
    """What the browser hands to an authenticator of `user`, to sign this verdict over `holds` (identifier and digest).

    Raises Invalid, and Refused (`no_passkey`) for somebody without any.
    """
    if verdict not in VERDICTS or not 1 <= len(holds) <= MOST_HOLDS:
        raise Invalid("verdict", f"A passkey signs one verdict over 1 to {MOST_HOLDS} holds.")
    known = passkeys_of(user)
    if not known:
        raise Refused("You have no passkey yet.", "Add one to your account, then decide.", code="no_passkey")
    with transaction.atomic():
        nonce, expires = to_url(secrets.token_bytes(32)), db_now() + LIFE
        told = challenge(nonce=nonce, expires=timestamp(expires), verdict=verdict, holds=holds)
        row = Challenge.objects.create(
            challenge=to_url(told), nonce=nonce, person=user, verdict=verdict, holds=[list(one) for one in holds],
            expires_at=expires,
        )  # fmt: skip
    return {
        "challenge": row.challenge,
        "rpId": relying_party(),
        "allowCredentials": [{"type": "public-key", "id": one.credential} for one in known],
        "userVerification": "required",
        "timeout": int(LIFE.total_seconds() * 1000),
    }


def signed(user: User, verdict: str, holds: Holds, answer: str) -> dict[str, Any]:
    """What the entry keeps of the passkey's `answer` for this verdict over these `holds`; its challenge is used up.

    In the transaction that decides. Raises Refused: `passkey_required` where nothing was signed, else `passkey_refused`.
    """
    if not answer:
        raise Refused(
            "Policy asks for your passkey here.", "Decide on the hold's page, with scripts on.", code="passkey_required"
        )
    try:
        return _signed(user, verdict, holds, answer)
    except Unreadable as error:
        raise Refused(
            f"Not accepted: {error}.", "Decide again; it asks for your passkey anew.", code="passkey_refused"
        ) from None


def forget_old() -> int:
    """Delete the challenges that are long past; gives how many."""
    number, _ = Challenge.objects.filter(expires_at__lt=db_now() - KEPT).delete()
    return number


def _signed(user: User, verdict: str, holds: Holds, answer: str) -> dict[str, Any]:
    if len(answer) > LONGEST:
        raise Unreadable("the passkey's answer is too long")
    parts = read_object(answer.encode(), "the passkey's answer")
    client = str(parts.get("clientDataJSON"))
    row = _challenge(str(read_object(from_url(client), "the client's data").get("challenge")))
    now = db_now()
    if row.person_id != user.id or row.used_at is not None or row.expires_at <= now:
        raise Unreadable("the passkey was asked too long ago, or has answered already")
    if (row.verdict, row.holds) != (verdict, [list(one) for one in holds]):
        raise Unreadable("the passkey signed something else")
    passkey = next((one for one in passkeys_of(user) if one.credential == parts.get("id")), None)
    if passkey is None:
        raise Unreadable("the passkey is none of yours any more")
    says: dict[str, Any] = {
        "authenticator_data": str(parts.get("authenticatorData")),
        "client_data": client,
        "credential": passkey.credential,
        "expires": timestamp(row.expires_at),
        "holds": row.holds,
        "nonce": row.nonce,
        "origin": origin(),
        "public_key": passkey.public_key,
        "rp": relying_party(),
        "signature": str(parts.get("signature")),
        "verdict": verdict,
    }
    for hold, digest in holds:
        check(says, verdict=verdict, hold=hold, digest=digest)
    row.used_at = now
    row.save(update_fields=["used_at"])
    return says


def _challenge(told: str) -> Challenge:
    row = Challenge.objects.select_for_update(of=("self",)).filter(challenge=told).first()
    if row is None:
        raise Unreadable("nobody asked the passkey for this")
    return row
