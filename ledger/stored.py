"""Hashes of any subtree, read from the tables: full tiles as stored, partial ones derived.

The caller gives the way to the database, Django's or psycopg's. A proof reads two tiles a level, whatever the ledger's size,
and all of them in one query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, LiteralString

from core.errors import NarrowgateError
from ledger.merkle import Span, fold, perfect_spans
from ledger.tiles import HEIGHT, cut, perfect_hash, slot_of

# Full tiles, the hashes of a partial tile of an upper level, and those of the partial one of the lowest.
TILES_SQL: LiteralString = """
SELECT level, index, hashes FROM ledger_tile
JOIN unnest(%s::smallint[], %s::bigint[]) AS full_one (level, index) USING (level, index)
UNION ALL
SELECT level, index, (
    SELECT string_agg(root, ''::bytea ORDER BY below.index) FROM ledger_tile AS below
    WHERE below.level = upper.level - 1 AND below.index >= upper.index << 8 AND below.index < (upper.index + 1) << 8
) FROM unnest(%s::smallint[], %s::bigint[]) AS upper (level, index)
UNION ALL
SELECT 0, index, (
    SELECT string_agg(leaf_hash, ''::bytea ORDER BY entry.index) FROM ledger_entry AS entry
    WHERE entry.index >= lowest.index << 8 AND entry.index < (lowest.index + 1) << 8
) FROM unnest(%s::bigint[]) AS lowest (index)
"""

Place = tuple[int, int]  # a tile's level and number
Query = Callable[[LiteralString, Sequence[object]], Sequence[tuple[Any, ...]]]  # runs a statement, gives its rows


class StoredTree:
    """The subtrees of the ledger as the tables hold it: the tiles that `size` entries fill are stored.

    Keeps the tiles it has read: use one for a few proofs.
    """

    def __init__(self, query: Query, size: int) -> None:
        self._query = query
        self._size = size
        self._tiles: dict[Place, list[bytes]] = {}

    def hash(self, span: Span) -> bytes:
        """The hash of a subtree of any width. Raises NarrowgateError where entries or tiles are missing."""
        try:
            return fold(span, partial(perfect_hash, tile=self.tile))
        except LookupError:
            raise NarrowgateError(f"The ledger lacks entries between {span.begin} and {span.end}.") from None

    def hashes(self, spans: Sequence[Span]) -> list[bytes]:
        """The hashes of several subtrees, a proof: in one query."""
        self.read(spans)
        return [self.hash(span) for span in spans]

    def read(self, spans: Iterable[Span]) -> None:
        """Read what several subtrees need, at once."""
        self._read({_place_of(part) for span in spans for part in perfect_spans(span.begin, span.end)})

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile, as many as there are."""
        place = (level, number)
        self._read({place})
        return self._tiles[place]

    def _read(self, wanted: set[Place]) -> None:
        missing = sorted(wanted - self._tiles.keys())
        if not missing:
            return
        full = [place for place in missing if self._is_full(place)]
        upper = [place for place in missing if not self._is_full(place) and place[0]]
        lowest = [number for level, number in missing if level == 0 and not self._is_full((level, number))]
        self._tiles |= {place: [] for place in missing}
        for level, number, data in self._query(TILES_SQL, [*_columns(full), *_columns(upper), lowest]):
            self._tiles[level, number] = cut(bytes(data or b""))

    def _is_full(self, place: Place) -> bool:
        level, number = place
        return number + 1 <= self._size >> HEIGHT * (level + 1)


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int]]:
    return [level for level, _ in places], [number for _, number in places]


def _place_of(perfect: Span) -> Place:
    """The tile that holds the hash of a perfect subtree, or those it is made of."""
    slot = slot_of(perfect)
    return slot.level, slot.number
