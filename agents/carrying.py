"""Agents and resources as files, CSV or JSON: what is in one, line by line, or what is wrong with it. Pure.

A file holds one thing a row, by the names of its fields; a field that a file does not have stays as it is. Secrets are in none.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

from agents.described import FIELDS as DESCRIBED
from core import cells
from core.errors import Invalid

MOST_BYTES: Final = 400_000
MOST_ROWS: Final = 2_000
FORMATS: Final = ("csv", "json")
AGENT_FIELDS: Final = ("name", "purpose", "segment", "owner", "deputy", *DESCRIBED, "public_jwk")
RESOURCE_FIELDS: Final = (
    "name", "kind", "purpose", "segment", "owner", "host", "port", "database", "path", "tls", "tls_ca", "host_key", "search_path", "role",
    "connections",
)  # fmt: skip
FIELDS: Final[Mapping[str, tuple[str, ...]]] = {"agents": AGENT_FIELDS, "resources": RESOURCE_FIELDS}


@dataclass(frozen=True)
class Row:
    """One thing as a file has it; `line` from 1, in a JSON file the number of the thing."""

    line: int
    values: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """What it is called; empty where the file does not say."""
        return str(self.values.get("name", "")).strip()


def rows_of(text: str, form: str, what: str) -> list[Row]:
    """The things in a file. Raises Invalid, which names line and field."""
    if len(text.encode()) > MOST_BYTES:
        raise Invalid("text", f"The file has more than {MOST_BYTES // 1000} kB.", "Split it.")
    text = text.replace("\r\n", "\n")  # a browser's form sends other ends of lines than a file has
    rows = _csv(text, FIELDS[what]) if form == "csv" else _json(text, FIELDS[what])
    if not rows:
        raise Invalid(
            "text", "There is nothing in the file.", "A CSV begins with a line of field names; JSON is a list."
        )
    if len(rows) > MOST_ROWS:
        raise Invalid("text", f"The file has more than {MOST_ROWS:,} rows.", "Split it.")
    _require_once(rows)
    return rows


def written(rows: Iterable[Mapping[str, Any]], form: str, what: str) -> str:
    """The things as a file that `rows_of` reads back. In a CSV nothing that anybody typed is a formula."""
    fields = FIELDS[what]
    if form == "json":
        return (
            json.dumps([{name: row[name] for name in fields if name in row} for row in rows], indent=1, default=str)
            + "\n"
        )
    return "".join(cells.csv_lines(fields, ([_cell(row.get(name)) for name in fields] for row in rows)))


def _cell(value: Any) -> cells.Value:  # noqa: ANN401 -- whatever a field holds
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return json.dumps(value) if isinstance(value, dict) else value


def _csv(text: str, fields: Sequence[str]) -> list[Row]:
    reader = csv.reader(io.StringIO(text.lstrip(cells.BOM), newline=""), strict=True)
    found: list[Row] = []
    try:
        header = [cells.typed(name).strip() for name in next(reader, [])]
        _require_known(header, fields, 1)
        found += [_csv_row(reader.line_num, header, values) for values in reader if any(map(str.strip, values))]
    except csv.Error as error:
        raise Invalid("text", f"Line {reader.line_num}: that is not CSV ({error}).", "Are all quotes closed?") from None
    return found


def _csv_row(line: int, header: Sequence[str], values: Sequence[str]) -> Row:
    if len(values) != len(header):
        raise Invalid(
            "text", f"Line {line}: {len(values)} cells under {len(header)} names.", "Quote cells with commas."
        )
    typed = dict(zip(header, map(cells.typed, values), strict=True))
    if "data_classes" in typed:
        typed["data_classes"] = [one for one in typed["data_classes"].replace(",", " ").split() if one]  # type: ignore[assignment]  # a list from here on
    if typed.get("public_jwk"):
        typed["public_jwk"] = _key(typed["public_jwk"], line)
    return Row(line, {name: value for name, value in typed.items() if name != "public_jwk" or value})


def _key(text: str, line: int) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(text)
    except ValueError:
        raise Invalid("public_jwk", f"Line {line}: the key is not JSON.", "Braces and quotes included.") from None


def _json(text: str, fields: Sequence[str]) -> list[Row]:
    try:
        things = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("text", "That is not JSON.", 'A list of objects: [{"name": …}]') from None
    if not isinstance(things, list) or not all(isinstance(thing, dict) for thing in things):
        raise Invalid("text", "That is not a list of objects.", 'As in [{"name": …}].')
    for number, thing in enumerate(things, start=1):
        _require_known(list(thing), fields, number)
    return [Row(number, thing) for number, thing in enumerate(things, start=1)]


def _require_known(names: Sequence[str], fields: Sequence[str], line: int) -> None:
    for name in names:
        if name not in fields:
            near = get_close_matches(name, fields, n=1)
            remedy = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(fields)}."
            raise Invalid("text", f"Line {line}: there is no field “{name[:40]}”.", remedy)
    if len(set(names)) != len(names):
        raise Invalid("text", f"Line {line}: a field is named twice.", "Each once.")


def _require_once(rows: Sequence[Row]) -> None:
    seen: dict[str, int] = {}
    for row in rows:
        if row.name in seen:
            raise Invalid(
                "name",
                f"Line {row.line}: {row.name or 'a nameless one'} is in line {seen[row.name]} already.",
                "Each once.",
            )
        seen[row.name] = row.line
