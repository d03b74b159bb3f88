"""Which witnesses cosigned the checkpoints of a package, for verify.py. Pure, on the standard library alone.

C2SP tlog-cosignature with Ed25519: a witness signs the time and a checkpoint's text. Of each witness the newest cosignature is checked.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from ledger.verify_primitives import KeyName, Keys, Unreadable, ed25519_verifies, from_base64


class Witnesses:
    """The witnesses of `keys`. Let it read the notes of checkpoints that agree with the entries, by size."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._newest: dict[KeyName, tuple[int, str, bytes]] = {}  # size, text, time and signature

    def read(self, size: int, note: str) -> None:
        """Notice the cosignatures of a checkpoint."""
        text, _, tail = note.rpartition("\n\n")
        for line in tail.split("\n") if self._keys else []:
            found = re.fullmatch(r"— (\S+) (\S+)", line)
            data = from_base64(found[2], "a signature") if found else b""
            if found and (found[1], data[:4]) in self._keys:
                self._newest[found[1], data[:4]] = (size, f"{text}\n", data[4:])

    def held(self) -> dict[KeyName, tuple[int, str]]:
        """The size that each witness cosigned last, and when it says that was. Raises Unreadable for one that does not hold."""
        return {
            name: (size, _time(name[0], self._keys[name], text, data))
            for name, (size, text, data) in self._newest.items()
        }


def _time(name: str, public: bytes, text: str, data: bytes) -> str:
    seconds = int.from_bytes(data[:8], "big")
    message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
    if not 0 < seconds < 253_402_300_800 or not ed25519_verifies(public, message, data[8:]):
        raise Unreadable(f"the cosignature by the witness {name} does not hold")
    return f"{datetime(1970, 1, 1) + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S} UTC"  # noqa: DTZ001 -- UTC, and said so
