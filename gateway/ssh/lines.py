"""Pure. Lines out of what somebody types: with a terminal edited and echoed, without one as they come."""

from __future__ import annotations

from enum import Enum
from typing import Final

from gateway.ssh.commands import LONGEST


class Key(Enum):
    """What is no line."""

    INTERRUPT = "interrupt"
    END = "end"
    TOO_LONG = "too long"


_ENTER, _ERASE, _ESCAPE = b"\r\n", b"\x08\x7f", 0x1B
_INTERRUPT, _END, _KILL, _WORD = 0x03, 0x04, 0x15, 0x17
_RUB_OUT: Final = b"\x08 \x08"
Typed = str | Key


class Typing:
    """`echo` is what the terminal shows of what was typed: given by `feed` beside the lines that are complete."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal = terminal
        self._line = bytearray()
        self._escaped = 0
        self._after_return = False

    def feed(self, data: bytes) -> tuple[list[Typed], bytes]:
        """Take bytes; the lines that they complete, and what to show."""
        found: list[Typed] = []
        echo = bytearray()
        for byte in data:
            typed = self._take(byte, echo)
            if typed is not None:
                found.append(typed)
        return found, bytes(echo) if self._terminal else b""

    def _take(self, byte: int, echo: bytearray) -> Typed | None:
        if self._terminal and self._swallows(byte):
            return None
        skipped, self._after_return = self._after_return and byte == 0x0A, byte == 0x0D
        if skipped:
            return None
        if byte in _ENTER:
            echo += b"\r\n"
            return self._taken()
        if not self._terminal:
            return self._add(byte, echo)
        return self._edit(byte, echo)

    def _edit(self, byte: int, echo: bytearray) -> Typed | None:
        if byte == _INTERRUPT:
            self._line.clear()
            echo += b"^C\r\n"
            return Key.INTERRUPT
        if byte == _END:
            return Key.END if not self._line else None
        if byte in _ERASE:
            self._rub_out(echo)
        elif byte == _KILL:
            while self._line:
                self._rub_out(echo)
        elif byte == _WORD:
            while self._line.endswith(b" "):
                self._rub_out(echo)
            while self._line and not self._line.endswith(b" "):
                self._rub_out(echo)
        elif byte >= 0x20:
            return self._add(byte, echo)
        return None

    def _swallows(self, byte: int) -> bool:
        """Whether a byte belongs to a key that edits nothing here, as an arrow does."""
        if byte == _ESCAPE:
            self._escaped = 1
        elif self._escaped == 1:
            self._escaped = 2 if byte in b"[O" else 0
        elif self._escaped == 2:
            self._escaped = 0 if 0x40 <= byte <= 0x7E else 2
        else:
            return False
        return True

    def _add(self, byte: int, echo: bytearray) -> Typed | None:
        if len(self._line) >= LONGEST:
            self._line.clear()
            return Key.TOO_LONG
        self._line.append(byte)
        echo.append(byte)
        return None

    def _rub_out(self, echo: bytearray) -> None:
        """Take the last character back, however many bytes it has."""
        if not self._line:
            return
        while self._line and self._line[-1] & 0xC0 == 0x80:
            self._line.pop()
        if self._line:
            self._line.pop()
        echo += _RUB_OUT

    def _taken(self) -> str:
        line = bytes(self._line).decode("utf-8", "surrogateescape")
        self._line.clear()
        return line

    def rest(self) -> str:
        """A last line that has no end."""
        return self._taken()
