"""A statement laid out on lines for reading: line breaks before clauses, nothing else. Pure: no Django, no I/O.

Only blanks between tokens change, so what is read is what was sent; a text that has lines of its own keeps them, and
a command is never laid out: a line break would be another command.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pglast.parser import ParseError, scan

from approvals.highlight import SHELL

_CLAUSES = frozenset(
    "FROM WHERE GROUP_P ORDER HAVING LIMIT OFFSET RETURNING UNION INTERSECT EXCEPT VALUES JOIN LEFT RIGHT FULL INNER_P CROSS".split()  # noqa: SIM905
)
_JOINED = frozenset({"LEFT", "RIGHT", "FULL", "INNER_P", "CROSS", "OUTER_P", "NATURAL"})
_KEPT_TOGETHER = frozenset({("DELETE_P", "FROM"), ("DISTINCT", "FROM"), ("WITHIN", "GROUP_P"), ("DEFAULT", "VALUES")})
_LONGEST = 20_000  # characters; longer texts are shown as they were sent


def laid_out(sql: str) -> str:
    """`sql` with its outermost clauses on lines of their own, AND and OR indented below them."""
    if "\n" in sql or len(sql) > _LONGEST or SHELL.match(sql):
        return sql
    try:
        tokens = scan(sql)
    except (ParseError, UnicodeError):
        return sql
    breaks = _breaks(tokens)
    parts, at = [], 0
    for before, after in pairwise(tokens):
        gap = sql[before.end + 1 : after.start]
        if after.start in breaks and gap and gap.isspace():
            parts += [sql[at : before.end + 1], breaks[after.start]]
            at = after.start
    return "".join([*parts, sql[at:]])


def _breaks(tokens: Sequence[Any]) -> dict[int, str]:
    """Where a line begins (0-based position of its first token), and the break that stands before it."""
    found: dict[int, str] = {}
    depth, between = 0, False
    for before, token in pairwise(tokens):
        depth += (before.name == "ASCII_40") - (before.name == "ASCII_41")
        if depth:
            continue
        if token.name == "AND" and between:
            between = False
        elif token.name in {"AND", "OR"}:
            found[token.start] = "\n  "
        elif token.name in _CLAUSES and not _belongs(before.name, token.name):
            found[token.start] = "\n"
        between = between or token.name == "BETWEEN"
    return found


def _belongs(before: str, name: str) -> bool:
    return (before, name) in _KEPT_TOGETHER or (name == "JOIN" and before in _JOINED)
