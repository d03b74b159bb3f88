"""People's passkeys: under which name they work, which somebody has, and the entry for each that comes or goes.

allauth's pages add, name and list them; who lost theirs is helped by two administrators (`accounts.role_actions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from fido2 import cbor

from accounts.actors import actor_of, subject_of
from accounts.models import User
from ledger.entries import Actor
from ledger.events import Event
from ledger.verify_passkeys import to_url
from ledger.write import record

MOST: Final = 20
"""Passkeys that somebody is asked for at a decision."""


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc] # allauth publishes no types
    """allauth's, with the console's own address as the name under which passkeys work, whatever a request says."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The relying party."""
        return {"id": relying_party(), "name": "Narrowgate"}

    def generate_authenticator_name(self, user: User, type: str) -> str:  # noqa: A002 -- allauth names it
        """What a passkey is called unless its owner says otherwise."""
        number = Authenticator.objects.filter(user=user, type=type).count() + 1
        return f"Passkey {number}" if number > 1 else "Passkey"


@dataclass(frozen=True)
class Passkey:
    """One passkey, its identifier and COSE key as base64url."""

    credential: str
    public_key: str
    name: str


def relying_party() -> str:
    """The host that passkeys are bound to."""
    return urlsplit(settings.CONSOLE_URL).hostname or ""


def origin() -> str:
    """The console's origin, on whose pages alone a passkey counts."""
    address = urlsplit(settings.CONSOLE_URL)
    return f"{address.scheme}://{address.netloc}"


def passkeys_of(user: User) -> list[Passkey]:
    """Those of this account, the latest first."""
    found = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).order_by("-created_at")[:MOST]
    return [_read(one) for one in found]


def remove_all(user: User, actor: User | Actor) -> None:
    """End every passkey and second factor of `user`, in the caller's transaction."""
    for one in Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN):
        _record_removed(user, _read(one), actor)
    Authenticator.objects.filter(user=user).delete()


def added(user: User, authenticator: Authenticator, **_sent: object) -> None:
    """Record that somebody added a passkey: with its public key anybody can verify what it signs from here on."""
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        passkey = _read(authenticator)
        details = {"credential": passkey.credential, "public_key": passkey.public_key, "name": passkey.name}
        with transaction.atomic():
            record(Event.PASSKEY_ADDED, actor=actor_of(user), subject=subject_of(user), details=details)


def removed(user: User, authenticator: Authenticator, **_sent: object) -> None:
    """Record that somebody removed a passkey of theirs."""
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        with transaction.atomic():
            _record_removed(user, _read(authenticator), user)


def _record_removed(user: User, passkey: Passkey, actor: User | Actor) -> None:
    details = {"credential": passkey.credential}
    record(Event.PASSKEY_REMOVED, actor=actor_of(actor), subject=subject_of(user), details=details)


def _read(authenticator: Authenticator) -> Passkey:
    data = authenticator.wrap().authenticator_data.credential_data
    key = cbor.encode(dict(data.public_key))
    return Passkey(to_url(data.credential_id), to_url(key), str(authenticator))
