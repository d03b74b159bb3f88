"""A report as a spreadsheet: a sheet for its figures and one for each table, written row by row in constant memory.

Every text goes through `core/cells.py` and is written as text: nothing an agent typed becomes a formula or a link.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter

from audit.reports.period import in_words
from audit.reports.shape import Cell, Head, Shown, Summary, cells, read, summary, table_of
from core.cells import text

ROWS = 1_048_575  # of a sheet, its heading apart
_WIDTHS = {
    "code": 60,
    "text": 28,
    "name": 26,
    "verb": 14,
    "claim": 34,
    "time": 20,
    "seconds": 12,
    "count": 12,
    "position": 12,
    "decision": 14,
    "hash": 38,
}
_PLAIN = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


def write(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    """Write the workbook of the report in `source`; `passed` hears how many rows are written."""
    options = {"constant_memory": True, "tmpdir": str(target.parent), **_PLAIN}
    with xlsxwriter.Workbook(str(target), options) as book:
        with source.open("rb") as lines:
            head, found = summary(lines, most=lambda _: 0)
        writer = _Writer(book)
        writer.first_sheet(head, found)
        with source.open("rb") as lines:
            writer.tables(read(lines), passed)


class _Writer:
    """One workbook, from left to right and from top to bottom: what is behind is written and gone."""

    def __init__(self, book: Any) -> None:  # noqa: ANN401 -- it publishes no types
        self.book = book
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.heading = book.add_format({"bold": True, "bottom": 1, "bg_color": "#ECECEA"})
        self.quiet = book.add_format({"font_color": "#474E59"})
        self.time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"})
        self.kinds = {
            "count": book.add_format({"num_format": "#,##0"}),
            "seconds": book.add_format({"num_format": '#,##0.0 "s"'}),
        }
        self.sheet: Any = None

    def first_sheet(self, head: Head, found: Summary) -> None:
        """What the report says of itself, and its figures."""
        self._begin("Report", (34, 30, 70))
        self.sheet.write_string(0, 0, text(head.title), self.title)
        self.sheet.write_string(1, 0, text(found.headline))
        for row, (label, value) in enumerate(_facts(head), start=2):
            self.sheet.write_string(row, 0, label, self.quiet)
            self.sheet.write_string(row, 1, text(value))
        first = 3 + len(_facts(head))
        self._headings(first, ("Figure", "Value", "What it means"))
        for row, figure in enumerate(found.figures, start=first + 1):
            self._put(row, 0, "text", figure.label)
            self._put(row, 1, figure.kind, figure.value)
            self._put(row, 2, "text", figure.note)

    def tables(self, parts: Iterator[dict[str, Any]], passed: Callable[[int], None]) -> None:
        """A sheet for each table, and another where one is full."""
        table, row, number, written = None, 0, 1, 0
        for part in parts:
            if "table" in part:
                table, row, number = table_of(part), 0, 1
                self._table(table, number)
            elif "row" in part and table is not None:
                if row == ROWS:
                    row, number = 0, number + 1
                    self._table(table, number)
                row, written = row + 1, written + 1
                for place, (column, value) in enumerate(
                    zip(table.columns, cells(table.columns, part["row"]), strict=True)
                ):
                    self._put(row, place, column.kind, value)
                passed(written)

    def _table(self, table: Shown, number: int) -> None:
        name = table.name.capitalize()
        self._begin(name if number == 1 else f"{name} {number}", [_WIDTHS[column.kind] for column in table.columns])
        self._headings(0, [column.title for column in table.columns])
        self.sheet.freeze_panes(1, 0)

    def _begin(self, name: str, widths: Sequence[int]) -> None:
        self.sheet = self.book.add_worksheet(name)
        for place, width in enumerate(widths):
            self.sheet.set_column(place, place, width)

    def _headings(self, row: int, titles: Sequence[str]) -> None:
        for place, title in enumerate(titles):
            self.sheet.write_string(row, place, text(title), self.heading)

    def _put(self, row: int, place: int, kind: str, value: Cell) -> None:
        if value is None or value == "":
            return
        if not isinstance(value, str):
            self.sheet.write_number(row, place, value, self.kinds.get(kind))
        elif kind == "time":
            self.sheet.write_datetime(row, place, datetime.fromisoformat(value).replace(tzinfo=None), self.time)
        else:
            self.sheet.write_string(row, place, text(value))


def _facts(head: Head) -> list[tuple[str, str]]:
    since, until = datetime.fromisoformat(head.since), datetime.fromisoformat(head.until)
    return [
        ("Organisation", head.organisation),
        ("Period", in_words(since, until)),
        ("Scope", head.scope),
        ("Asked by", head.asked_by),
        ("Made", head.made_at),
        ("Ledger", f"{head.entries} signed entries"),
        ("Checkpoint's root", head.root),
        ("Report", head.id),
    ]
