"""Names of people outside the leaf: a commitment that only the person's key opens, and the sealed name. Pure.

The salt of a commitment is drawn from the person's key (HMAC-SHA-256) and the name, so one person's one name has one
commitment, and nobody without the key can try names against it. Whoever is given salt and name can check them with
SHA-256 alone; destroying the key leaves the commitment as it is and nothing to open it with.
"""

from __future__ import annotations

import hmac
import secrets
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.entries import commit_text

KEY_SIZE = SALT_SIZE = 32
NONCE_SIZE = 12


class Opening(NamedTuple):
    """What opens a commitment: `commit_text(text, salt)` is it."""

    salt: bytes
    text: str


def new_key() -> bytes:
    """A person's key."""
    return secrets.token_bytes(KEY_SIZE)


def opening_of(key: bytes, text: str) -> Opening:
    """How a commitment to `text` under a person's key is opened."""
    return Opening(hmac.digest(key, b"salt\x00" + text.encode(), "sha256"), text)


def seal(key: bytes, opening: Opening, commitment: str) -> bytes:
    """The opening, readable with the key alone (AES-256-GCM), and only in the place of its commitment."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, opening.salt + opening.text.encode(), commitment.encode())


def unseal(key: bytes, box: bytes, commitment: str) -> Opening | None:
    """What was sealed; None where the box was altered, or opens to something that the commitment is not to."""
    try:
        plain = AESGCM(key).decrypt(box[:NONCE_SIZE], box[NONCE_SIZE:], commitment.encode())
        opening = Opening(plain[:SALT_SIZE], plain[SALT_SIZE:].decode())
    except (InvalidTag, ValueError):
        return None
    return opening if commit_text(opening.text, opening.salt) == commitment else None
