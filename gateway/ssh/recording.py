"""Pure. What is kept of a command's input and output: its beginning, as text, without the gate's own secret."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import Final

from activity.hotpath import Frame, columns_json

KEPT_LINES: Final = 200
KEPT_CHARACTERS: Final = 32_768
LONGEST_LINE: Final = 1_000
HIDDEN: Final = "***"
SHORTEST_HIDDEN: Final = 8
"""Characters of a secret that is looked for: a shorter one would be found everywhere."""
OUT, ERROR, IN = "out", "error", "in"
_COLUMNS: Final = columns_json(("stream", "text"), frozenset())


@dataclass
class Recording:
    """Counts all of it, and keeps some. `secret` never gets into what is kept."""

    secret: str = ""
    size: int = 0
    """Bytes that came out."""
    read: int = 0
    """Bytes that went in."""
    hidden: int = 0
    _rows: list[list[str | None]] = field(default_factory=list)
    _rest: dict[str, str] = field(default_factory=dict)
    _decoders: dict[str, codecs.IncrementalDecoder] = field(default_factory=dict)
    _room: int = KEPT_CHARACTERS
    _cut: bool = False

    def add(self, stream: str, data: bytes) -> None:
        """Take what passed on one of the streams."""
        if stream == IN:
            self.read += len(data)
        else:
            self.size += len(data)
        if self._cut:
            return
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        *lines, rest = (self._rest.get(stream, "") + decoder.decode(data)).split("\n")
        for line in lines:
            self._keep(stream, line)
        if len(rest) > LONGEST_LINE:
            self._keep(stream, rest)
            rest = ""
        self._rest[stream] = rest

    def _keep(self, stream: str, line: str) -> None:
        line = self._hide(line.rstrip("\r"))[:LONGEST_LINE]
        self._room -= len(line) + 8
        if self._room < 0 or len(self._rows) >= KEPT_LINES:
            self._cut = True
            self._rest.clear()
        else:
            self._rows.append([stream, line])

    def _hide(self, line: str) -> str:
        if len(self.secret) < SHORTEST_HIDDEN or self.secret not in line:
            return line
        self.hidden += line.count(self.secret)
        return line.replace(self.secret, HIDDEN)

    def frame(self) -> Frame | None:
        """What is kept; None where nothing passed."""
        for stream, rest in list(self._rest.items()):
            if rest:
                self._keep(stream, rest)
        self._rest.clear()
        return Frame(_COLUMNS, self._rows, cut=self._cut) if self._rows else None
