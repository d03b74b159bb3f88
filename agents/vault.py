"""The vault: logins of resources, written by people, read by the gate alone, shown to nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from agents.models import Resource, ResourceSecret
from agents.sealing import lock_key, seal, unlock_key, unseal
from core.errors import NarrowgateError, NotFound
from core.files import create_private

FILE = "vault.key"


@dataclass(frozen=True)
class Login:
    """What the gate signs in with at a resource. `other` is the password that is about to take the place of `password`, or has."""

    user: str
    password: str = field(repr=False)
    other: str = field(default="", repr=False)


def open_secret(resource: Resource, use: str = ResourceSecret.Use.ACTIONS) -> Login:
    """The login for `use` at `resource`. Raises NotFound where none is stored, NarrowgateError where it does not open."""
    secret = ResourceSecret.objects.filter(resource=resource, use=use).first()
    if secret is None:
        raise NotFound(f"The vault holds no login for {resource.name}.", "Store one.")
    login = opened(resource, use, bytes(secret.sealed))
    if secret.pending is None:
        return login
    return replace(login, other=opened(resource, use, bytes(secret.pending)).password)


def opened(resource: Resource, use: str, sealed: bytes) -> Login:
    """The login that was sealed for `use` at `resource`. Raises NarrowgateError where it does not open."""
    said = json.loads(unseal(sealed, vault_key=vault_key(), belongs_to=place(resource, use)))
    return Login(user=said["user"], password=said["password"])


def sealed_login(resource: Resource, use: str, login: Login) -> bytes:
    """`login` as the vault keeps it."""
    plain = json.dumps({"user": login.user, "password": login.password}).encode()
    return seal(plain, vault_key=vault_key(), belongs_to=place(resource, use))


def place(resource: Resource, use: str) -> bytes:
    """What a sealed login is bound to."""
    return f"{resource.id}/{use}".encode()


def vault_key() -> bytes:
    """The key over all data keys, from its file, made at first use. Raises NarrowgateError."""
    return _load(settings.STATE_DIR / "keys" / FILE, settings.KEY_PASSPHRASE)


@lru_cache(maxsize=8)
def _load(path: Path, passphrase: str) -> bytes:
    if not passphrase:
        raise NarrowgateError("The vault's key needs a passphrase.", "Set KEY_PASSPHRASE.")
    try:
        if not path.exists():
            create_private(path, lock_key(AESGCM.generate_key(bit_length=256), passphrase))
        return unlock_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise NarrowgateError(f"The vault's key {path} cannot be used: {error.strerror}.") from None
