"""Pure, but for the clock. What is kept of a command's input and output: its beginning, as text, without the gate's own secret."""

from __future__ import annotations

import codecs
import time
from dataclasses import dataclass, field
from typing import Final

from activity.hotpath import Frame, columns_json
from agents.detectors.acting import NONE
from agents.detectors.forms import Form
from agents.detectors.masker import Masker
from agents.detectors.scanner import Scanner

KEPT_LINES: Final = 200
KEPT_CHARACTERS: Final = 32_768
LONGEST_LINE: Final = 1_000
KEPT_OF_TERMINAL: Final = 1_048_576
HIDDEN: Final = "***"
SHORTEST_HIDDEN: Final = 8
"""Characters of a secret that is looked for: a shorter one would be found everywhere."""
OUT, ERROR, IN = "out", "error", "in"
_OF_TERMINAL: Final = columns_json(("at", "stream", "data"), frozenset())
_COLUMNS: Final = columns_json(("stream", "text"), frozenset())


@dataclass
class Recording:
    """Counts all of it, and keeps some. `secret` never gets into what is kept."""

    secret: str = ""
    terminal: bool = False
    """Whether times are kept, and every byte, as far as there is room."""
    scanner: Scanner = NONE.scanner
    """What is looked for in what goes in; what comes out comes without it."""
    size: int = 0
    """Bytes that came out."""
    read: int = 0
    """Bytes that went in."""
    hidden: int = 0
    _rows: list[list[str | None]] = field(default_factory=list)
    _rest: dict[str, str] = field(default_factory=dict)
    _going_in: Masker | None = None
    _decoders: dict[str, codecs.IncrementalDecoder] = field(default_factory=dict)
    _room: int = KEPT_CHARACTERS
    _room_for_terminal: int = KEPT_OF_TERMINAL
    _began: float = field(default_factory=time.monotonic)
    _cut: bool = False

    def add(self, stream: str, data: bytes) -> None:
        """Take what passed on one of the streams."""
        if stream == IN:
            self.read += len(data)
        else:
            self.size += len(data)
        if self._cut:
            return
        if self.terminal:
            self._moment(stream, data)
            return
        if stream == IN and self.scanner:
            self._going_in = self._going_in or Masker(self.scanner, Form.FIT)
            data = self._going_in.feed(data)
        self._lines(stream, data)

    def _lines(self, stream: str, data: bytes) -> None:
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        *lines, rest = (self._rest.get(stream, "") + decoder.decode(data)).split("\n")
        for line in lines:
            self._keep(stream, line)
        if len(rest) > LONGEST_LINE:
            self._keep(stream, rest)
            rest = ""
        self._rest[stream] = rest

    def _moment(self, stream: str, data: bytes) -> None:
        """Bytes of a terminal, with the seconds since it began."""
        decoder = self._decoders.setdefault(stream, codecs.getincrementaldecoder("utf-8")("replace"))
        text = self._hide(decoder.decode(data))
        self._room_for_terminal -= len(text)
        if self._room_for_terminal < 0:
            self._cut = True
        elif text:
            self._rows.append([f"{time.monotonic() - self._began:.3f}", stream, text])

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
        if self._going_in is not None and not self._cut:
            self._lines(IN, self._going_in.end())
        for stream, rest in list(self._rest.items()):
            if rest:
                self._keep(stream, rest)
        self._rest.clear()
        columns = _OF_TERMINAL if self.terminal else _COLUMNS
        return Frame(columns, self._rows, cut=self._cut) if self._rows else None
