"""Browsers that are pushed to: added and removed by whom they belong to, or gone. Each leaves its entry."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from django.db import transaction

from accounts.actors import SYSTEM, actor_of
from accounts.models import User
from approvals.outbox.actions import drop
from approvals.outbox.addresses import push_address_of
from approvals.outbox.models import Device
from core.errors import Invalid, NotFound, Refused
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

MOST: Final = 20
AUTH_SIZE: Final = 16
"""Bytes of the secret that a browser shares (RFC 8291 section 3.2)."""


def add(*, actor: User, endpoint: str, p256dh: str, auth: str, name: str) -> Device:
    """Push to this browser what its person chose; a browser that was another person's is theirs no longer.

    Raises Invalid about the field, Refused (code `too_many`).
    """
    to = push_address_of(endpoint)
    _require_keys(p256dh, auth)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(id=actor.id)
        Device.objects.filter(endpoint=endpoint).exclude(person=person).delete()
        if person.devices.exclude(endpoint=endpoint).count() >= MOST:
            raise Refused(f"You have {MOST} devices.", "Remove one that you do not use.", code="too_many")
        given = {"person": person, "p256dh": p256dh, "auth": auth, "name": _called(name)}
        device, _ = Device.objects.update_or_create(endpoint=endpoint, defaults=given)
        record(Event.DEVICE_ADDED, actor=actor_of(actor), subject=_subject(device), details={"service": to.host})
    return device


def remove(device_id: UUID, *, actor: User) -> None:
    """Push to it no more. Raises NotFound for one that is not `actor`'s."""
    with transaction.atomic():
        device = Device.objects.select_for_update().filter(id=device_id, person=actor).first()
        if device is None:
            raise NotFound("There is no such device of yours.")
        _end(device)
        record(Event.DEVICE_REMOVED, actor=actor_of(actor), subject=_subject(device))


def is_gone(device_id: UUID) -> None:
    """Forget one whose push service says that it is not there any more."""
    with transaction.atomic():
        device = Device.objects.select_for_update().filter(id=device_id).first()
        if device is not None:
            _end(device)
            record(Event.DEVICE_REMOVED, actor=SYSTEM, subject=_subject(device))


def _end(device: Device) -> None:
    drop(device.deliveries.all())
    Device.objects.filter(id=device.id).delete()


def _subject(device: Device) -> Subject:
    return Subject(kind="device", id=str(device.id), name="A browser")


def _called(name: str) -> str:
    return "".join(sign for sign in name if sign.isprintable()).strip()[:80] or "A browser"


def _require_keys(p256dh: str, auth: str) -> None:
    """Raise Invalid unless these are a point of P-256 and a secret, as browsers give them."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _bytes(p256dh))
    except ValueError:
        raise Invalid("p256dh", "That is no key of a browser.", "Send what its PushManager gave.") from None
    try:
        good = len(_bytes(auth)) == AUTH_SIZE
    except ValueError:
        good = False
    if not good:
        raise Invalid("auth", "That is no secret of a browser.", "Send what its PushManager gave.")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
