"""Hashes of any subtree, read from the tables: of full tiles the strip that is needed, as stored; partial tiles are derived.

The caller gives the way to the database, Django's or psycopg's. A proof reads two strips a level, whatever the ledger's size,
and all of them in one query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from core.errors import NarrowgateError
from ledger.merkle import HASH_SIZE, Span, fold, perfect_spans
from ledger.tiles import HEIGHT, STRIP, Slot, cut, perfect_root, slot_of

WHOLE: Final = -1  # in place of a strip's number: all of a tile's hashes
MIDDLES: Final = STRIP  # likewise: the hashes of its strips

HASHES_SQL: LiteralString = """
SELECT * FROM ledger_hashes(%s::smallint[], %s::bigint[], %s::int[], %s::smallint[], %s::bigint[], %s::bigint[])
"""

Query = Callable[[LiteralString, Sequence[object]], Sequence[tuple[Any, ...]]]  # runs a statement, gives its rows


class Place(NamedTuple):
    """Hashes that are read together: of a tile, one of its sixteen strips, MIDDLES or WHOLE."""

    level: int
    number: int
    strip: int


class StoredTree:
    """The subtrees of the ledger as the tables hold it: the tiles that `size` entries fill are stored.

    `edge` are the hashes of the compact range of that size, where they are known: most proofs need some of them. Keeps
    what it has read: use one for a few proofs.
    """

    def __init__(self, query: Query, size: int, edge: Sequence[bytes] = ()) -> None:
        self._query = query
        self._size = size
        self._edge = dict(zip(perfect_spans(0, size), edge, strict=True)) if edge else {}
        self._found: dict[Place, bytes] = {}
        self._parts: dict[Span, tuple[Place, int, int]] = {}

    def hash(self, span: Span) -> bytes:
        """The hash of a subtree of any width. Raises NarrowgateError where entries or tiles are missing."""
        try:
            return fold(span, self._perfect)
        except LookupError:
            raise NarrowgateError(f"The ledger lacks entries between {span.begin} and {span.end}.") from None

    def hashes(self, spans: Sequence[Span]) -> list[bytes]:
        """The hashes of several subtrees, a proof: in one query."""
        self.read(spans)
        return [self.hash(span) for span in spans]

    def read(self, spans: Iterable[Span]) -> None:
        """Read what several subtrees need, at once."""
        parts = {part for span in spans for part in perfect_spans(span.begin, span.end)}
        self._read({self._part_of(part)[0] for part in parts - self._edge.keys()})

    def keep(self, parts: Iterable[tuple[int, int, int, bytes | None]]) -> None:
        """Keep what was read elsewhere, as `Place` has it, with the hashes."""
        self._found |= {Place(level, number, strip): bytes(data or b"") for level, number, strip, data in parts}

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile, as many as there are."""
        place = Place(level, number, WHOLE)
        self._read({place})
        return cut(self._found[place])

    def _perfect(self, span: Span) -> bytes:
        """The hash of a perfect subtree. Raises LookupError where the tables lack a part of it."""
        if span in self._edge:
            return self._edge[span]
        place, offset, width = self._part_of(span)
        if place not in self._found:
            self._read({place})
        found = self._found[place][offset * HASH_SIZE : (offset + width) * HASH_SIZE]
        if len(found) != width * HASH_SIZE:
            raise LookupError(f"Tile {place.level}/{place.number} is incomplete.")
        return perfect_root(found)

    def _part_of(self, span: Span) -> tuple[Place, int, int]:
        """Where a perfect subtree's hashes are read, from which of them on, and how many they are."""
        found = self._parts.get(span)
        if found is None:
            found = self._parts[span] = self._find_part(slot_of(span))
        return found

    def _find_part(self, slot: Slot) -> tuple[Place, int, int]:
        level, number, offset, width = slot
        if not self._is_full(level, number):
            return Place(level, number, WHOLE), offset, width
        if width < STRIP:
            return Place(level, number, offset // STRIP), offset % STRIP, width
        return Place(level, number, MIDDLES), offset // STRIP, width // STRIP

    def _read(self, wanted: set[Place]) -> None:
        missing = sorted(wanted - self._found.keys())
        if not missing:
            return
        full = [place for place in missing if self._is_full(place.level, place.number)]
        upper = [place for place in missing if not self._is_full(place.level, place.number) and place.level]
        lowest = [place.number for place in missing if not (place.level or self._is_full(0, place.number))]
        self._found |= dict.fromkeys(missing, b"")
        strips = [place.strip for place in full]
        for level, number, strip, data in self._query(HASHES_SQL, [*_columns(full), strips, *_columns(upper), lowest]):
            self._found[Place(level, number, strip)] = bytes(data or b"")

    def _is_full(self, level: int, number: int) -> bool:
        return number + 1 <= self._size >> HEIGHT * (level + 1)


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int]]:
    return [place.level for place in places], [place.number for place in places]
