"""The page that documents the command line, written from the commands themselves.

`script/docs` writes it; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer

from cli.main import commands

HEAD = """# The command line

`narrowgate`, in `.venv/bin`.

`--state DIR` (or `NARROWGATE_STATE`) names the server's state folder. Commands that change something use the console's API with a person's token: `--token-file`,
`NARROWGATE_TOKEN`, or `--as PERSON` for the demo's people. What is refused or wrong is one sentence on standard error and exit status 1.
"""


def page() -> str:
    """The page, as Markdown."""
    root = typer.main.get_command(commands)
    return HEAD + "".join(_section(name, command) for name, command in _leaves(root, "narrowgate"))


# typer's own copy of click is not public, so commands are taken for what they have.
def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for part, one in below.items():
        yield from _leaves(one, f"{name} {part}")


def _section(name: str, command: Any) -> str:  # noqa: ANN401
    parameters = [one for one in command.params if one.name != "help"]
    arguments = " ".join(
        (one.metavar or one.name or "").upper() for one in parameters if one.param_type_name == "argument"
    )
    words = " ".join((command.help or "").split())
    rows = "".join(_row(one) for one in parameters if one.param_type_name == "option")
    table = f"\n| option | |\n|---|---|\n{rows}" if rows else ""
    return f"\n## `{f'{name} {arguments}'.strip()}`\n\n{words}\n{table}"


def _row(option: Any) -> str:  # noqa: ANN401
    names = ", ".join(f"`{name}`" for name in option.opts)
    words = " ".join(str(getattr(option, "help", "") or "").split())
    return f"| {names} | {words}{' Required.' if option.required else ''} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
