"""Envelope encryption: each secret under a data key of its own, each data key under the vault's key. Pure.

AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; both layers are bound to what the secret belongs to,
so that a sealed value copied to another row does not open.
"""

from __future__ import annotations

import os

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


def seal(secret: bytes, *, vault_key: bytes, belongs_to: bytes) -> bytes:
    """Encrypt `secret` so that only `vault_key`, and only for `belongs_to`, opens it."""
    data_key = AESGCM.generate_key(bit_length=256)
    return VERSION + _encrypt(vault_key, data_key, belongs_to) + _encrypt(data_key, secret, belongs_to)


def unseal(sealed: bytes, *, vault_key: bytes, belongs_to: bytes) -> bytes:
    """The secret. Raises NarrowgateError when the key, the place or a single bit is not the one it was sealed with."""
    if sealed[:1] != VERSION or len(sealed) < 1 + SEALED_KEY_SIZE + NONCE_SIZE + TAG_SIZE:
        raise NarrowgateError("A sealed secret is damaged.", "Store it again.")
    try:
        data_key = _decrypt(vault_key, sealed[1 : 1 + SEALED_KEY_SIZE], belongs_to)
        return _decrypt(data_key, sealed[1 + SEALED_KEY_SIZE :], belongs_to)
    except InvalidTag:
        raise NarrowgateError("A sealed secret does not open with the vault's key.", "Store it again.") from None


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
