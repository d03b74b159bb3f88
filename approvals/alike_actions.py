"""One decision over several holds that ask alike: each is reviewed by itself and says with which others, or none of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.models import User
from approvals import actions, signing
from approvals.alike import key_of
from approvals.models import Hold
from core.errors import Invalid, Refused

Shown = Sequence[tuple[UUID, str]]
"""The holds that were shown, each with the digest of its action."""
MOST: Final = signing.MOST_HOLDS


def approve_alike(shown: Shown, *, actor: User, reason: str = "", passkey: str = "") -> list[Hold]:
    """Record `actor`'s approval of each action in `shown`, and of nothing that came later; a passkey signs the list as a whole.

    Raises as `actions.approve` does for the first that cannot be approved, and Refused (`not_alike`).
    """

    def approve(holds: list[Hold], reviewer: User, listed: list[tuple[str, str]], others: list[str]) -> None:
        signed = signing.signed(reviewer, signing.APPROVE, listed, passkey) if holds[0].passkey else None
        for hold in holds:
            actions.take_approval(hold, reviewer, hold.digest, reason, signed=signed, together=others)

    return _decide(shown, actor, approve)


def deny_alike(shown: Shown, *, actor: User, reason: str) -> list[Hold]:
    """Deny each action in `shown`, for one reason. Raises as `approve_alike` does."""

    def deny(holds: list[Hold], reviewer: User, _listed: list[tuple[str, str]], others: list[str]) -> None:
        for hold in holds:
            actions.take_denial(hold, reviewer, hold.digest, reason, together=others)

    return _decide(shown, actor, deny)


def _decide(
    shown: Shown, actor: User, decide: Callable[[list[Hold], User, list[tuple[str, str]], list[str]], None]
) -> list[Hold]:
    """Lock them, always in the same order; check each; decide all in one transaction."""
    seen = dict(shown)
    if not 1 <= len(seen) <= MOST or len(seen) != len(shown):
        raise Invalid("holds", f"One decision is over 1 to {MOST} holds, each named once.", "Tick those that you mean.")
    in_order = sorted(seen, key=str)
    with transaction.atomic():
        found = [actions.to_review(hold, actor, seen[hold]) for hold in in_order]
        holds = [hold for hold, _ in found]
        if len({key_of(hold) for hold in holds}) > 1:
            raise Refused("These do not ask alike.", "Decide them one by one.", code="not_alike")
        listed = [(str(hold.id), hold.digest) for hold in holds]
        others = [str(hold.id) for hold in holds] if len(holds) > 1 else []
        decide(holds, found[0][1], listed, others)
    return holds
