"""`narrowgate report`: have a report made, see how far it is, take its files away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from cli.api_client import Api, AsOption, TokenFileOption, connect
from cli.output import table
from cli.state import StateOption
from core.errors import NarrowgateError

report = typer.Typer(name="report", help="Reports: make, list, take away.", no_args_is_help=True)
EVERY: Final = 0.5
"""Seconds between two looks at how far a report is."""
UNFINISHED: Final = {"queued", "making"}
Kind = Annotated[str, typer.Argument(help="oversight, access, incidents or integrity.")]
Identifier = Annotated[UUID, typer.Argument(metavar="REPORT", help="Its identifier, as list prints it.")]


@report.command()
def make(  # noqa: PLR0917 -- typer reads options from parameters
    kind: Kind,
    period: Annotated[
        str, typer.Option(help="24h, 7d, 30d, 90d, month, quarter; or custom, with --first and --last.")
    ] = "30d",
    first: Annotated[str, typer.Option(help="The first day, as in 2026-10-01.")] = "",
    last: Annotated[str, typer.Option(help="The last day, included.")] = "",
    scope: Annotated[str, typer.Option(help="all, segment, agent or resource.")] = "all",
    name: Annotated[str, typer.Option(help="Which segment, agent or resource.")] = "",
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="pdf, xlsx, csv, zip; may be given more than once. All of them."),
    ] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Have a report made and wait until it is. Whoever stops waiting finds it with list."""
    api = connect(state, token_file, person)
    days = {day: given for day, given in (("first", first), ("last", last)) if given}
    body = {"kind": kind, "period": period, "scope": scope, "name": name, **days}
    asked = api.post("reports", {**body, "formats": format_} if format_ else body)
    _say(_wait(api, asked))


def _say(made: dict[str, Any]) -> None:
    """Say what it came to. Raises NarrowgateError where it did not."""
    if made["status"] != "ready":
        raise NarrowgateError(f"The report is {made['status']}. {made['why']}".strip())
    typer.echo(made["headline"])
    if made["why"]:
        typer.echo(made["why"], err=True)
    typer.echo(f"Take it away: narrowgate report download {made['id']}")


@report.command()
def entries(  # noqa: PLR0917 -- typer reads options from parameters
    format_: Annotated[
        list[str],
        typer.Option("--format", help="zip (a package of evidence), ocsf, jsonl, csv; may be given more than once."),
    ],
    find: Annotated[str, typer.Option(help="Words, or the identifier of a session, an action or a hold.")] = "",
    event: Annotated[str, typer.Option(help="An event, as in hold:approved.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it.")] = "",
    agent: Annotated[str, typer.Option(help="An agent.")] = "",
    resource: Annotated[str, typer.Option(help="A resource.")] = "",
    since: Annotated[str, typer.Option(help="From when, as in 2026-10-01T00:00; UTC unless it says otherwise.")] = "",
    until: Annotated[str, typer.Option(help="Until when.")] = "",
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Have entries of the ledger made into files and wait until they are: all of a time, or what the filters find."""
    api = connect(state, token_file, person)
    filters = {
        "q": find,
        "event": event,
        "actor": actor,
        "agent": agent,
        "resource": resource,
        "since": since,
        "until": until,
    }
    body = {name: value for name, value in filters.items() if value}
    _say(_wait(api, api.post("reports/entries", {**body, "formats": format_})))


@report.command("list")
def list_reports(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The reports, newest first."""
    rows = connect(state, token_file, person).each("reports")
    titles = ("Report", "Kind", "From", "To", "About", "Status", "Asked by")
    table(titles, [_row(one) for one in rows])


@report.command()
def download(  # noqa: PLR0917 -- typer reads options from parameters
    report_id: Identifier,
    format_: Annotated[
        list[str] | None, typer.Option("--format", help="pdf, xlsx, csv, jsonl, zip; may be given more than once.")
    ] = None,
    into: Annotated[Path, typer.Option(help="The folder to put it into.")] = Path(),
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Take a report's files away, all of them unless said. Each is checked against the hash that the ledger states."""
    api = connect(state, token_file, person)
    files = {file["format"]: file for file in api.get(f"reports/{report_id}")["files"]}
    missing = [one for one in format_ or () if one not in files]
    if missing or not files:
        has = f"It has {', '.join(files)}." if files else "It is not made, or its files were removed."
        raise NarrowgateError(f"The report has no {missing[0] if missing else 'files'}.", has)
    for one in format_ or files:
        path = into / Path(files[one]["name"]).name
        api.download(f"reports/{report_id}/files/{one}", path, sha256=files[one]["sha256"])
        typer.echo(path)


def _wait(api: Api, asked: dict[str, Any]) -> dict[str, Any]:
    """The report once it is made or will not be; meanwhile a terminal shows how far it is."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("Waiting to be made", total=1.0)
        while asked["status"] in UNFINISHED:
            time.sleep(EVERY)
            asked = api.get(f"reports/{asked['id']}/progress")
            shown.update(bar, completed=asked["progress"], description=asked["doing"] or "Waiting to be made")
    made: dict[str, Any] = api.get(f"reports/{asked['id']}")
    return made


def _row(one: dict[str, Any]) -> list[str]:
    about = "everything" if one["scope"] == "all" else f"{one['scope']} {one['name']}"
    how_far = f" {one['progress']:.0%}" if one["status"] == "making" else ""
    status = f"{one['status']}{how_far}"
    return [one["id"], one["kind"], one["since"][:16], one["until"][:16], about, status, one["asked_by"]]
