"""Pure. Server-sent events (WHATWG HTML, section 9.2), read in pieces of whatever size and written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.refusal import Refusal

LONGEST: Final = 8 * 1024 * 1024
"""Bytes of one event."""
LONGEST_RETRY: Final = 30_000
_END: Final = re.compile(rb"\r\n|\n|\r(?!\Z)")
"""A line's end; a carriage return at the very end may be half of one."""
PING: Final = b": waiting\n\n"


@dataclass(frozen=True)
class ServerEvent:
    """One event. `retry` is in milliseconds, None where it says nothing."""

    data: str
    id: str = ""
    retry: int | None = None


class Events:
    """The events in a stream of bytes."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._data: list[str] = []
        self._size = 0
        self._looked = 0
        self._id = ""
        self._retry: int | None = None

    def feed(self, piece: bytes) -> Iterator[ServerEvent]:
        """The events that end in `piece`. Raises Refusal for one that is too long."""
        self._rest += piece
        if not self._begun and len(self._rest) >= 3:
            self._begun, self._rest = True, self._rest.removeprefix(b"\xef\xbb\xbf")
        at = 0
        for end in _END.finditer(self._rest, self._looked) if self._begun else ():
            line, at = self._rest[at : end.start()], end.end()
            event = self._line(line)
            if event is not None:
                yield event
        self._rest = self._rest[at:]
        self._looked = max(0, len(self._rest) - 1) if self._begun else 0  # what was looked at is not looked at again
        if len(self._rest) + self._size > LONGEST:
            raise Refusal("The tool server sends an event that is too long.", code="answer_too_long")

    def _line(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        self._size += len(line)
        if name == b"data":
            self._data.append(text)
        elif name == b"id" and "\0" not in text:
            self._id = text[:1_000]
        elif name == b"retry" and text.isascii() and text.isdigit():
            self._retry = min(int(text[:9]), LONGEST_RETRY)
        return None

    def _dispatch(self) -> ServerEvent | None:
        data, self._data, self._size = "\n".join(self._data), [], 0
        retry, self._retry = self._retry, None
        return ServerEvent(data, self._id, retry) if data or self._id or retry is not None else None


def event(message: bytes) -> bytes:
    """A message, which has no line ends, as an event."""
    return b"event: message\ndata: " + message + b"\n\n"
