"""The deployment's keys that are in files: each can be copied by whoever administers the machine that it is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.conf import settings

from agents import signing, vault_keys
from core.errors import NarrowgateError

_PLACES: Final[Mapping[str, Callable[[], str]]] = {
    "The key that signs agents' certificates": lambda: "hsm" if settings.AGENTS_CA_KEY else "file",
    "The key that signs versions of the policies": lambda: "hsm" if settings.POLICY_KEY else "file",
    "The key that signs access tokens": signing.kept_in,
    "The key over resources' logins": vault_keys.kept_in,
}


def in_files() -> list[str]:
    """In words, which of the keys besides the ledger's, of which its own rows tell, no HSM keeps as far as this process can see."""
    return [name for name, kept_in in _PLACES.items() if _asked(kept_in) != "hsm"]


def _asked(kept_in: Callable[[], str]) -> str:
    try:
        return kept_in()
    except NarrowgateError:
        return ""
