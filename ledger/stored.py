"""Hashes of any subtree, read from the tables: full tiles as stored, partial ones derived.

The caller gives the way to the database, Django's or psycopg's. A proof reads two tiles a level, whatever the ledger's size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, LiteralString

from core.errors import NarrowgateError
from ledger.merkle import Span, fold
from ledger.tiles import WIDTH, cut, perfect_hash

FULL_SQL: LiteralString = "SELECT hashes FROM ledger_tile WHERE level = %s AND index = %s"
LEAVES_SQL: LiteralString = "SELECT leaf_hash FROM ledger_entry WHERE index >= %s AND index < %s ORDER BY index"
ROOTS_SQL: LiteralString = "SELECT root FROM ledger_tile WHERE level = %s AND index >= %s AND index < %s ORDER BY index"


Query = Callable[[LiteralString, Sequence[int]], Sequence[tuple[Any, ...]]]  # runs a statement, gives its rows


class StoredTree:
    """The subtrees of the ledger as the tables hold it. Keeps the tiles it has read: use one for a few proofs."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def hash(self, span: Span) -> bytes:
        """The hash of a subtree of any width. Raises NarrowgateError where entries or tiles are missing."""
        try:
            return fold(span, partial(perfect_hash, tile=self.tile))
        except LookupError:
            raise NarrowgateError(f"The ledger lacks entries between {span.begin} and {span.end}.") from None

    def hashes(self, spans: Sequence[Span]) -> list[bytes]:
        """The hashes of several subtrees: a proof."""
        return [self.hash(span) for span in spans]

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile, as many as there are."""
        place = (level, number)
        if place not in self._tiles:
            self._tiles[place] = self._full(level, number) or self._partial(level, number)
        return self._tiles[place]

    def _full(self, level: int, number: int) -> list[bytes]:
        return [part for (data,) in self._query(FULL_SQL, [level, number]) for part in cut(bytes(data))]

    def _partial(self, level: int, number: int) -> list[bytes]:
        begin = number * WIDTH
        if level == 0:
            found = self._query(LEAVES_SQL, [begin, begin + WIDTH])
        else:
            found = self._query(ROOTS_SQL, [level - 1, begin, begin + WIDTH])
        return [bytes(data) for (data,) in found]
