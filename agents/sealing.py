"""Envelope encryption: each secret under a data key of its own, each data key under the vault's key (`Wrapping`). Pure.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; both layers are bound to what the secret belongs to,
so that a sealed value copied to another row does not open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from core.errors import NarrowgateError

VERSION = b"\x01"
KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
SALT_SIZE = 16
SEALED_KEY_SIZE = NONCE_SIZE + KEY_SIZE + TAG_SIZE


class Wrapping(Protocol):
    """The vault's key, wherever it is kept: it seals data keys and opens them."""

    def wrap(self, key: bytes, belongs_to: bytes) -> bytes:
        """`key` sealed: SEALED_KEY_SIZE bytes."""

    def unwrap(self, sealed: bytes, belongs_to: bytes) -> bytes:
        """What was sealed. Raises InvalidTag for what was sealed with another key, or for something else."""


class InMemory:
    """A vault's key that this process holds."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def wrap(self, key: bytes, belongs_to: bytes) -> bytes:
        """`key` sealed."""
        return _encrypt(self._key, key, belongs_to)

    def unwrap(self, sealed: bytes, belongs_to: bytes) -> bytes:
        """What was sealed. Raises InvalidTag."""
        return _decrypt(self._key, sealed, belongs_to)


def seal(secret: bytes, *, under: Wrapping, belongs_to: bytes) -> bytes:
    """Encrypt `secret` so that only the vault's key `under`, and only for `belongs_to`, opens it."""
    data_key = AESGCM.generate_key(bit_length=256)
    return VERSION + under.wrap(data_key, belongs_to) + _encrypt(data_key, secret, belongs_to)


def unseal(sealed: bytes, *, under: Sequence[Wrapping], belongs_to: bytes) -> bytes:
    """The secret. Raises NarrowgateError when none of the keys, the place or a single bit is the one it was sealed with."""
    data_key = _data_key(sealed, under, belongs_to)
    try:
        return _decrypt(data_key, sealed[1 + SEALED_KEY_SIZE :], belongs_to)
    except InvalidTag:
        raise _does_not_open() from None


def rewrap(sealed: bytes, *, under: Sequence[Wrapping], to: Wrapping, belongs_to: bytes) -> bytes:
    """The same secret, its data key sealed by another of the vault's keys. Raises NarrowgateError, as `unseal` does."""
    data_key = _data_key(sealed, under, belongs_to)
    return VERSION + to.wrap(data_key, belongs_to) + sealed[1 + SEALED_KEY_SIZE :]


def _data_key(sealed: bytes, under: Sequence[Wrapping], belongs_to: bytes) -> bytes:
    if sealed[:1] != VERSION or len(sealed) < 1 + SEALED_KEY_SIZE + NONCE_SIZE + TAG_SIZE:
        raise NarrowgateError("A sealed secret is damaged.", "Store it again.")
    for key in under:
        try:
            return key.unwrap(sealed[1 : 1 + SEALED_KEY_SIZE], belongs_to)
        except InvalidTag:
            continue
    raise _does_not_open()


def _does_not_open() -> NarrowgateError:
    return NarrowgateError("A sealed secret does not open with the vault's key.", "Store it again.")


def lock_key(key: bytes, passphrase: str) -> bytes:
    """The vault's key as it is kept in a file: under a key stretched from the passphrase (scrypt, RFC 7914)."""
    salt = os.urandom(SALT_SIZE)
    return VERSION + salt + _encrypt(_stretched(passphrase, salt), key, VERSION)


def unlock_key(locked: bytes, passphrase: str) -> bytes:
    """The vault's key. Raises NarrowgateError for a wrong passphrase or a damaged file."""
    version, salt, rest = locked[:1], locked[1 : 1 + SALT_SIZE], locked[1 + SALT_SIZE :]
    try:
        return _decrypt(_stretched(passphrase, salt), rest, version)
    except (InvalidTag, ValueError):
        raise NarrowgateError(
            "The vault's key does not open.", "Its passphrase is another one, or it is damaged."
        ) from None


def _stretched(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=KEY_SIZE, n=2**15, r=8, p=1).derive(passphrase.encode())


def _encrypt(key: bytes, plain: bytes, belongs_to: bytes) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, plain, belongs_to)


def _decrypt(key: bytes, sealed: bytes, belongs_to: bytes) -> bytes:
    return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], belongs_to)
