"""Pure. Cuts a stream of bytes into messages of the PostgreSQL protocol 3 (PostgreSQL 18, chapter 54.7).

Every message after the start-up packet is a type byte, a length that counts itself but not the type byte, and a body.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

HEADER = 5
TEXT_LIMIT = 1 << 20
"""Bytes: the longest message that carries SQL text."""
DATA_LIMIT = 16 << 20
"""Bytes: the longest message that carries parameters or COPY data."""
PASSWORD_LIMIT = 16 << 10
SMALL_LIMIT = 4 << 10
ROW_LIMIT = 64 << 20
"""Bytes: the longest message taken from a resource, so the most that one row may hold in memory."""

CLIENT_LIMITS: Mapping[int, int] = {
    ord("Q"): TEXT_LIMIT,
    ord("P"): TEXT_LIMIT,
    ord("B"): DATA_LIMIT,
    ord("d"): DATA_LIMIT,
    ord("p"): PASSWORD_LIMIT,
}

_LENGTH = struct.Struct("!I")


class ProtocolError(Exception):
    """The peer broke the protocol; the connection cannot go on. `sqlstate` says how (08P01 unless told otherwise)."""

    def __init__(self, message: str, sqlstate: str = "08P01") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate


class Message(NamedTuple):
    """One message from a client: its type byte, its body, and the bytes as they came."""

    kind: int
    raw: bytes

    @property
    def body(self) -> bytes:
        """The bytes after type and length."""
        return self.raw[HEADER:]


class ClientFramer:
    """Collects what a client sends and gives whole messages back, refusing what is longer than its kind may be."""

    __slots__ = ("_buffer", "_limits")

    def __init__(self, limits: Mapping[int, int] = CLIENT_LIMITS) -> None:
        self._buffer = b""
        self._limits = limits

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        """The messages that `data` completes. Raises ProtocolError when a length is impossible or above its limit."""
        buffer = self._buffer + data if self._buffer else bytes(data)
        messages: list[Message] = []
        start, size = 0, len(buffer)
        while size - start >= HEADER:
            end = start + 1 + self._length(buffer, start)
            if end > size:
                break
            messages.append(Message(buffer[start], buffer[start:end]))
            start = end
        self._buffer = buffer[start:]
        return messages

    def _length(self, buffer: bytes, start: int) -> int:
        length: int = _LENGTH.unpack_from(buffer, start + 1)[0]
        if length < 4:
            raise ProtocolError("invalid message length")
        limit = self._limits.get(buffer[start], SMALL_LIMIT)
        if length > limit:
            raise ProtocolError(f"message of {length} bytes is longer than the {limit} that the gate takes", "54000")
        return length


Span = tuple[int, int, int]
"""A whole message inside a chunk: type byte, offset of its first byte, offset after its last."""


class ServerFramer:
    """Marks whole messages inside what a resource sends, without copying them one by one."""

    __slots__ = ("_limit", "_rest")

    def __init__(self, limit: int = ROW_LIMIT) -> None:
        self._rest = b""
        self._limit = limit

    def feed(self, data: bytes) -> tuple[bytes, list[Span]]:
        """The chunk that holds the whole messages so far, and where each lies. Raises ProtocolError as ClientFramer does."""
        chunk = self._rest + data if self._rest else data
        spans: list[Span] = []
        start, size, unpack = 0, len(chunk), _LENGTH.unpack_from
        while size - start >= HEADER:
            length = unpack(chunk, start + 1)[0]
            if not 4 <= length <= self._limit:
                raise ProtocolError(f"the resource sent a message of {length} bytes", "54000")
            end = start + 1 + length
            if end > size:
                break
            spans.append((chunk[start], start, end))
            start = end
        self._rest = chunk[start:]
        return chunk, spans
