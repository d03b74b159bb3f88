"""Pure. One pass over a text finds the values of every detector at once (hyperscan); each is looked at a second time before it counts.

A value lies within one line. What is found at a place depends on the text around it alone, never on how the text came in pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

import hyperscan

from agents.detectors.known import KNOWN, WIDTH, Detector, Group, Strategy, stands_alone

TO_SEE: Final = WIDTH + 2
"""Bytes from a value's first on that have to be there before it can be told: all of it, and what follows."""


class Hit(NamedTuple):
    """A value: where it begins and ends, and by which detector. Sorted, the first and of these the longest comes first."""

    start: int
    shorter: int
    order: int
    end: int
    detector: Detector


@dataclass(frozen=True)
class Own:
    """A detector of the customer's: a pattern that hyperscan reads, and that was checked when it was written."""

    name: str
    pattern: str


class Scanner:
    """Finds the values of some detectors. It keeps nothing of what it reads."""

    def __init__(self, strategies: Mapping[str, Strategy], own: Iterable[Own] = (), key: bytes = b"") -> None:
        """`strategies` are those of every detector that acts, by name; `key` is the secret by which values are hashed."""
        named = {one.name: one for one in own}
        self.strategies = dict(strategies)
        self.key = key
        self._detectors = [KNOWN.get(name) or _of_own(named[name]) for name in strategies]
        self._database = _compiled(tuple(self._detectors)) if self._detectors else None
        self._ends: dict[int, list[tuple[int, int]]] = {}

    def __bool__(self) -> bool:
        return self._database is not None

    def may_hold(self, text: bytes) -> bool:
        """Whether there may be anything in a text, escapes and all: False is certain."""
        return bool(self._database is not None and self._looked(text))

    def hits(self, text: bytes) -> list[Hit]:
        """All that could be values, the first and of these the longest first; they may overlap."""
        if self._database is None or not (found := self._looked(text)):
            return []
        hits: list[Hit] = []
        for number, ends in found.items():
            one = self._detectors[number]
            spans = _own_spans(self, number, text, ends) if one.group is Group.OWN else _spans(one, text, ends)
            hits += [Hit(start, -end, number, end, one) for start, end in spans]
        hits.sort()
        return hits

    def _looked(self, text: bytes) -> dict[int, list[tuple[int, int]]]:
        ends: dict[int, list[tuple[int, int]]] = {}
        if self._database is not None:
            self._database.scan(text, match_event_handler=_noted, context=ends)
        return ends


def _noted(number: int, start: int, end: int, _flags: int, ends: Any) -> None:  # noqa: ANN401 -- hyperscan passes on what it was given
    ends.setdefault(number, []).append((start, end))


def _spans(one: Detector, text: bytes, ends: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The values of a detector, near where hyperscan has seen something."""
    tried: set[int] = set()
    beyond = TO_SEE if one.finder else 0
    for _, end in ends:
        cursor = max(0, end - one.reach)
        while (found := one.expression.search(text, cursor, end + beyond)) is not None and found.start() < end:
            cursor = found.start() + 1
            if found.start() in tried:
                continue
            tried.add(found.start())
            span = _accepted(one, text, found.start())
            if span is not None:
                yield span


def _accepted(one: Detector, text: bytes, at: int) -> tuple[int, int] | None:
    """The value of a match that begins somewhere, once all of it is seen; None where it is none."""
    match = one.expression.match(text, at)
    if match is None:
        return None
    group = match.re.groups
    start, end = match.span(group)
    if one.accept is not None:
        end = start + one.accept(match[group])
    alone = one.tail or group or stands_alone(text, start, end)
    return (start, end) if end > start and alone else None


def _own_spans(
    scanner: Scanner, number: int, text: bytes, spans: Iterable[tuple[int, int]]
) -> Iterable[tuple[int, int]]:
    """The values of a customer's detector; where one would go over a line's end, line by line."""
    if not any(b"\n" in text[start:end] or b"\r" in text[start:end] for start, end in spans):
        return spans
    found, at = [], 0
    for line in text.splitlines(keepends=True):
        bare = line.rstrip(b"\r\n")
        found += [(at + start, at + end) for start, end in scanner._looked(bare).get(number, ())]  # noqa: SLF001 -- its own half
        at += len(line)
    return found


def _of_own(own: Own) -> Detector:
    return Detector(own.name, own.name, Group.OWN, own.pattern, "")


@lru_cache(256)
def _compiled(detectors: tuple[Detector, ...]) -> hyperscan.Database:
    """The database of some detectors. Raises hyperscan.error for a pattern that it does not read."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[(one.finder or one.pattern).encode() for one in detectors],
        ids=list(range(len(detectors))),
        elements=len(detectors),
        flags=[hyperscan.HS_FLAG_SOM_LEFTMOST if one.group is Group.OWN else 0 for one in detectors],
    )
    return database
