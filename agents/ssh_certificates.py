"""OpenSSH user certificates of agents (PROTOCOL.certkeys), by the authority that signs SVIDs: what is signed, and what is believed of one. Pure.

A certificate says who its holder is and which credential it is, and nothing of where that may go: its two principals are the agent's name and
the credential's. It permits a terminal, in which the gate reads lines, and no forwarding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_key,
)

from agents.svid import BACKDATED, LIFE, PublicKey
from core.errors import Invalid

LONGEST_KEY: Final = 1_024  # characters
CREDENTIAL: Final = "credential:"


def read_public_key(text: str) -> PublicKey:
    """The key in a line as `ssh-keygen` writes it. Raises Invalid for any but Ed25519 and ECDSA over P-256."""
    if len(text) > LONGEST_KEY:
        raise _unfit(f"It has more than {LONGEST_KEY} characters.")
    try:
        key = load_ssh_public_key(text.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _unfit("It is not a public key of OpenSSH.") from None
    if isinstance(key, Ed25519PublicKey):
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key
    raise _unfit("It is neither an Ed25519 key nor one of ECDSA over P-256.")


def sign(
    key: PublicKey, authority: EllipticCurvePrivateKey, *, agent: str, credential: UUID, now: datetime, ends: datetime
) -> str:
    """A user certificate over `key`, as a line. Raises ValueError for a life that is longer than LIFE."""
    if not now < ends <= now + LIFE:
        raise ValueError("A certificate lives an hour at most.")
    builder = (
        SSHCertificateBuilder()
        .public_key(key)
        .serial(credential.int >> 64)
        .type(SSHCertificateType.USER)
        .key_id(f"{agent} {credential}".encode())
        .valid_principals([agent.encode(), f"{CREDENTIAL}{credential}".encode()])
        .valid_after(int((now - BACKDATED).timestamp()))
        .valid_before(int(ends.timestamp()))
        .add_extension(b"permit-pty", b"")
    )
    return builder.sign(authority).public_bytes().decode()


def authority_line(authority: EllipticCurvePrivateKey) -> str:
    """The authority's public key, as a line."""
    return authority.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def read_principals(principals: Sequence[str]) -> tuple[str, UUID] | None:
    """The agent and the credential that a certificate of ours, whose signature is verified, names; None for any other."""
    if len(principals) != 2 or not principals[1].startswith(CREDENTIAL):
        return None
    try:
        return principals[0], UUID(principals[1].removeprefix(CREDENTIAL))
    except ValueError:
        return None


def _unfit(message: str) -> Invalid:
    return Invalid("ssh_public_key", message, "Make one with: ssh-keygen -t ed25519")
