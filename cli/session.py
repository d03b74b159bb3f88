"""`narrowgate session`: what agents are connected to, what was asked in a session, cutting a live one."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from cli.api_client import AsOption, TokenFileOption, connect
from cli.output import table
from cli.state import StateOption

session = typer.Typer(name="session", help="Sessions: list, show, cut a live one.", no_args_is_help=True)
Identifier = Annotated[UUID, typer.Argument(metavar="SESSION", help="Its identifier, as list prints it.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept in the record.")]


@session.command("list")
def list_sessions(  # noqa: PLR0917 -- typer reads options from parameters
    agent: Annotated[str, typer.Option(help="Of this agent, or of those whose names contain this.")] = "",
    resource: Annotated[str, typer.Option(help="At this resource.")] = "",
    period: Annotated[str, typer.Option(help="24h, 7d, 30d or 90d.")] = "24h",
    live: Annotated[bool, typer.Option("--live", help="Only those that are live now.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """The sessions that you may see, newest first."""
    asked = {"agent": agent, "resource": resource, "period": period, "live": "1" if live else ""}
    rows = connect(state, token_file, person).each("sessions", **{name: one for name, one in asked.items() if one})
    table(("Session", "Agent", "Resource", "Began", "Ended"), [_row(one) for one in rows])


@session.command()
def show(
    session_id: Identifier, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """One session, and what was asked in it, oldest first."""
    api = connect(state, token_file, person)
    one = api.get(f"sessions/{session_id}")
    typer.echo(f"{one['agent_name']} at {one['resource_name']} from {one['source']}, {_moment(one['began_at'])}.")
    typer.echo(_end(one))
    if one["purpose"]:
        typer.echo(f"Its claim, not checked: “{one['purpose']}”")
    asked = list(api.each("actions", session=str(session_id)))
    titles = ("Number", "Asked", "Decision", "Status", "Statement")
    table(titles, [_asked(action) for action in reversed(asked)])


@session.command()
def cut(
    session_id: Identifier,
    reason: Reason,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """End a live session: what runs in it is cancelled and its connection closed within a second."""
    said = connect(state, token_file, person).post(f"sessions/{session_id}/cut", {"reason": reason})
    typer.echo(
        f"{said['agent_name']} is cut off from {said['resource_name']}. It may connect again; to stop it, suspend it."
    )


def _row(one: dict[str, Any]) -> list[str]:
    ended = _moment(one["ended_at"]) if one["ended_at"] else "live"
    return [one["id"], one["agent_name"], one["resource_name"], _moment(one["began_at"]), ended]


def _end(one: dict[str, Any]) -> str:
    if one["cut_at"]:
        return f"Cut at {_moment(one['cut_at'])}: {one['cut_reason']}"
    return f"Ended at {_moment(one['ended_at'])}: {one['end_reason']}" if one["ended_at"] else "It is live."


def _asked(action: dict[str, Any]) -> list[str]:
    decision = "mask" if action["masked"] else action["decision"]
    return [action["number"], _moment(action["asked_at"]), decision, action["status"], action["shown"]]


def _moment(text: str) -> str:
    """A moment of the API's, to the second."""
    return f"{text[:10]} {text[11:19]}"
