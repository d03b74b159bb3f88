"""Signed checkpoints: C2SP tlog-checkpoint in the signed-note form with Ed25519. Pure: no Django, no I/O."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.merkle import HASH_SIZE

ED25519 = b"\x01"  # the signed-note algorithm byte of a log's key
COSIGNER = b"\x04"  # that of a witness's key: it signs with the time (C2SP tlog-cosignature)
KEY_ID_SIZE = 4
LARGEST_NOTE = 65_536  # bytes


class NoteError(ValueError):
    """A note, checkpoint or key that is malformed, or a signature that does not hold; the message says which."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a signing key under its name; written `name+hash+key`. `algorithm` says what it signs."""

    name: str
    public: bytes
    algorithm: bytes = ED25519

    def __post_init__(self) -> None:
        if not self.name or re.search(r"[\s+]", self.name):
            raise NoteError("A key's name is not empty and has neither spaces nor a plus.")
        if len(self.public) != HASH_SIZE:
            raise NoteError("An Ed25519 public key has 32 bytes.")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, algorithm and key."""
        return sha256(self.name.encode() + b"\n" + self.algorithm + self.public).digest()[:KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{to_base64(self.algorithm + self.public)}"

    @classmethod
    def parse(cls, text: str, algorithm: bytes = ED25519) -> VerifierKey:
        """Read the `name+hash+key` form of a key of this kind. Raises NoteError."""
        name, _, rest = text.strip().partition("+")
        stated_id, _, encoded = rest.partition("+")
        data = from_base64(encoded)
        if data[:1] != algorithm:
            kind = "a witness's" if algorithm == COSIGNER else "a log's"
            raise NoteError(f"The key is not {kind} Ed25519 verifier key.")
        key = cls(name, data[1:], algorithm)
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
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse_body(body: str) -> Checkpoint:
    """Read a checkpoint's text; extension lines after the third are allowed and ignored. Raises NoteError."""
    lines = body.split("\n")
    if len(lines) < 4 or lines[-1] or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise NoteError("This is not a checkpoint: it needs an origin, a size and a root, a line each.")
    root = from_base64(lines[2])
    if len(root) != HASH_SIZE:
        raise NoteError("The checkpoint's root is not a SHA-256 hash.")
    return Checkpoint(lines[0], int(lines[1]), root)


def sign(checkpoint: Checkpoint, key: VerifierKey, signature: Callable[[bytes], bytes]) -> str:
    """The signed note of `checkpoint`; `signature` signs bytes with the private half of `key`."""
    return sign_text(checkpoint.body(), [(key, signature)])


def sign_text(text: str, signers: Sequence[tuple[VerifierKey, Callable[[bytes], bytes]]]) -> str:
    """The note of `text`, which ends with a newline, signed by each of `signers`."""
    lines = (signature_line(key, sign(text.encode())) for key, sign in signers)
    return f"{text}\n{''.join(lines)}"


def signature_line(key: VerifierKey, signature: bytes) -> str:
    """A signature as a line of a note, its newline included."""
    return f"— {key.name} {to_base64(key.key_id + signature)}\n"


def open_note(note: str, key: VerifierKey) -> Checkpoint:
    """The checkpoint that `note` holds, once a signature by `key` was checked. Raises NoteError."""
    return parse_body(verified_text(note, key))


def verified_text(note: str, key: VerifierKey) -> str:
    """The text of `note`, once a signature by `key` was checked. Raises NoteError."""
    body, signatures = split_note(note)
    ours = [data for name, key_id, data in signatures if name == key.name and key_id == key.key_id]
    if not ours:
        raise NoteError(f"The note has no signature by {key.name} with this key.")
    for data in ours:
        require_signature(key, data, body.encode())
    return body


def require_signature(key: VerifierKey, signature: bytes, message: bytes) -> None:
    """Check an Ed25519 signature (RFC 8032). Raises NoteError."""
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise NoteError(f"The signature by {key.name} does not hold.") from None


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
    data = from_base64(found[2])
    if len(data) <= KEY_ID_SIZE:
        raise NoteError("A signature of the note is too short.")
    return found[1], data[:KEY_ID_SIZE], data[KEY_ID_SIZE:]


def to_base64(data: bytes) -> str:
    """Bytes as notes write them."""
    return base64.b64encode(data).decode()


def from_base64(text: str) -> bytes:
    """The bytes of canonical base64. Raises NoteError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("The note has something that is not base64.") from None
    if to_base64(data) != text:
        raise NoteError("The note has base64 that is not in its canonical form.")
    return data
