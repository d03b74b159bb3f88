"""Who signs checkpoints: one small interface, and a key kept in an encrypted file; `ledger/hsm.py` has the other."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from core.errors import NarrowgateError
from ledger.checkpoint import VerifierKey

DEFAULT_NAME = "narrowgate.test/ledger"


class Signer(Protocol):
    """Signs with a key that it does not give away."""

    @property
    def kept_in(self) -> str:
        """What keeps the key: `file` or `hsm`."""

    @property
    def key(self) -> VerifierKey:
        """The public half, under the log's name."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of `message` (RFC 8032)."""


class FileSigner:
    """A key in a file, encrypted with a passphrase (PKCS #8 PEM)."""

    kept_in = "file"

    def __init__(self, private: Ed25519PrivateKey, name: str) -> None:
        self._private = private
        self.key = VerifierKey(name, private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of `message` (RFC 8032)."""
        return self._private.sign(message)

    @classmethod
    def load_or_create(cls, path: Path, passphrase: str, name: str = DEFAULT_NAME) -> FileSigner:
        """The signer whose key is in `path`, made when there is none. `name` is the log's origin.

        Raises NarrowgateError: no passphrase, a wrong one, an unreadable file, a key of another kind.
        """
        if not passphrase:
            raise NarrowgateError("The ledger's key needs a passphrase.", "Set KEY_PASSPHRASE.")
        try:
            if not path.exists():
                _create(path, passphrase)
            return cls(_load(path, passphrase), name)
        except OSError as error:
            raise NarrowgateError(f"The ledger's key {path} cannot be used: {error.strerror}.") from None


def _load(path: Path, passphrase: str) -> Ed25519PrivateKey:
    try:
        private = load_pem_private_key(path.read_bytes(), passphrase.encode())
    except (ValueError, TypeError):
        raise NarrowgateError(
            f"The ledger's key {path} does not open.", "Its passphrase is another one, or the file is damaged."
        ) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise NarrowgateError(f"The ledger's key {path} is not an Ed25519 key.")
    return private


def _create(path: Path, passphrase: str) -> None:
    """Write a new key whole or not at all; of two processes that try at once, one wins and both use its key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    descriptor, fresh = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        Path(fresh).unlink()
