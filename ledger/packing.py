"""A package of evidence in the making, a page of entries at a time: what is made so far can be kept, and gone on with by another process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from ledger import zipped

ENTRIES: Final = "entries.ndjson"
Files: TypeAlias = Iterable[tuple[str, Iterable[bytes]]]
Row: TypeAlias = tuple[int, bytes, bytes]
"""An entry: its index, the hash of its leaf, the leaf."""


class Packing:
    """The files before the entries, the entries' lines, and the files after them, which are told what the entries name and how many they are."""

    def __init__(
        self,
        before: Callable[[], Files],
        lines: Callable[[Sequence[Row]], bytes],
        people_in: Callable[[Iterable[bytes]], set[str]],
        after: Callable[[set[str], int], Files],
        *,
        made: datetime,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        self._before = before
        self._lines = lines
        self._people_in = people_in
        self._after = after
        self._zip = zipped.Growing(made, state["zip"] if state else None)
        self._people: set[str] = set(state["people"]) if state else set()
        self._count = int(state["count"]) if state else 0

    def begin(self) -> Iterator[bytes]:
        """What comes before the first entry."""
        yield from zipped.put(self._zip, self._before())
        yield self._zip.begin(ENTRIES)

    def page(self, rows: Sequence[Row]) -> bytes:
        """More entries, behind the last."""
        self._people |= self._people_in(leaf for _, _, leaf in rows)
        self._count += len(rows)
        return self._zip.add(self._lines(rows))

    def end(self) -> Iterator[bytes]:
        """What comes behind the last entry."""
        yield self._zip.end()
        yield from zipped.put(self._zip, self._after(self._people, self._count))
        yield self._zip.close()

    def pause(self) -> tuple[bytes, dict[str, Any]]:
        """What is still inside, and what another has to know to go on (for JSON)."""
        data = self._zip.pause()
        return data, {"zip": self._zip.state(), "people": sorted(self._people), "count": self._count}

    def stream(self, pages: Iterable[Sequence[Row]]) -> Iterator[bytes]:
        """All of it."""
        yield from self.begin()
        for page in pages:
            yield self.page(page)
        yield from self.end()
