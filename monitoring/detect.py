"""Detections: patterns in what was observed. Pure: no Django, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

WITHIN: Final = timedelta(minutes=1)
DENIALS: Final = 5
READS: Final = 60
ROWS: Final = 20_000


@dataclass(frozen=True)
class Seen:
    """One thing observed: when, and how many rows came back where that matters."""

    at: datetime
    rows: int = 0


@dataclass(frozen=True)
class Burst:
    """A pattern that was found: from its first part to the part that completed it, and how many parts it has."""

    began: datetime
    completed: datetime
    count: int


_Complete: TypeAlias = Callable[[deque[Seen]], bool]


def denials(seen: Iterable[Seen]) -> list[Burst]:
    """Five denials within a minute; each denial is part of one burst at most."""
    return list(_bursts(seen, lambda window: len(window) >= DENIALS))


def tagged_reads(seen: Iterable[Seen]) -> list[Burst]:
    """Sixty reads of tagged columns within a minute, or fewer that return twenty thousand rows."""
    return list(_bursts(seen, lambda window: len(window) >= READS or sum(one.rows for one in window) >= ROWS))


def _bursts(seen: Iterable[Seen], complete: _Complete) -> Iterator[Burst]:
    window: deque[Seen] = deque()
    for one in sorted(seen, key=lambda part: part.at):
        window.append(one)
        while one.at - window[0].at > WITHIN:
            window.popleft()
        if complete(window):
            yield Burst(window[0].at, one.at, len(window))
            window.clear()
