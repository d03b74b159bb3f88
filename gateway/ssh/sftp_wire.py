"""Pure. SFTP as OpenSSH speaks it: draft-ietf-secsh-filexfer-02 (version 3), and the few extensions that its clients use."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

LONGEST: Final = 262_144 + 1_024
"""Bytes of one packet: what OpenSSH takes, and room for what stands before the data."""
VERSION: Final = 3


class Kind(IntEnum):
    """Kinds of packets."""

    INIT = 1
    VERSION = 2
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    LSTAT = 7
    FSTAT = 8
    SETSTAT = 9
    FSETSTAT = 10
    OPENDIR = 11
    READDIR = 12
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    REALPATH = 16
    STAT = 17
    RENAME = 18
    READLINK = 19
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    NAME = 104
    ATTRS = 105
    EXTENDED = 200
    EXTENDED_REPLY = 201


OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, _, _, UNSUPPORTED = range(9)
READ, WRITE, APPEND, CREAT, TRUNC, EXCL = 1, 2, 4, 8, 16, 32
EXTENSIONS: Final[dict[bytes, bytes]] = {
    b"posix-rename@openssh.com": b"1",
    b"fsync@openssh.com": b"1",
    b"limits@openssh.com": b"1",
}
"""Those that the gate carries, and their versions."""


class Malformed(Exception):
    """A packet that is none."""


@dataclass(frozen=True)
class Packet:
    """A packet after its length. `number` is the request's, which its answer repeats."""

    kind: int
    number: int
    body: bytes

    def encoded(self, number: int | None = None) -> bytes:
        """As it is sent, under another number where one is given."""
        inside = struct.pack(">BI", self.kind, self.number if number is None else number) + self.body
        return struct.pack(">I", len(inside)) + inside


def read_packets(buffer: bytearray) -> list[bytes]:
    """Take whole packets, without their lengths, out of `buffer`. Raises Malformed for one that is too long or empty."""
    found = []
    while len(buffer) >= 4:
        (length,) = struct.unpack_from(">I", buffer)
        if not 1 <= length <= LONGEST:
            raise Malformed("a packet of a length that is none")
        if len(buffer) < 4 + length:
            break
        found.append(bytes(buffer[4 : 4 + length]))
        del buffer[: 4 + length]
    return found


def read_packet(data: bytes) -> Packet:
    """A packet with a number. Raises Malformed."""
    if len(data) < 5:
        raise Malformed("a packet that is too short")
    kind, number = struct.unpack_from(">BI", data)
    return Packet(kind, number, data[5:])


def string(data: bytes) -> bytes:
    """A string as it is sent."""
    return struct.pack(">I", len(data)) + data


def strings(body: bytes, count: int) -> tuple[list[bytes], bytes]:
    """The first strings of a body, and the rest. Raises Malformed."""
    found, at = [], 0
    for _ in range(count):
        if len(body) < at + 4:
            raise Malformed("a packet that is cut short")
        (length,) = struct.unpack_from(">I", body, at)
        if len(body) < at + 4 + length:
            raise Malformed("a packet that is cut short")
        found.append(body[at + 4 : at + 4 + length])
        at += 4 + length
    return found, body[at:]


def number_at(body: bytes, at: int = 0) -> int:
    """A number of four bytes. Raises Malformed."""
    if len(body) < at + 4:
        raise Malformed("a packet that is cut short")
    (found,) = struct.unpack_from(">I", body, at)
    return int(found)


def hello() -> bytes:
    """What the gate says first to a host."""
    return struct.pack(">IBI", 5, Kind.INIT, VERSION)


def version() -> bytes:
    """What the gate answers first to a client."""
    said = b"".join(string(name) + string(value) for name, value in EXTENSIONS.items())
    inside = struct.pack(">BI", Kind.VERSION, VERSION) + said
    return struct.pack(">I", len(inside)) + inside


def status(number: int, code: int, words: str) -> bytes:
    """The answer that something did, or did not, come about."""
    body = struct.pack(">I", code) + string(words.encode()) + string(b"en")
    return Packet(Kind.STATUS, number, body).encoded()


def first_name(packet: Packet) -> str | None:
    """The path in a NAME answer; None for any other answer. Raises Malformed."""
    if packet.kind != Kind.NAME or number_at(packet.body) < 1:
        return None
    (name,), _ = strings(packet.body[4:], 1)
    try:
        return name.decode()
    except UnicodeDecodeError:
        return None


def paths_of(packet: Packet) -> Sequence[bytes]:
    """The paths in a request, in order: none for one about an open file. Raises Malformed."""
    if packet.kind == Kind.EXTENDED:
        (name,), rest = strings(packet.body, 1)
        return strings(rest, 2)[0] if name == b"posix-rename@openssh.com" else ()
    count = 2 if packet.kind in {Kind.RENAME, Kind.SYMLINK} else 1
    return strings(packet.body, count)[0]
