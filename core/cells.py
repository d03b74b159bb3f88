"""Cells of spreadsheets: what anybody typed stays text, whatever opens the file. Pure: no Django, no I/O.

A program that opens a sheet takes a cell for a formula by its first character, and a CSV apart at the separator of its own
country. So text that begins like a formula gets an apostrophe in front, in a CSV also behind every place at which some program
would begin a cell; what cannot be seen is drawn (␀), and what is longer than a cell holds is cut, for the rest would begin
the next one. The exact text is in the JSON lines, never in a sheet. (OWASP, "CSV Injection".)
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

Value = str | int | float | Decimal | datetime | date | UUID | None
"""What a cell may be made of. Numbers stay numbers; all else is text."""

LONGEST = 32_000
"""Characters of a cell; spreadsheets hold 32,767 UTF-16 units and carry the rest into the next cell."""

BOM = "\ufeff"
"""Tells spreadsheets that a CSV is UTF-8."""

_STARTERS = frozenset("=+-@|%'")
"""Begin a formula in some program, after compatibility folding (＝ is =); the apostrophe itself, so that one taken off is one put on."""

_CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: 0x2421}
_CELL_STARTS = re.compile(r"([;\t\n])([^;\t\n]*)")
_PER_LINE = 200


def text(value: str) -> str:
    """`value` as the text of a cell that no program takes for a formula."""
    if value.isascii() and value.isprintable() and value[:1].isalnum() and len(value) <= LONGEST:
        return value  # most are, and there are millions
    drawn = value.replace("\r\n", "\n").translate(_CONTROLS).encode("utf-8", "replace").decode()
    return _guarded(_cut(drawn))


def shown(value: Value) -> str | int | float | Decimal:
    """Any value as a cell: numbers as they are, yes and no, times in ISO 8601 and UTC, the rest as safe text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, date | UUID):
        return str(value)
    return text(value)


def typed(cell: str) -> str:
    """What was typed, of a cell of a CSV made here: without the apostrophes that kept it from being a formula."""
    bare = cell[1:] if cell[:1] == "'" and _guarded(cell[1:]) == cell else cell
    return _CELL_STARTS.sub(lambda found: found[1] + _bare(found[2]), bare)


def _bare(piece: str) -> str:
    return piece[1:] if piece[:1] == "'" and _guarded(piece[1:]) == piece else piece


def csv_lines(header: Iterable[str] | None, rows: Iterable[Iterable[Value]]) -> Iterator[str]:
    """A CSV (RFC 4180, UTF-8) of `header` and `rows` in pieces, for a streaming response; holds no more than a piece.

    Without a header, the rows that follow others.
    """
    piece = io.StringIO()
    writer = csv.writer(piece, lineterminator="\r\n")
    if header is not None:
        piece.write(BOM)
        writer.writerow([_in_csv(cell) for cell in header])
    for number, row in enumerate(rows, start=1):
        writer.writerow([_in_csv(cell) for cell in row])
        if number % _PER_LINE == 0:
            yield _taken(piece)
    yield _taken(piece)


def _taken(piece: io.StringIO) -> str:
    whole = piece.getvalue()
    piece.seek(0)
    piece.truncate()
    return whole


def _in_csv(value: Value) -> str | int | float | Decimal:
    """A cell that stays text too where the separator is a semicolon or a tab, or a line's end closes a quoted cell."""
    cell = shown(value)
    if not isinstance(cell, str) or not _CELL_STARTS.search(cell):
        return cell
    return _CELL_STARTS.sub(lambda found: found[1] + _guarded(found[2]), cell)


def _guarded(value: str) -> str:
    first = next((sign for sign in value if not _blank(sign)), "")
    starts = unicodedata.normalize("NFKC", first)[:1] in _STARTERS if first else False
    return f"'{value}" if starts or value[:1] in {"\t", "\n"} else value


def _blank(sign: str) -> bool:
    """What a program may skip before it looks: spaces, quotes, and characters without a shape."""
    return sign.isspace() or sign == '"' or unicodedata.category(sign) in {"Cf", "Zs", "Cc"}


def _cut(value: str) -> str:
    if len(value) <= LONGEST // 2 or len(value.encode("utf-16-le")) // 2 <= LONGEST:
        return value
    kept = value.encode("utf-16-le")[: (LONGEST - 100) * 2].decode("utf-16-le", "ignore")
    return f"{kept}… (cut here: {len(value):,} characters in all)"
