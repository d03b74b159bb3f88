"""The key by which agents know the gate over SSH, kept in a file, encrypted with the deployment's passphrase."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from core.errors import NarrowgateError
from core.files import write_private, write_public

NAME: Final = "ssh-host"


@dataclass(frozen=True)
class HostKey:
    """`private` is in OpenSSH's own form, for the listener; `public` is a line, as `known_hosts` holds it after the name."""

    private: bytes
    public: str


def public_file(folder: Path) -> Path:
    """Where the public half is."""
    return folder / f"{NAME}.pub"


def host_key(folder: Path, passphrase: str) -> HostKey:
    """The key from `folder`, made at first use; the public half is beside it. Raises NarrowgateError."""
    path = folder / f"{NAME}.key"
    if not passphrase:
        raise NarrowgateError("The gate's SSH key needs a passphrase.", "Set KEY_PASSPHRASE.")
    try:
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            locked = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))
            write_private(path, locked)
            write_public(public_file(folder), _line(made).encode() + b"\n")
        key = load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        raise NarrowgateError(f"The key {path} cannot be used: {error.strerror}.") from None
    except ValueError:
        raise NarrowgateError(f"The key {path} does not open with this passphrase.", "Check KEY_PASSPHRASE.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NarrowgateError(f"The key {path} is not an Ed25519 key.", "Move it away: another is made.")
    return HostKey(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), _line(key))


def _line(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
