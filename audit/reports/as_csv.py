"""A report as CSV: the rows of its last table, one for each thing reported. Reads JSON lines, holds a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from audit.reports.shape import Column, cells, read
from core.cells import csv_lines


def write(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    """Write the CSV of the report in `source`; `passed` hears how many rows are written."""
    with source.open("rb") as lines, target.open("w", encoding="utf-8", newline="") as file:
        columns = _last_columns(source)
        rows = _rows(read(lines), len(_tables(source)), columns, passed)
        file.writelines(csv_lines([column.title for column in columns], rows))


def _tables(source: Path) -> list[list[Column]]:
    with source.open("rb") as lines:
        marks = (part for part in read(line for line in lines if line.startswith(b'{"table"')))
        return [[Column(**column) for column in part["columns"]] for part in marks]


def _last_columns(source: Path) -> list[Column]:
    return _tables(source)[-1]


def _rows(
    parts: Iterator[dict[str, Any]], tables: int, columns: Sequence[Column], passed: Callable[[int], None]
) -> Iterator[list[Any]]:
    number = 0
    for part in parts:
        if "table" in part:
            tables -= 1
        elif "row" in part and not tables:
            number += 1
            passed(number)
            yield cells(columns, part["row"])
