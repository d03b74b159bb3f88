"""A ZIP that is written from front to back, is the same bytes whenever the same files are put in it, and can be gone on with. Pure.

PKWARE's APPNOTE 6.3: each file deflated (RFC 1951), its sizes behind it in a data descriptor, in the ZIP64 form. Where it pauses, all that was
put in is out, in whole bytes (a full flush: what follows refers to nothing before), and `state` is all that there is to know.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

VERSION: Final = 45  # the first that knows ZIP64
MADE_BY_UNIX: Final = 3
SIZES_BEHIND: Final = 0x08
UTF8: Final = 0x800
MOST: Final = 0xFFFFFFFF  # what a field of 32 bits says where the ZIP64 one counts
MOST_16: Final = 0xFFFF
MODE: Final = 0o600 << 16


@dataclass
class Member:
    """A file in the ZIP: where its head begins, and what is in it so far."""

    name: str
    at: int
    crc: int = 0
    packed: int = 0
    size: int = 0


class Growing:
    """The bytes of a ZIP as they are made: each function gives those that come next."""

    def __init__(self, made: datetime, state: Mapping[str, Any] | None = None) -> None:
        self._dated = zipfile.ZipInfo("", made.timetuple()[:6])
        self._at = int(state["at"]) if state else 0
        self._members = [Member(**one) for one in state["members"]] if state else []
        self._open: Member | None = Member(**state["open"]) if state and state["open"] else None
        self._deflate = _deflating()

    def begin(self, name: str) -> bytes:
        """The head of a file."""
        self._open, self._deflate = Member(name, self._at), _deflating()
        head = zipfile.ZipInfo(name, self._dated.date_time)
        head.compress_type, head.flag_bits = zipfile.ZIP_DEFLATED, SIZES_BEHIND
        return self._out(head.FileHeader(zip64=True))

    def add(self, data: bytes) -> bytes:
        """More of the file."""
        member = self._opened()
        member.crc, member.size = zlib.crc32(data, member.crc), member.size + len(data)
        return self._packed(self._deflate.compress(data))

    def pause(self) -> bytes:
        """What is still inside; afterwards another may go on by `state`."""
        data = self._packed(self._deflate.flush(zlib.Z_FULL_FLUSH))
        self._deflate = _deflating()
        return data

    def end(self) -> bytes:
        """The file's end."""
        member = self._opened()
        data = self._packed(self._deflate.flush())
        self._members.append(member)
        self._open = None
        return data + self._out(struct.pack("<4sLQQ", b"PK\x07\x08", member.crc, member.packed, member.size))

    def close(self) -> bytes:
        """The directory, and the end of the ZIP."""
        begins = self._at
        directory = b"".join(self._listed(member) for member in self._members)
        return directory + _end(len(self._members), len(directory), begins)

    def state(self) -> dict[str, Any]:
        """All that there is to know, for JSON."""
        now = asdict(self._open) if self._open else None
        return {"at": self._at, "members": [asdict(one) for one in self._members], "open": now}

    def _opened(self) -> Member:
        if self._open is None:
            raise ValueError("no file of the ZIP is open")
        return self._open

    def _packed(self, data: bytes) -> bytes:
        self._opened().packed += len(data)
        return self._out(data)

    def _out(self, data: bytes) -> bytes:
        self._at += len(data)
        return data

    def _listed(self, member: Member) -> bytes:
        """A file's record in the directory (4.3.12), with the ZIP64 fields that it needs (4.5.3)."""
        wide = [value for value in (member.size, member.packed, member.at) if value >= MOST]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        name = member.name.encode()
        day, moment = _dos(self._dated.date_time)
        flags = SIZES_BEHIND | (0 if member.name.isascii() else UTF8)
        head = struct.pack(
            "<4s4B4H3L5H2L", b"PK\x01\x02", VERSION, MADE_BY_UNIX, VERSION, 0, flags, zipfile.ZIP_DEFLATED, moment, day, member.crc,
            min(member.packed, MOST), min(member.size, MOST), len(name), len(extra), 0, 0, 0, MODE, min(member.at, MOST),
        )  # fmt: skip
        return head + name + extra


def streamed(files: Iterable[tuple[str, Iterable[bytes]]], made: datetime) -> Iterator[bytes]:
    """The bytes of a ZIP of these files, dated `made`, as they are made."""
    growing = Growing(made)
    yield from put(growing, files)
    yield growing.close()


def put(growing: Growing, files: Iterable[tuple[str, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of these files, whole, in a ZIP that grows."""
    for name, parts in files:
        yield growing.begin(name)
        for part in parts:
            yield growing.add(part)
        yield growing.end()


def _deflating() -> Any:  # noqa: ANN401 -- zlib's own type has no name
    return zlib.compressobj(wbits=-zlib.MAX_WBITS)


def _dos(moment: tuple[int, ...]) -> tuple[int, int]:
    """A day and a time as MS-DOS has them, which ZIPs keep."""
    year, month, day, hour, minute, second = moment
    return (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2


def _end(count: int, size: int, begins: int) -> bytes:
    """The end of the directory (4.3.16), behind its ZIP64 form (4.3.14, 4.3.15) where that is needed."""
    wide = b""
    if count >= MOST_16 or size >= MOST or begins >= MOST:
        wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, VERSION, VERSION, 0, 0, count, count, size, begins)
        wide += struct.pack("<4sLQL", b"PK\x06\x07", 0, begins + size, 1)
    least = min(count, MOST_16)
    return wide + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, least, least, min(size, MOST), min(begins, MOST), 0)
