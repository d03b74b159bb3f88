"""Which key signs the log at which size, for verify.py. Pure, on the standard library alone.

The first key stands first in keys.txt; an entry of the log hands over to each later one, in a note that both sign. The old
key's last checkpoint ends with that entry.
"""

from __future__ import annotations

from ledger.verify_primitives import Keys, Unreadable, open_note, read_key, read_object, verified_text

HANDOVER, HANDOVER_TITLE = "ledger_key:changed", "narrowgate ledger key"


class KeyHistory:
    """The keys of a log in order. `read` the entries in order, then ask which key is in force."""

    def __init__(self, keys: Keys) -> None:
        self._known = keys
        self._order = [(0, dict(list(keys.items())[:1]))]  # (from checkpoints larger than this, the key)

    @property
    def handovers(self) -> int:
        """How often the key changed."""
        return len(self._order) - 1

    def read(self, index: int, leaf: bytes) -> None:
        """Notice an entry in which the key in force hands over; any other, or one not signed by both keys, says nothing."""
        if HANDOVER.encode() not in leaf:
            return
        try:
            says = read_object(leaf, "it")
            details = says.get("details")
            note = details.get("note") if says.get("event") == HANDOVER and isinstance(details, dict) else None
            new = _new_key(str(note), self._order[-1][1])
        except Unreadable:
            return
        if new is not None:
            self._order.append((index + 1, new))

    def in_force(self, size: int) -> Keys:
        """The key that signs the checkpoint of `size` entries."""
        return next((key for after, key in reversed(self._order) if after < size), {})

    def why_not(self, note: str, size: int) -> str:
        """Why a checkpoint of `size` that a key of this log has signed is not accepted; empty if none has."""
        for after, key in self._order:
            try:
                open_note(note, key)
            except Unreadable:
                continue
            return (
                "it is by a key that had been replaced" if after < size else "it is by a key that was not in force yet"
            )
        return ""

    def unknown(self) -> list[str]:
        """The names, with their ids, of keys that are stated and were never introduced."""
        introduced = {name for _, key in self._order for name in key}
        return [f"{name}+{key_id.hex()}" for name, key_id in self._known if (name, key_id) not in introduced]


def _new_key(note: str, old: Keys) -> Keys | None:
    """The key that `old` hands over to; None for a note that is not by both. Raises Unreadable likewise."""
    lines = note.split("\n")
    if len(lines) < 3 or lines[0] != HANDOVER_TITLE:
        return None
    one, two = dict([read_key(lines[1])]), dict([read_key(lines[2])])
    same_log = [name for name, _ in one] == [name for name, _ in two]
    for key in (one, two):
        same_log = same_log and verified_text(note, key) == "".join(f"{line}\n" for line in lines[:3])
    return two if same_log and one == old and one != two else None
