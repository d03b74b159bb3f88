"""Signed checkpoints: C2SP tlog-checkpoint in the signed-note form with Ed25519. Pure: no Django, no I/O."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.merkle import HASH_SIZE

ED25519 = b"\x01"  # the signed-note algorithm byte
KEY_ID_SIZE = 4
LARGEST_NOTE = 65_536  # bytes


class NoteError(ValueError):
    """A note, checkpoint or key that is malformed, or a signature that does not hold; the message says which."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a signing key under its name; written `name+hash+key`."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+]", self.name):
            raise NoteError("A key's name is not empty and has neither spaces nor a plus.")
        if len(self.public) != HASH_SIZE:
            raise NoteError("An Ed25519 public key has 32 bytes.")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, algorithm and key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_to_base64(ED25519 + self.public)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read the `name+hash+key` form. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        stated_id, _, encoded = rest.partition("+")
        data = _from_base64(encoded)
        if data[:1] != ED25519:
            raise NoteError("The key is not an Ed25519 verifier key.")
        key = cls(name, data[1:])
        if key.key_id.hex() != stated_id:
            raise NoteError("The key's hash does not fit its name and bytes.")
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, its size in entries and its Merkle root."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The note's text: three lines, each ended by a newline."""
        return f"{self.origin}\n{self.size}\n{_to_base64(self.root)}\n"


def parse_body(body: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines after the third are allowed and ignored. Raises NoteError."""
    lines = body.split("\n")
    if len(lines) < 4 or lines[-1] or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise NoteError("This is not a checkpoint: it needs an origin, a size and a root, a line each.")
    root = _from_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise NoteError("The checkpoint's root is not a SHA-256 hash.")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign(checkpoint: Checkpoint, key: VerifierKey, signature: Callable[[bytes], bytes]) -> str:
    """The signed note of `checkpoint`; `signature` signs bytes with the private half of `key`."""
    body = checkpoint.body()
    signed = key.key_id + signature(body.encode())
    return f"{body}\n— {key.name} {_to_base64(signed)}\n"


def open_note(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint that `note` holds, once a signature by `key` was checked. Raises NoteError."""
    body, signatures = split_note(note)
    ours = [data for name, key_id, data in signatures if name == key.name and key_id == key.key_id]
    if not ours:
        raise NoteError(f"The note has no signature by {key.name} with this key.")
    for data in ours:
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(data, body.encode())
        except InvalidSignature:
            raise NoteError(f"The signature by {key.name} does not hold.") from None
    return parse_body(body)


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """A note's text and its signatures as (name, key id, signature). Raises NoteError; checks no signature."""
    if len(note) > LARGEST_NOTE:
        raise NoteError("The note is too long.")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise NoteError("This is not a signed note: signatures follow an empty line.")
    return f"{text}\n", [_signature(line) for line in tail[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    found = re.fullmatch(r"— (\S+) (\S+)", line)
    if found is None:
        raise NoteError("A signature line of the note is malformed.")
    data = _from_base64(found[2])
    if len(data) <= KEY_ID_SIZE:
        raise NoteError("A signature of the note is too short.")
    return found[1], data[:KEY_ID_SIZE], data[KEY_ID_SIZE:]


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("The note has something that is not base64.") from None
    if _to_base64(data) != text:
        raise NoteError("The note has base64 that is not in its canonical form.")
    return data
