"""Pure. Reads what a PostgreSQL server sends (protocol 3, PostgreSQL 18, chapter 54.7)."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import NamedTuple

from gateway.postgres.framing import ProtocolError

_ROW_FIELD = struct.Struct("!IHIhiH")
_SHORT = struct.Struct("!H")
_LENGTH = struct.Struct("!i")


class Field(NamedTuple):
    """One column of a result: `table` and `column` (attnum) say where it comes from, 0 when it is computed."""

    name: str
    table: int
    column: int
    type_oid: int
    type_size: int
    type_modifier: int
    format: int


@lru_cache(1_024)
def read_row_description(body: bytes) -> tuple[Field, ...]:
    """The columns of RowDescription. Raises ProtocolError when it is malformed."""
    fields: list[Field] = []
    try:
        at = 2
        for _ in range(_SHORT.unpack_from(body)[0]):
            end = body.index(b"\x00", at)
            table, column, type_oid, size, modifier, form = _ROW_FIELD.unpack_from(body, end + 1)
            fields.append(Field(body[at:end].decode(errors="replace"), table, column, type_oid, size, modifier, form))
            at = end + 1 + _ROW_FIELD.size
    except (ValueError, struct.error):
        raise ProtocolError("the resource sent a malformed row description") from None
    return tuple(fields)


def read_parameter_types(body: bytes) -> tuple[int, ...]:
    """The types of ParameterDescription. Raises ProtocolError when it is malformed."""
    try:
        count = struct.unpack_from("!H", body)[0]
        return struct.unpack_from(f"!{count}I", body, 2)
    except struct.error:
        raise ProtocolError("the resource sent a malformed parameter description") from None


def with_formats(fields: tuple[Field, ...], formats: tuple[int, ...]) -> tuple[Field, ...]:
    """The fields as a portal with these result formats returns them (none: text; one: all alike)."""
    wanted = formats if len(formats) == len(fields) else (formats or (0,)) * len(fields)
    return tuple(field._replace(format=form) for field, form in zip(fields, wanted, strict=False))


def read_data_row(raw: bytes, start: int = 5) -> list[bytes | None]:
    """The values of a DataRow whose body begins at `start`. Raises ProtocolError when it is malformed."""
    values: list[bytes | None] = []
    try:
        count = _SHORT.unpack_from(raw, start)[0]
        at = start + 2
        for _ in range(count):
            length = _LENGTH.unpack_from(raw, at)[0]
            at += 4
            if length < 0:
                values.append(None)
                continue
            values.append(raw[at : at + length])
            at += length
    except struct.error:
        raise ProtocolError("the resource sent a malformed row") from None
    if at > len(raw):
        raise ProtocolError("the resource sent a malformed row")
    return values


def read_report(body: bytes) -> dict[str, str]:
    """The fields of ErrorResponse and NoticeResponse by their one-letter code."""
    return {
        part[:1].decode("latin-1"): part[1:].decode(errors="replace")
        for part in body.rstrip(b"\x00").split(b"\x00")
        if part
    }


class Complete(NamedTuple):
    """CommandComplete: the command's tag ("SELECT", "COMMIT") and the rows it counted, 0 when it counts none."""

    tag: str
    rows: int


@lru_cache(1_024)
def read_complete(body: bytes) -> Complete:
    """CommandComplete."""
    words = body.rstrip(b"\x00").decode(errors="replace").split(" ")
    counted = words[-1].isdigit()
    return Complete(" ".join(word for word in words if not word.isdigit()), int(words[-1]) if counted else 0)


def read_key(body: bytes) -> tuple[int, bytes]:
    """BackendKeyData: process number and secret."""
    if len(body) < 8:
        raise ProtocolError("the resource sent a malformed cancel key")
    return struct.unpack_from("!I", body)[0], body[4:]


def read_parameter_status(body: bytes) -> tuple[str, str]:
    """ParameterStatus: name and value."""
    name, _, value = body.rstrip(b"\x00").partition(b"\x00")
    return name.decode(errors="replace"), value.decode(errors="replace")
