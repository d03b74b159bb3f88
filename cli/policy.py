"""`narrowgate policy`: policy as code, from files to what is in force."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.api_client import Api, AsOption, TokenFileOption, connect
from cli.output import table
from cli.policy_files import Bundle, gather
from cli.state import StateOption
from core.errors import NarrowgateError

policy = typer.Typer(
    name="policy",
    help="Policies: check, diff, push, approve, activate, roll back.",
    no_args_is_help=True,
)
Files = Annotated[list[Path], typer.Argument(help="Cedar files, or folders of them: together the whole text.")]
Number = Annotated[int, typer.Argument(help="The version's number.")]


@policy.command()
def check(files: Files, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """Say everything that is wrong with the files, by line. Exit status 0 only if nothing is."""
    problems = _problems(connect(state, token_file, person), gather(files))
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    typer.echo("Nothing is wrong.")


@policy.command()
def diff(
    files: Files,
    against: Annotated[int | None, typer.Option(help="The version to compare with; the active one otherwise.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """What would change. Exit status 0 if nothing would, 1 if something would."""
    api, bundle = connect(state, token_file, person), gather(files)
    number, text = _version(api, against)
    lines = list(
        difflib.unified_diff(
            text.splitlines(),
            bundle.text.splitlines(),
            f"version {number}" if number else "nothing",
            "files",
            lineterm="",
        )
    )
    for line in lines:
        typer.echo(line)
    raise typer.Exit(1 if lines else 0)


@policy.command()
def push(  # noqa: PLR0917 -- typer reads options from parameters
    files: Files,
    note: Annotated[str, typer.Option(help="What changes, and why.")] = "",
    first: Annotated[bool, typer.Option("--first", help="Put the very first version in force at once.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Propose the files as the next version. Somebody else approves it; then it is activated."""
    api, bundle = connect(state, token_file, person), gather(files)
    problems = _problems(api, bundle)
    if problems:
        raise NarrowgateError("\n".join(problems))
    body = {"text": bundle.text, "note": note}
    if first:
        typer.echo(f"Version {api.post('policies/install', body)['number']} is in force.")
        return
    number = api.post("policies", body)["number"]
    api.post(f"policies/{number}/propose")
    typer.echo(f"Version {number} is proposed. Somebody else approves it: narrowgate policy approve {number}")


@policy.command()
def approve(
    number: Number, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Approve a proposed version that somebody else wrote."""
    connect(state, token_file, person).post(f"policies/{number}/approve")
    typer.echo(f"Version {number} is approved. It comes into force with: narrowgate policy activate {number}")


@policy.command()
def activate(
    number: Number, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Put an approved version in force."""
    connect(state, token_file, person).post(f"policies/{number}/activate")
    typer.echo(f"Version {number} is in force.")


@policy.command()
def rollback(
    number: Number,
    reason: Annotated[str, typer.Option(help="What went wrong; it is in the ledger for good.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Put an earlier version back in force."""
    connect(state, token_file, person).post(f"policies/{number}/rollback", {"reason": reason})
    typer.echo(f"Version {number} is in force again.")


@policy.command("list")
def list_versions(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The versions, newest first."""
    rows = connect(state, token_file, person).each("policies")
    fields = ("number", "status", "author", "approved_by", "note")
    table(("Version", "Status", "Author", "Approved by", "Note"), [[row[field] for field in fields] for row in rows])


@policy.command()
def show(
    number: Annotated[int | None, typer.Argument(help="The version's number; the active one otherwise.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Print a version's text."""
    typer.echo(_version(connect(state, token_file, person), number)[1], nl=False)


def _problems(api: Api, bundle: Bundle) -> list[str]:
    found = api.post("policies/check", {"text": bundle.text})["problems"]
    return [f"{bundle.place(one['line'])}: {one['reason']} {one['suggestion']}".rstrip() for one in found]


def _version(api: Api, number: int | None) -> tuple[int, str]:
    """A version's number and text; of the active one without a number; 0 and nothing where none is active."""
    if number is None:
        found: dict[str, Any] | None = next(api.each("policies", status="active"), None)
    else:
        found = api.get(f"policies/{number}")
    return (found["number"], found["text"]) if found else (0, "")
