"""Values of the commonest types as text, for recordings. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from uuid import UUID

_BINARY: dict[int, Callable[[bytes], object]] = {
    16: lambda raw: "t" if raw != b"\x00" else "f",
    20: lambda raw: struct.unpack("!q", raw)[0],
    21: lambda raw: struct.unpack("!h", raw)[0],
    23: lambda raw: struct.unpack("!i", raw)[0],
    26: lambda raw: struct.unpack("!I", raw)[0],
    700: lambda raw: struct.unpack("!f", raw)[0],
    701: lambda raw: struct.unpack("!d", raw)[0],
    2950: lambda raw: UUID(bytes=raw),
}
_CHARACTERS = frozenset({18, 19, 25, 114, 705, 1042, 1043})


def as_text(value: bytes, type_oid: int, format_code: int) -> str:
    """A value as a person reads it; a binary one of a type not known here as hexadecimal digits."""
    known = known_text(value, type_oid, format_code)
    return f"\\x{value.hex()}" if known is None else known


def known_text(value: bytes, type_oid: int, format_code: int) -> str | None:
    """A value in PostgreSQL's text form; None for a binary one of a type not known here."""
    if format_code == 0 or type_oid in _CHARACTERS:
        return value.decode(errors="replace")
    read = _BINARY.get(type_oid)
    try:
        return str(read(value)) if read is not None else None
    except (struct.error, ValueError):
        return None
