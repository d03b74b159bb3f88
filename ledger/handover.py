"""How the log goes on under another key: a note that both keys sign, in an entry of the log. Pure: no Django, no I/O.

The old key's last checkpoint ends with that entry; every later one is the new key's. A key stolen afterwards signs nothing
that `verify` accepts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from ledger.checkpoint import NoteError, VerifierKey, sign_text, verified_text
from ledger.events import Event

TITLE = "narrowgate ledger key"  # no origin of a log: a name has no spaces
MARK = f'"{Event.LEDGER_KEY_CHANGED.value}"'.encode()

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Handover:
    """From one key of a log to the next, which has the same name: the log's origin."""

    old: VerifierKey
    new: VerifierKey

    def note(self, by_old: Sign, by_new: Sign) -> str:
        """The statement, signed by both: the old key agrees, and the new one is there."""
        text = f"{TITLE}\n{self.old}\n{self.new}\n"
        return sign_text(text, [(self.old, by_old), (self.new, by_new)])


def read_note(note: str) -> Handover:
    """The handover that `note` states, both signatures checked. Raises NoteError."""
    lines = note.split("\n")
    if len(lines) < 3 or lines[0] != TITLE:
        raise NoteError("This is not a handover: it needs a title and two keys, a line each.")
    found = Handover(VerifierKey.parse(lines[1]), VerifierKey.parse(lines[2]))
    if found.old == found.new or found.old.name != found.new.name:
        raise NoteError("A log's key hands over to another key of the same name.")
    for key in (found.old, found.new):
        if verified_text(note, key) != f"{TITLE}\n{found.old}\n{found.new}\n":
            raise NoteError("The handover says more than its two keys.")
    return found


def read_leaf(leaf: bytes) -> Handover | None:
    """The handover that an entry states; None for any other entry, and for one that its keys have not signed."""
    if MARK not in leaf:
        return None
    try:
        says = json.loads(leaf)
        if says["event"] != Event.LEDGER_KEY_CHANGED.value:
            return None
        return read_note(says["details"]["note"])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None
