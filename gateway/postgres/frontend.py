"""Pure. Reads what a client sends: the start-up packet and the messages of protocol 3 (PostgreSQL 18, chapter 54.7).

Each reader raises ProtocolError when the bytes are not exactly one message of its kind.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from gateway.postgres.framing import ProtocolError
from gateway.postgres.messages import CANCEL_REQUEST, GSSENC_REQUEST, PROTOCOL_3_0, SSL_REQUEST

STARTUP_LIMIT = 10_000
"""Bytes: PostgreSQL's own limit of a start-up packet."""
CANCEL_KEY_LIMIT = 256


class Startup(NamedTuple):
    """A session is wanted: the minor version of protocol 3 asked for, and the parameters."""

    minor: int
    parameters: Mapping[str, str]


class Cancel(NamedTuple):
    """Somebody asks to cancel what the session with this process number and secret is doing."""

    process: int
    secret: bytes


class SslRequest(NamedTuple):
    """The client wants TLS."""


class GssRequest(NamedTuple):
    """The client wants GSSAPI encryption."""


Opening = Startup | Cancel | SslRequest | GssRequest


def opening_length(buffer: bytes) -> int | None:
    """The length in bytes of the packet that opens a connection, None while unknown. Raises ProtocolError when absurd."""
    if len(buffer) < 4:
        return None
    length: int = struct.unpack_from("!I", buffer)[0]
    if not 8 <= length <= STARTUP_LIMIT:
        raise ProtocolError("invalid length of startup packet")
    return length


def read_opening(packet: bytes) -> Opening:
    """The first packet of a connection, which has a length but no type byte."""
    code: int = struct.unpack_from("!I", packet, 4)[0]
    if code == SSL_REQUEST and len(packet) == 8:
        return SslRequest()
    if code == GSSENC_REQUEST and len(packet) == 8:
        return GssRequest()
    if code == CANCEL_REQUEST and 12 < len(packet) <= 12 + CANCEL_KEY_LIMIT:
        return Cancel(struct.unpack_from("!I", packet, 8)[0], packet[12:])
    if code >> 16 != PROTOCOL_3_0 >> 16:
        raise ProtocolError(f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}", "0A000")
    return Startup(code & 0xFFFF, _parameters(packet[8:]))


def _parameters(body: bytes) -> dict[str, str]:
    if not body.endswith(b"\x00"):
        raise ProtocolError("invalid startup packet layout: expected terminator as last byte")
    words = body[:-1].split(b"\x00")
    if words.pop() != b"" or len(words) % 2:
        raise ProtocolError("invalid startup packet layout")
    pairs = [decode(word) for word in words]
    if len(set(pairs[::2])) != len(pairs) // 2:
        raise ProtocolError("a startup parameter is given twice")
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def decode(raw: bytes) -> str:
    """UTF-8 text, as the gate pins client_encoding. Raises ProtocolError (SQLSTATE 22021) when it is not."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ProtocolError("the gate takes UTF-8 text only", "22021") from None


def read_text(body: bytes) -> str:
    """The single string of Query and PasswordMessage; text after a NUL is refused, never dropped."""
    if body.find(b"\x00") != len(body) - 1:
        raise ProtocolError("invalid string in message")
    return decode(body[:-1])


@dataclass(frozen=True, slots=True)
class Parse:
    """Parse: a statement to prepare. `name` is empty for the unnamed one; `types` are OIDs, 0 where left open."""

    name: bytes
    sql: str
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind: parameters for a prepared statement. Formats are 0 (text) or 1 (binary)."""

    portal: bytes
    statement: bytes
    formats: tuple[int, ...]
    values: tuple[bytes | None, ...]
    result_formats: tuple[int, ...]


class Target(NamedTuple):
    """What Describe and Close are about: `kind` is S (statement) or P (portal)."""

    kind: int
    name: bytes


class Execute(NamedTuple):
    """Execute: run a portal, `limit` rows at most, 0 for all."""

    portal: bytes
    limit: int


class _Reader:
    """Takes values from the front of a body, refusing to run past its end."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def string(self) -> bytes:
        end = self._body.find(b"\x00", self._at)
        if end < 0:
            raise ProtocolError("invalid string in message")
        start, self._at = self._at, end + 1
        return self._body[start:end]

    def take(self, size: int) -> bytes:
        if size > len(self._body) - self._at:
            raise ProtocolError("insufficient data left in message")
        start, self._at = self._at, self._at + size
        return self._body[start : self._at]

    def number(self, code: str) -> int:
        layout = struct.Struct("!" + code)
        value: int = layout.unpack(self.take(layout.size))[0]
        return value

    def numbers(self, code: str) -> tuple[int, ...]:
        count = self.number("H")
        layout = struct.Struct(f"!{count}{code}")
        return layout.unpack(self.take(layout.size))

    def value(self) -> bytes | None:
        length = self.number("i")
        if length < -1:
            raise ProtocolError("invalid length of a parameter")
        return None if length == -1 else self.take(length)

    def done(self) -> None:
        if self._at != len(self._body):
            raise ProtocolError("invalid message format")


def read_parse(body: bytes) -> Parse:
    """Parse."""
    reader = _Reader(body)
    name, sql, types = reader.string(), decode(reader.string()), reader.numbers("I")
    reader.done()
    return Parse(name, sql, types)


def read_bind(body: bytes) -> Bind:
    """Bind. Raises ProtocolError too for a format that is neither 0 nor 1."""
    reader = _Reader(body)
    portal, statement, formats = reader.string(), reader.string(), reader.numbers("H")
    values = tuple([reader.value() for _ in range(reader.number("H"))])
    results = reader.numbers("H")
    reader.done()
    if any(form > 1 for form in formats + results):
        raise ProtocolError("unsupported format code")
    if len(formats) not in (0, 1, len(values)):
        raise ProtocolError(f"bind message has {len(formats)} parameter formats but {len(values)} parameters")
    return Bind(portal, statement, formats, values, results)


def read_target(body: bytes) -> Target:
    """Describe or Close."""
    reader = _Reader(body)
    kind, name = reader.number("B"), reader.string()
    reader.done()
    if kind not in b"SP":
        raise ProtocolError("invalid subtype of message")
    return Target(kind, name)


def read_execute(body: bytes) -> Execute:
    """Execute."""
    reader = _Reader(body)
    portal, limit = reader.string(), reader.number("I")
    reader.done()
    return Execute(portal, limit)


def parameter_formats(bind: Bind) -> tuple[int, ...]:
    """One format a parameter: none given means all text, a single one means all alike."""
    if len(bind.formats) == len(bind.values):
        return bind.formats
    return (bind.formats or (0,)) * len(bind.values)
