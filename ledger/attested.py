"""Something outside the log that the means of the log sign: a note of facts, a line each, and of what it is about by its SHA-256. Pure.

The note's form is C2SP signed-note, as that of checkpoints is:

    narrowgate policy version
    number 7
    text sha256:9f86…

    — narrowgate.test/policies Az3grl…
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256

from ledger.checkpoint import NoteError, VerifierKey, sign_text, split_note, verified_text
from ledger.signer import Signer

_NAME = re.compile(r"[a-z][a-z_]*")


def digest(part: bytes) -> str:
    """How a note names what it is about."""
    return f"sha256:{sha256(part).hexdigest()}"


def statement(title: str, facts: Mapping[str, str], parts: Mapping[str, bytes]) -> str:
    """The note's text. Raises NoteError where a fact is no line of its own."""
    said = {**facts, **{name: digest(part) for name, part in parts.items()}}
    for name, value in said.items():
        if not _NAME.fullmatch(name) or not value.isprintable() or value != value.strip():
            raise NoteError(f"The fact {name} cannot stand in a note.")
    return "".join(f"{line}\n" for line in [title, *(f"{name} {value}" for name, value in said.items())])


def sign(text: str, signer: Signer) -> str:
    """The note of `text`, signed."""
    return sign_text(text, [(signer.key, signer.sign)])


def require_signed(note: str, text: str, keys: Collection[VerifierKey]) -> VerifierKey:
    """The one of `keys` that signed exactly `text`. Raises NoteError."""
    body, signatures = split_note(note)
    if body != text:
        raise NoteError("What is signed is something else.")
    stated = {(name, key_id) for name, key_id, _ in signatures}
    for key in keys:
        if (key.name, key.key_id) in stated:
            verified_text(note, key)
            return key
    raise NoteError("It is signed by a key that is not known here.")


def opened(note: str, title: str, keys: Collection[VerifierKey]) -> dict[str, str]:
    """What a note says, once a signature by one of `keys` was checked. Raises NoteError."""
    require_signed(note, split_note(note)[0], keys)
    return facts(note, title)


def require_parts(said: Mapping[str, str], parts: Mapping[str, bytes]) -> None:
    """See that a note is about these parts. Raises NoteError, naming the first that is another."""
    for name, part in parts.items():
        if said.get(name) != digest(part):
            raise NoteError(f"The {name} is not what was signed.")


def facts(note: str, title: str) -> dict[str, str]:
    """What a note says, by name; its signature is checked by `require_signed`. Raises NoteError."""
    body, _ = split_note(note)
    first, *lines = body.removesuffix("\n").split("\n")
    if first != title:
        raise NoteError(f"This is no note of a {title}.")
    found = dict(_pairs(lines))
    if len(found) != len(lines):
        raise NoteError("The note says something twice.")
    return found


def _pairs(lines: Collection[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, space, value = line.partition(" ")
        if not space or not _NAME.fullmatch(name):
            raise NoteError("A line of the note says nothing.")
        yield name, value
