"""A ZIP that is sent while it is written, and is the same bytes whenever the same files are put in it. Pure."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime


def streamed(files: Iterable[tuple[str, Iterable[bytes]]], made: datetime) -> Iterator[bytes]:
    """The bytes of a ZIP of these files, dated `made`, as they are made."""
    sink = Sink()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, parts in files:
            with archive.open(member(name, made), "w", force_zip64=True) as file:
                for part in parts:
                    file.write(part)
                    yield sink.taken()
    yield sink.taken()


def member(name: str, made: datetime) -> zipfile.ZipInfo:
    """A file's head in a ZIP; dated, so that the same package is the same bytes."""
    head = zipfile.ZipInfo(name, made.timetuple()[:6])
    head.compress_type = zipfile.ZIP_DEFLATED
    return head


class Sink(io.RawIOBase):
    """Keeps what is written until it is taken; cannot seek, so ZipFile writes its sizes after each file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: object, /) -> int:
        """Keep it."""
        part = bytes(data)  # type: ignore[call-overload]  # any buffer
        self._parts.append(part)
        return len(part)

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
