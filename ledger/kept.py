"""Parts of full tiles and hashes of subtrees, kept in this process: they never change, and every proof takes some of the upper ones.

What is kept is no evidence: a proof that is made of it and does not lead to the signed root is made again from the tables.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, NamedTuple, TypeVar

from ledger.merkle import Span

MOST: Final = 20_000
"""Parts of 512 bytes, those of the upper tiles of some seventy million entries; and as many hashes: about fifteen megabytes."""
WIDE: Final = 1 << 12
"""The leaves from which on a subtree's hash is kept by itself: it is made of many."""
K = TypeVar("K", bound=Hashable)


class Place(NamedTuple):
    """Hashes that are read together: of a tile, one of its sixteen strips, MIDDLES or WHOLE."""

    level: int
    number: int
    strip: int


class Latest(Generic[K]):
    """Those that were used last, MOST of them."""

    def __init__(self) -> None:
        self._found: OrderedDict[K, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> bytes | None:
        """What is kept under a key."""
        with self._lock:
            found = self._found.get(key)
            if found is not None:
                self._found.move_to_end(key)
        return found

    def put(self, key: K, data: bytes) -> None:
        """Keep it; what was used longest ago goes."""
        with self._lock:
            self._found[key] = data
            self._found.move_to_end(key)
            if len(self._found) > MOST:
                self._found.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._found.clear()


class Upper:
    """Of one log: parts of its tiles above the lowest, and hashes of its wide perfect subtrees."""

    def __init__(self) -> None:
        self.parts: Latest[Place] = Latest()
        self.hashes: Latest[Span] = Latest()

    def clear(self) -> None:
        """Forget everything."""
        self.parts.clear()
        self.hashes.clear()
