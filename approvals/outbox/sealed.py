"""The secrets of webhooks, sealed as the vault's logins are: each under a data key of its own, that under the vault's key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from agents.sealing import Wrapping, rewrap, seal, unseal
from agents.vault_keys import about_to_seal, ring
from approvals.outbox.models import Webhook

__all__ = ["about_to_seal", "rewrap_all", "sealed", "secrets_of"]


def sealed(webhook_id: UUID, secret: bytes) -> bytes:
    """`secret` as it is kept, after `about_to_seal`."""
    return seal(secret, under=ring()[0], belongs_to=_place(webhook_id))


def secrets_of(hook: Webhook, now: datetime) -> list[bytes]:
    """What a message is signed by: its secret, and the one before while that overlaps. Raises NarrowgateError."""
    kept = [bytes(hook.sealed)]
    if hook.sealed_before is not None and hook.before_until is not None and now < hook.before_until:
        kept.append(bytes(hook.sealed_before))
    return [unseal(one, under=ring(), belongs_to=_place(hook.id)) for one in kept]


def rewrap_all(under: list[Wrapping], to: Wrapping, **_sent: object) -> int:
    """Have the vault's new key open them, in the transaction of its rotation; gives how many there are."""
    number = 0
    for hook in Webhook.objects.select_for_update().filter(removed_at=None).order_by("id"):
        place = _place(hook.id)
        hook.sealed = rewrap(bytes(hook.sealed), under=under, to=to, belongs_to=place)
        if hook.sealed_before is not None:
            hook.sealed_before = rewrap(bytes(hook.sealed_before), under=under, to=to, belongs_to=place)
        hook.save(update_fields=["sealed", "sealed_before"])
        number += 1
    return number


def _place(webhook_id: UUID) -> bytes:
    return f"webhook/{webhook_id}".encode()
