"""Pure. The digest that names an action: what a review approves and what the gate checks again before release.

It covers everything that decides what the action does, and a random salt, so that it can be published without
letting anybody guess the action from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from ledger.entries import canonical as canonical_json

SALT_BYTES = 32


def canonical(action: Mapping[str, object]) -> bytes:
    """The canonical bytes of an action (RFC 8785). Raises ValueError for what JSON cannot say."""
    return canonical_json(dict(action))


def digest(canonical: bytes, salt: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits over salt and canonical bytes. Raises ValueError for a salt of another length.

    The salt's length is fixed, so no other pair of salt and action has the same bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return f"sha256:{sha256(salt + canonical).hexdigest()}"
