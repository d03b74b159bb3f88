"""Pure: cuts Cedar text into its policies, so that a problem can be told with its line.

Cedar's parser says what is wrong but not where. Only strings and comments matter for cutting: a
policy ends with the first `;` outside both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"?|//[^\n]*|;|[^\s"/;]+|/|\s+', re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One policy's text and the line (from 1) where it begins."""

    line: int
    text: str


def statements(text: str) -> Iterator[Statement]:
    """Yield each policy of `text`; the last may lack its `;`. Comments before a policy belong to it."""
    pieces: list[str] = []
    line, begins = 1, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        if not begins and not token.isspace() and not token.startswith("//"):
            begins = line
        line += token.count("\n")
        pieces.append(token)
        if token == ";":
            yield Statement(begins, "".join(pieces))
            pieces, begins = [], 0
    if begins:
        yield Statement(begins, "".join(pieces))
