"""The vault: logins of resources, written by people, read by the gate alone, shown to nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from agents.models import Resource, ResourceSecret
from agents.sealing import seal, unseal
from agents.vault_keys import about_to_seal, place, ring
from core.errors import NotFound


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
    said = json.loads(unseal(sealed, under=ring(), belongs_to=place(resource.id, use)))
    return Login(user=said["user"], password=said["password"])


def sealed_login(resource: Resource, use: str, login: Login) -> bytes:
    """`login` as the vault keeps it, to be stored in the caller's transaction."""
    about_to_seal()
    plain = json.dumps({"user": login.user, "password": login.password}).encode()
    return seal(plain, under=ring()[0], belongs_to=place(resource.id, use))
