"""Pure: cuts Cedar text into its policies, so that a problem can be told with its line.

Cedar's parser says what is wrong but not where. Only strings and comments matter for cutting: a
policy ends with the first `;` outside both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_STRUCTURE: Final = 400
"""Cedar's parser recurses and overflows the stack, which ends the process, somewhere above 500 nested operators."""

_STATEMENT: Final = re.compile(r'[^"/;]*(?:(?:"(?:\\.|[^"\\])*"?|//[^\n\r]*|/)[^"/;]*)*(;?)', re.DOTALL)
"""It matches whatever follows, so nothing is tried twice."""
_BEFORE: Final = re.compile(r"(?:\s|//[^\n\r]*)*")
_WORD: Final = re.compile(r'"(?:\\.|[^"\\])*"?|//[^\n\r]*|@?\w+|\s+|.', re.DOTALL)
_STRUCTURE: Final = re.compile(
    r'"(?:\\.|[^"\\])*"?|//[^\n\r]*|;|[(\[{.!+*-]|&&|\|\||\b(?:if|has|like|is|in)\b', re.DOTALL
)


@dataclass(frozen=True)
class Statement:
    """One policy's text, the line (from 1) where it begins, whether it has its `;`."""

    line: int
    text: str
    ended: bool


def statements(text: str) -> Iterator[Statement]:
    """Yield each policy of `text`; the last may lack its `;`. Comments before a policy belong to it."""
    line = 1
    for found in _STATEMENT.finditer(text):
        piece = found[0]
        before = _BEFORE.match(piece)
        if before is not None and before.end() < len(piece):
            yield Statement(line + before[0].count("\n"), piece, ended=bool(found[1]))
        line += piece.count("\n")


def condition(text: str) -> str:
    """What follows the head of one policy: its `when` and `unless`, without the semicolon and comments, on one line."""
    words: list[str] = []
    depth, begun, headed = 0, False, False
    for match in _WORD.finditer(text):
        word = match.group()
        if headed:
            words.append(" " if word.isspace() or word.startswith("//") else word)
        elif begun and word in "()":
            depth += 1 if word == "(" else -1
            headed = depth == 0
        elif word in {"permit", "forbid"}:
            begun = True
    return re.sub(r" {2,}", " ", "".join(words)).strip().removesuffix(";").rstrip()


def too_nested(text: str) -> bool:
    """Say whether one policy of `text` holds more brackets and operators than Cedar can be trusted with."""
    count = 0
    for match in _STRUCTURE.finditer(text):
        piece = match.group()
        if piece == ";":
            count = 0
        elif piece[0] not in '"/':
            count += 1
            if count > MOST_STRUCTURE:
                return True
    return False
