"""An agent's risk as an explained sum: signals that fade, and how it stands. Pure: no Django, no I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.rules import Kind

HALF_LIFE = timedelta(hours=24)
"""After so long a signal counts half."""
WINDOW = timedelta(days=14)
"""After so long it counts no longer: it is worth less than one ten-thousandth of its points."""
MOST_LINES = 6
MOST = 100
BREADTH, CREDENTIALS, REST = "breadth", "credentials", "rest"
"""The kinds of lines that no signal stands behind: how the agent stands, and what found no line of its own."""
_BREADTH_MOST = 12
_OLD_KEY = timedelta(days=90)


@dataclass(frozen=True)
class Observed:
    """A signal: what, how many points when fresh, when."""

    kind: Kind
    points: int
    at: datetime


@dataclass(frozen=True)
class Standing:
    """How an agent stands, whatever it does: permissions it holds and those it used, its keys, its kind of token."""

    granted: int = 0
    used: int = 0
    keys: int = 1
    oldest_key: timedelta = timedelta(0)
    bearer: bool = False


@dataclass(frozen=True)
class Line:
    """One reason and its points; `kind` leads to the evidence."""

    because: str
    points: int
    kind: str


@dataclass(frozen=True)
class Score:
    """A score from 0 to 100 and the lines that add up to it, the strongest first."""

    score: int
    lines: tuple[Line, ...]

    @property
    def reasons(self) -> str:
        """The strongest two reasons in a row of a list."""
        return "; ".join(line.because for line in self.lines[:2]) or "Nothing raises it"


def score(observed: Iterable[Observed], standing: Standing, now: datetime) -> Score:
    """Add up what is known of one agent; one more signal never lowers it."""
    lines = [line for line in (*_faded(observed, now), *_standing(standing)) if line.points > 0]
    lines.sort(key=lambda line: (-line.points, line.kind))
    kept = list(_within(_folded(lines)))
    return Score(sum(line.points for line in kept), tuple(kept))


def weight(age: timedelta) -> float:
    """What is left of a signal's points at `age`, from 1 to 0."""
    if age >= WINDOW:
        return 0.0
    return float(0.5 ** (max(age, timedelta(0)) / HALF_LIFE))


def _faded(observed: Iterable[Observed], now: datetime) -> Iterator[Line]:
    by_kind: dict[Kind, list[Observed]] = defaultdict(list)
    for one in observed:
        if one.kind is not Kind.UNPROVEN and now - one.at < WINDOW:
            by_kind[one.kind].append(one)
    for kind, found in by_kind.items():
        total = sum(one.points * weight(now - one.at) for one in found)
        yield Line(kind.rule.says(len(found)), round(min(total, kind.rule.most)), kind.value)


def _standing(standing: Standing) -> Iterator[Line]:
    unused = max(0, standing.granted - standing.used)
    if unused:
        because = f"Never used {unused} of the {standing.granted} permissions it holds"
        yield Line(because, round(_BREADTH_MOST * unused / standing.granted), BREADTH)
    parts = list(_credentials(standing))
    if parts:
        yield Line("; ".join(because for because, _ in parts).capitalize(), sum(n for _, n in parts), CREDENTIALS)


def _credentials(standing: Standing) -> Iterator[tuple[str, int]]:
    if standing.bearer:
        yield "uses bearer tokens", 4
    if standing.oldest_key > _OLD_KEY:
        yield f"a key is {standing.oldest_key.days} days old", 6
    if standing.keys > 1:
        yield f"{standing.keys} keys are valid", 2


def _folded(lines: list[Line]) -> list[Line]:
    """The strongest lines; what is left shares the last."""
    if len(lines) <= MOST_LINES:
        return lines
    rest = sum(line.points for line in lines[MOST_LINES - 1 :])
    return [*lines[: MOST_LINES - 1], Line("Everything else", rest, REST)]


def _within(lines: list[Line]) -> Iterator[Line]:
    """The lines up to a sum of 100; the one that goes beyond says that it is cut."""
    left = MOST
    for line in lines:
        if line.points > left > 0:
            yield Line(f"{line.because} (counted up to {MOST})", left, line.kind)
        elif left > 0:
            yield line
        left -= line.points
