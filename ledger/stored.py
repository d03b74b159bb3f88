"""Hashes of any subtree, read from the tables: of full tiles the strip that is needed, as stored; partial tiles are derived.

The caller gives the way to the database, Django's or psycopg's. A proof reads two strips a level, whatever the ledger's size,
and all of them in one query; those of the upper tiles may be kept in the process (`ledger/kept.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, LiteralString

from core.errors import NarrowgateError
from ledger.kept import WIDE, Place, Upper
from ledger.merkle import HASH_SIZE, Span, fold, perfect_spans
from ledger.tiles import HEIGHT, STRIP, WIDTH, Slot, cut, perfect_root, slot_of

WHOLE: Final = -1  # in place of a strip's number: all of a tile's hashes
MIDDLES: Final = STRIP  # likewise: the hashes of its strips

HASHES_SQL: LiteralString = """
SELECT * FROM ledger_hashes(%s::smallint[], %s::bigint[], %s::int[], %s::smallint[], %s::bigint[], %s::bigint[])
"""

Query = Callable[[LiteralString, Sequence[object]], Sequence[tuple[Any, ...]]]  # runs a statement, gives its rows


class StoredTree:
    """The subtrees of the ledger as the tables hold it: the tiles that `size` entries fill are stored.

    `edge` are the hashes of the compact range of that size, where they are known: most proofs need some of them. Keeps
    what it has read: use one for a few proofs. `kept` is what was read and made of upper tiles before.
    """

    def __init__(self, query: Query, size: int, edge: Sequence[bytes] = (), kept: Upper | None = None) -> None:
        self._query = query
        self._size = size
        self._kept = kept
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
        self._read({self._part_of(part)[0] for part in parts if self._known(part) is None})

    def keep_lowest(self, index: int, strip: bytes | None, middles: bytes | None, leaves: bytes | None) -> None:
        """Keep what was read elsewhere of the lowest tile with this leaf: of a full one a strip and the middles, else all that is there."""
        number = index >> HEIGHT
        if self._is_full(0, number):
            at = index % WIDTH // STRIP
            self._found |= {Place(0, number, at): bytes(strip or b""), Place(0, number, MIDDLES): bytes(middles or b"")}
        else:
            self._found[Place(0, number, WHOLE)] = bytes(leaves or b"")

    def tile(self, level: int, number: int) -> list[bytes]:
        """The hashes of a tile, as many as there are."""
        place = Place(level, number, WHOLE)
        self._read({place})
        return cut(self._found[place])

    def _known(self, span: Span) -> bytes | None:
        """The hash of a perfect subtree, where it is in the edge or was made before."""
        if self._kept is not None and span.end - span.begin >= WIDE:
            return self._edge.get(span) or self._kept.hashes.get(span)
        return self._edge.get(span)

    def _perfect(self, span: Span) -> bytes:
        """The hash of a perfect subtree. Raises LookupError where the tables lack a part of it."""
        found = self._known(span)
        if found is None:
            found = self._made(span)
            if self._kept is not None and span.end - span.begin >= WIDE:
                self._kept.hashes.put(span, found)
        return found

    def _made(self, span: Span) -> bytes:
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
        missing = {place for place in wanted - self._found.keys() if not self._is_kept(place)}
        if not missing:
            return
        if self._kept is not None:  # all of a full upper tile at once: the next proof takes another part of it
            missing |= {Place(*tile, part) for tile in self._full_upper(missing) for part in (WHOLE, MIDDLES)}
        places = sorted(missing)
        full = [place for place in places if self._is_full(place.level, place.number)]
        upper = [place for place in places if not self._is_full(place.level, place.number) and place.level]
        lowest = [place.number for place in places if not (place.level or self._is_full(0, place.number))]
        self._found |= dict.fromkeys(places, b"")
        strips = [place.strip for place in full]
        for level, number, strip, data in self._query(HASHES_SQL, [*_columns(full), strips, *_columns(upper), lowest]):
            self._take(Place(level, number, strip), bytes(data or b""))

    def _full_upper(self, places: Iterable[Place]) -> set[tuple[int, int]]:
        return {(place.level, place.number) for place in places if place.level and self._is_full(*place[:2])}

    def _take(self, place: Place, data: bytes) -> None:
        """Keep what was read; of an upper tile also for the next trees, a full one in its parts."""
        self._found[place] = data
        if self._kept is None or not place.level or not data:
            return
        if place.strip == WHOLE and self._is_full(place.level, place.number):
            size = STRIP * HASH_SIZE
            for strip in range(STRIP):
                self._take(place._replace(strip=strip), data[strip * size : (strip + 1) * size])
        else:
            self._kept.parts.put(place, data)

    def _is_kept(self, place: Place) -> bool:
        """Whether enough of a part of an upper tile was kept; it is found then."""
        data = self._kept.parts.get(place) if self._kept is not None and place.level else None
        if data is None:
            return False
        there = STRIP if self._is_full(place.level, place.number) else (self._size >> HEIGHT * place.level) % WIDTH
        if len(data) < HASH_SIZE * there:
            return False  # the tile has grown since
        self._found[place] = data
        return True

    def _is_full(self, level: int, number: int) -> bool:
        return number + 1 <= self._size >> HEIGHT * (level + 1)


def _columns(places: Sequence[Place]) -> tuple[list[int], list[int]]:
    return [place.level for place in places], [place.number for place in places]
