"""Tables as the command line prints them: for people in a terminal, tab-separated for programs in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their titles; in a pipe without titles, each row a line."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(_plain(cell) for cell in row))
        return
    drawn = Table(*titles, box=None, padding=(0, 2), header_style="dim")
    for row in rows:
        drawn.add_row(*(Text(_plain(cell)) for cell in row))
    Console().print(drawn)


def may_do(lines: Iterable[Mapping[str, Any]]) -> None:
    """Print what may be done, as the API's lines say it."""
    table(
        ("Resource", "Outcome", "Verbs", "On", "Waits for", "Masked", "Policies"),
        [
            [line["resource"], line["outcome"], *map(", ".join, (line["verbs"], line["objects"])), line["requirement"],
             *map(", ".join, (line["masked"], line["policies"]))]
            for line in lines
        ],
    )  # fmt: skip


def _plain(cell: object) -> str:
    """Without characters that would steer the terminal or break the row."""
    text = "" if cell is None else str(cell)
    return "".join(letter if letter.isprintable() else " " for letter in text)
