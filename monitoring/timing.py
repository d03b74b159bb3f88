"""How long it takes to detect, contain and resolve. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

STEPS: Final = 12
"""Points of a trend."""


@dataclass(frozen=True)
class Times:
    """One incident's times: began, detected, and where it came to that contained and resolved."""

    began: datetime
    detected: datetime
    contained: datetime | None = None
    resolved: datetime | None = None


@dataclass(frozen=True)
class Marks:
    """What a mean is held against: how long it took before, and how long it may take. None where nothing is set."""

    baseline: timedelta | None = None
    target: timedelta | None = None


@dataclass(frozen=True)
class Figure:
    """A mean over `count` incidents in seconds, the same of the period before, and what both are held against.

    `key` names it in addresses; `points` are the means of the period's steps, those with incidents.
    """

    name: str
    meaning: str
    mean: float | None
    count: int
    before: float | None
    marks: Marks
    key: str = ""
    points: tuple[float, ...] = ()

    @property
    def met(self) -> bool | None:
        """Whether the mean is within the target; None where there is no mean or no target."""
        if self.mean is None or self.marks.target is None:
            return None
        return self.mean <= self.marks.target.total_seconds()

    @property
    def trend(self) -> str:
        """`down` (better), `up`, `same`, or nothing where one of the periods has no mean."""
        if self.mean is None or self.before is None:
            return ""
        return "down" if self.mean < self.before else "up" if self.mean > self.before else "same"


def to_detect(times: Iterable[Times]) -> list[float]:
    """Seconds from the first signal to the detection."""
    return [(one.detected - one.began).total_seconds() for one in times]


def to_contain(times: Iterable[Times]) -> list[float]:
    """Seconds from the detection to the containment, of what was contained."""
    return [(one.contained - one.detected).total_seconds() for one in times if one.contained]


def to_resolve(times: Iterable[Times]) -> list[float]:
    """Seconds from the detection to the resolution, of what was resolved."""
    return [(one.resolved - one.detected).total_seconds() for one in times if one.resolved]


def mean(values: Sequence[float]) -> float | None:
    """The arithmetic mean; None of nothing."""
    return sum(values) / len(values) if values else None


def figures(
    now: Sequence[Times], before: Sequence[Times], marks: Sequence[Marks], *, since: datetime, until: datetime
) -> list[Figure]:
    """MTTD, MTTC and MTTR of the incidents detected from `since` to `until`, and of those before; `marks` in this order."""
    steps = _in_steps(now, since, until)
    return [
        Figure(
            name,
            meaning,
            mean(took := seconds(now)),
            len(took),
            mean(seconds(before)),
            held,
            key,
            _means(seconds, steps),
        )
        for (key, name, meaning, seconds), held in zip(_FIGURES, marks, strict=True)
    ]


def _in_steps(times: Sequence[Times], since: datetime, until: datetime) -> list[list[Times]]:
    found: list[list[Times]] = [[] for _ in range(STEPS)]
    for one in times:
        place = int(STEPS * ((one.detected - since) / (until - since)))
        found[min(max(place, 0), STEPS - 1)].append(one)
    return found


def _means(seconds: Callable[[Iterable[Times]], list[float]], steps: Iterable[Sequence[Times]]) -> tuple[float, ...]:
    found = (mean(seconds(step)) for step in steps)
    return tuple(one for one in found if one is not None)


_FIGURES: Final = (
    ("detect", "MTTD", "mean time to detect", to_detect),
    ("contain", "MTTC", "mean time to contain", to_contain),
    ("resolve", "MTTR", "mean time to resolve", to_resolve),
)
