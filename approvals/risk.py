"""The risk of one action as an explained sum: every point has its reason, and the lines add up. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_BY_VERB = {
    "select": (2, "Reads"),
    "insert": (12, "Adds rows"),
    "update": (20, "Changes rows"),
    "merge": (22, "Merges rows"),
    "copy_in": (24, "Loads rows in bulk"),
    "delete": (26, "Deletes rows"),
    "lock": (14, "Locks rows"),
    "call": (28, "Calls a function that may do anything"),
    "ddl": (34, "Changes the schema"),
    "truncate": (40, "Empties a table"),
    "grant": (40, "Changes who may do what"),
    "http:read": (2, "Reads"),
    "http:write": (20, "Changes what an API keeps"),
    "ssh:exec": (24, "Runs programs on a host"),
    "ssh:read": (4, "Reads files on a host"),
    "ssh:write": (20, "Changes files on a host"),
    "ssh:unknown": (40, "Does what cannot be told before"),
    "ssh:terminal": (45, "Opens a terminal"),
    "app:call": (30, "Does something the gate cannot see"),
    "mcp:call": (20, "Has a tool do something"),
    "mcp:read": (2, "Reads"),
    "mcp:prompt": (2, "Fills in a prompt"),
    "mcp:sample": (24, "Lets a tool server use the agent's model"),
    "mcp:elicit": (24, "Lets a tool server ask the agent's user"),
    "mcp:roots": (8, "Tells a tool server the agent's folders"),
}
_UNKNOWN = (30, "Does something not seen before")
_MOST_LINES = 6
WORKING_HOURS = (6, 20)
"""From the first hour of a day to before the last, UTC."""


@dataclass(frozen=True)
class Facts:
    """What is known of an action when it is scored; None where it is not known (yet)."""

    verb: str
    tags: frozenset[str] = frozenset()
    has_where: bool | None = None
    in_transaction: bool = False
    first_time: bool = False
    denied_seconds_ago: int | None = None
    hour: int | None = None  # of the asking, 0 to 23, UTC
    odd_characters: int = 0
    rows: int | None = None
    rows_of: int | None = None


@dataclass(frozen=True)
class Line:
    """One reason and the points it adds (or takes away)."""

    because: str
    points: int


@dataclass(frozen=True)
class Risk:
    """A score from 0 to 100 and the lines that add up to it."""

    score: int
    lines: tuple[Line, ...]


def score(facts: Facts) -> Risk:
    """Score an action; at most six lines, the strongest kept, and what is over 100 or under 0 taken off as a line."""
    lines = sorted(_lines(facts), key=lambda line: -abs(line.points))
    kept = lines[: _MOST_LINES - 1]
    rest = sum(line.points for line in lines[_MOST_LINES - 1 :])
    if rest:
        kept.append(Line("Everything else", rest))
    total = sum(line.points for line in kept)
    limited = max(0, min(100, total))
    if limited != total:
        kept[-1] = Line("Everything else, kept within 0 to 100", kept[-1].points + limited - total)
    return Risk(limited, tuple(line for line in kept if line.points))


def _lines(facts: Facts) -> Iterator[Line]:
    points, does = _BY_VERB.get(facts.verb.removeprefix("sql:").lower(), _UNKNOWN)
    yield Line(f"{does} where columns are tagged" if facts.tags else does, points + (8 if facts.tags else 0))
    if facts.has_where is False:
        yield Line("Without a WHERE", 30)
    if facts.first_time:
        yield Line("The first time it does this here", 16)
    if facts.odd_characters:
        yield Line("Look-alike or invisible character", 12)
    yield from _moment(facts)
    yield from _reach(facts)


def _moment(facts: Facts) -> Iterator[Line]:
    if facts.denied_seconds_ago is not None and facts.denied_seconds_ago <= 600:
        yield Line(f"Denied {_ago(facts.denied_seconds_ago)} earlier", 14)
    if facts.hour is not None and not WORKING_HOURS[0] <= facts.hour < WORKING_HOURS[1]:
        yield Line("Outside working hours (UTC)", 8)
    if facts.in_transaction:
        yield Line("Holds locks while it waits", 6)


def _reach(facts: Facts) -> Iterator[Line]:
    if facts.rows is None:
        return
    if facts.rows_of and facts.rows > 0.5 * facts.rows_of and facts.rows > 1:
        yield Line("Touches more than half of the table", 18)
    elif facts.rows >= 1_000:
        yield Line(f"Touches {facts.rows:,} rows", 12)
    elif facts.rows <= 10:
        yield Line(f"Only {facts.rows} row{'s' * (facts.rows != 1)}", -10)


def _ago(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
