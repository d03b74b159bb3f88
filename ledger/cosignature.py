"""Cosignatures of witnesses: C2SP tlog-cosignature with Ed25519. Pure: no Django, no I/O.

A cosignature states that at its time a checkpoint was the largest one that the witness had seen of this log, and that it
continued all that it had seen before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.checkpoint import NoteError, VerifierKey, require_signature, signature_line, split_note

TIME_SIZE = 8  # bytes before the signature
LATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cosignature:
    """One that holds: by `key`, made at `timestamp` (seconds since 1970); `line` is its line in a note."""

    key: VerifierKey
    timestamp: int
    line: str


def cosign(body: str, key: VerifierKey, sign: Callable[[bytes], bytes], timestamp: int) -> str:
    """The cosignature of a checkpoint's text, as a line of its note; `sign` signs with the private half of `key`."""
    signature = sign(_message(body, timestamp))
    return signature_line(key, timestamp.to_bytes(TIME_SIZE, "big") + signature)


def cosignatures(note: str, keys: Iterable[VerifierKey]) -> list[Cosignature]:
    """Those of `note` that are by one of `keys`; others are ignored. Raises NoteError for one that does not hold."""
    known = {(key.name, key.key_id): key for key in keys}
    body, signatures = split_note(note)
    found = {}
    for name, key_id, data in signatures:
        key = known.get((name, key_id))
        if key is not None:
            found[key] = _verified(body, key, data)
    return list(found.values())


def _verified(body: str, key: VerifierKey, data: bytes) -> Cosignature:
    timestamp = int.from_bytes(data[:TIME_SIZE], "big")
    if not 0 < timestamp <= LATEST:
        raise NoteError(f"The cosignature by {key.name} does not say when it was made.")
    require_signature(key, data[TIME_SIZE:], _message(body, timestamp))
    return Cosignature(key, timestamp, signature_line(key, data))


def _message(body: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{body}".encode()
