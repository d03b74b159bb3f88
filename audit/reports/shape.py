"""What a report is made of, and its form as JSON lines: everything is gathered into those once. Pure: no Django, no I/O.

One JSON object a line, told apart by its first key: `report` (once, first), `figure`, `chart`, `table` (a table begins: its
columns), `row` (of the table that began last). Values are exact: an agent's text is as it was recorded, masked literals aside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

FORMAT = "narrowgate-report-1"
PAGE_ROWS, PAGE_TEXT = 25, 600
"""Rows of a table, and characters of a text, that the console's page of a report shows."""

Cell = str | int | float | None
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Column:
    """A column: its key in rows, its title, and how its values read: `text`, `code`, `name`, `verb`, `claim`, `time`, `seconds`,
    `count`,
    `position`, `decision` or `hash`.
    """

    key: str
    title: str
    kind: str = "text"

    @property
    def is_number(self) -> bool:
        """Whether its values stand right."""
        return self.kind in {"count", "seconds", "position"}


@dataclass(frozen=True)
class Table:
    """A table of a report. `printed` is how many rows a page or the PDF shows, `wide` how many columns of them (0: all); the
    others are in every other format.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Row]]
    printed: int = 25
    wide: int = 0
    empty: str = "Nothing in this period."


@dataclass(frozen=True)
class Figure:
    """One number with its name; `kind` is `count` or `seconds`, `note` what it means or is held against."""

    label: str
    value: float | None
    kind: str = "count"
    note: str = ""
    bad: bool = False


@dataclass(frozen=True)
class Series:
    """One colour of a chart, by the name of its token, with a value for each label."""

    name: str
    colour: str
    values: tuple[int, ...]


@dataclass(frozen=True)
class Chart:
    """`columns` stand side by side in time, stacked by series; `bars` lie below each other."""

    title: str
    form: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    note: str = ""


@dataclass(frozen=True)
class Head:
    """What every page of a report says of itself. Times are in UTC; `entries` and `root` are those of the checkpoint it is based on."""

    id: str
    kind: str
    title: str
    organisation: str
    scope: str
    since: str
    until: str
    asked_by: str
    asked_at: str
    made_at: str
    entries: int
    root: str
    signed_at: str


@dataclass(frozen=True)
class Content:
    """A whole report before it is written: `headline` is its one sentence; the last table has a row for each thing reported,
    `total` of them.
    """

    headline: str
    total: int
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


@dataclass
class Shown:
    """A table as a page shows it: its first rows, and how many there are."""

    name: str
    title: str
    columns: list[Column]
    printed: int
    wide: int
    empty: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0

    @property
    def shown_columns(self) -> list[Column]:
        """The columns that a page has room for."""
        return self.columns[: self.wide or None]

    @property
    def more(self) -> int:
        """How many rows are not shown."""
        return self.total - len(self.rows)


@dataclass
class Summary:
    """A report as a page shows it."""

    headline: str
    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Shown] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain values, to be kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Summary:
        """What `as_json` gave."""
        tables = [
            Shown(**{**table, "columns": [Column(**column) for column in table["columns"]]}) for table in kept["tables"]
        ]
        figures = [Figure(**figure) for figure in kept["figures"]]
        return cls(kept["headline"], figures, [_chart(chart) for chart in kept["charts"]], tables)


def moment(at: datetime | None) -> str | None:
    """A time as reports say it: UTC, in milliseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(begin: datetime | None, end: datetime | None) -> float | None:
    """From `begin` to `end` in seconds; None where one of them is missing."""
    return None if begin is None or end is None else round((end - begin).total_seconds(), 3)


def lines(head: Head, content: Content) -> Iterator[tuple[str, bool]]:
    """The report's lines, each with whether it is a row of the last table."""
    yield _line({"report": FORMAT, **asdict(head), "headline": content.headline}), False
    for figure in content.figures:
        yield _line({"figure": figure.label, **_without(asdict(figure), "label")}), False
    for chart in content.charts:
        yield _line({"chart": chart.title, **_without(asdict(chart), "title")}), False
    for table in content.tables:
        said = {name: getattr(table, name) for name in ("title", "printed", "wide", "empty")}
        yield _line({"table": table.name, **said, "columns": [asdict(column) for column in table.columns]}), False
        for row in table.rows():
            yield _line({"row": row}), table is content.tables[-1]


def read(lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    """The lines' objects."""
    return (json.loads(line) for line in lines)


def summary(
    lines: Iterable[str | bytes], most: Callable[[Shown], int] = lambda table: table.printed
) -> tuple[Head, Summary]:
    """The report as a page shows it, in one pass: of each table the first rows alone are kept."""
    parts = read(lines)
    first = next(parts)
    head = Head(**_without(first, "report", "headline"))
    found = Summary(first["headline"])
    for part in parts:
        if "row" in part:
            table = found.tables[-1]
            table.total += 1
            if len(table.rows) < most(table):
                table.rows.append(part["row"])
        elif "table" in part:
            found.tables.append(table_of(part))
        elif "figure" in part:
            found.figures.append(Figure(part["figure"], **_without(part, "figure")))
        elif "chart" in part:
            found.charts.append(_chart({"title": part["chart"], **_without(part, "chart")}))
    return head, found


def for_page(lines: Iterable[str | bytes]) -> Summary:
    """What the console's own page shows: the first PAGE_ROWS rows, the columns that it has room for, texts cut."""
    _, found = summary(lines, most=lambda table: min(table.printed, PAGE_ROWS))
    for table in found.tables:
        table.columns = table.shown_columns
        keys = {column.key for column in table.columns}
        table.rows = [{key: _cut(value) for key, value in row.items() if key in keys} for row in table.rows]
    return found


def _cut(value: Cell) -> Cell:
    return value if not isinstance(value, str) or len(value) <= PAGE_TEXT else f"{value[:PAGE_TEXT]} …"


def table_of(said: Mapping[str, Any]) -> Shown:
    """The table that a line begins, without rows."""
    columns = [Column(**column) for column in said["columns"]]
    return Shown(said["table"], said["title"], columns, said["printed"], said["wide"], said["empty"])


def _chart(said: Mapping[str, Any]) -> Chart:
    series = tuple(Series(one["name"], one["colour"], tuple(one["values"])) for one in said["series"])
    return Chart(said["title"], said["form"], tuple(said["labels"]), series, said["note"])


def _line(part: Mapping[str, object]) -> str:
    return json.dumps(part, ensure_ascii=False, separators=(",", ":")) + "\n"


def _without(part: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name not in names}


def cells(columns: Sequence[Column], row: Row) -> list[Cell]:
    """The row's values in the columns' order."""
    return [row.get(column.key) for column in columns]
