"""Agents and resources as files: written from the console, or brought to it after a look at what they would change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import AsOption, TokenFileOption, connect
from cli.output import table
from cli.state import StateOption
from core.errors import NarrowgateError

File = Annotated[Path, typer.Argument(help="A .csv or .json file.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


def carrying(app: typer.Typer, what: str) -> None:
    """Add `export` and `import` of `what` (agents or resources) to its commands."""

    @app.command("export", help=f"Write all {what} that are not retired as JSON: no key, no secret.")
    def export(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
        things = connect(state, token_file, person).get(f"files/{what}")["things"]
        typer.echo(json.dumps(things, indent=1))

    @app.command(
        "import",
        help=f"Say what a file would change of the {what}, and change it once you say yes: all of it or nothing.",
    )
    def bring(
        file: File,
        yes: Yes = False,
        state: StateOption = None,
        token_file: TokenFileOption = None,
        person: AsOption = "",
    ) -> None:
        api = connect(state, token_file, person)
        body = {"text": _text(file), "form": "csv" if file.suffix.lower() == ".csv" else "json"}
        said = api.post(f"files/{what}", body)
        table(
            ("Line", "Name", "What", "How"),
            [(row["line"], row["name"], row["verb"], _how(row)) for row in said["items"]],
        )
        if any(row["verb"] == "refuse" for row in said["items"]):
            raise NarrowgateError("Some rows cannot be used, so nothing is changed.", "Mend them, or leave them out.")
        if not any(row["verb"] in {"create", "change"} for row in said["items"]):
            typer.echo("Nothing would change.")
        elif yes or typer.confirm("Do it?", err=True):
            api.post(f"files/{what}", body | {"seen": said["digest"]})
            typer.echo("Done.")


def _how(row: dict[str, Any]) -> str:
    if row["verb"] == "refuse":
        return f"{row['about']}: {row['problem']} {row['remedy']}".strip()
    return "; ".join(
        f"{one['field']}: {one['before'] or 'nothing'} -> {one['after'] or 'nothing'}" for one in row["differences"]
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise NarrowgateError(f"The file {path} cannot be read.", "It has to be UTF-8 text.") from None
