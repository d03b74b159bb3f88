"""`narrowgate person`: invite people, change what they may do, link accounts, close and open them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.api_client import AsOption, TokenFileOption, connect
from cli.output import table
from cli.state import StateOption

person = typer.Typer(name="person", help="People: invite, roles, link, deactivate.", no_args_is_help=True)
Username = Annotated[str, typer.Argument(help="The user name.")]


@person.command()
def invite(  # noqa: PLR0917 -- typer reads options from parameters
    username: Username,
    name: Annotated[str, typer.Option(help="What others call them.")],
    email: Annotated[str, typer.Option(help="Where their invitation is mailed.")],
    role: Annotated[list[str] | None, typer.Option(help="A role; may be given more than once.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group; may be given more than once.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    as_person: AsOption = "",
) -> None:
    """Make an account, and print the link with which its password is set, once."""
    body = {"username": username, "name": name, "email": email, "roles": role or [], "groups": group or []}
    _print_link(connect(state, token_file, as_person).post("people", body))


@person.command("new-link")
def new_link(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Give somebody a new way in: what let them in before ends."""
    _print_link(connect(state, token_file, as_person).post(f"people/{username}/invitation"))


@person.command("list")
def list_people(state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = "") -> None:
    """The people that you may see."""
    rows = connect(state, token_file, as_person).each("people")
    table(("User name", "Name", "Status", "Roles", "Groups"), [_row(one) for one in rows])


@person.command()
def roles(
    username: Username,
    role: Annotated[list[str] | None, typer.Argument(help="Their roles from now on; none takes all away.")] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    as_person: AsOption = "",
) -> None:
    """Replace somebody's roles. Making or dismissing an administrator waits for a second one."""
    said = connect(state, token_file, as_person).patch(f"people/{username}", {"roles": role or []})
    typer.echo(f"{username} has {', '.join(said['roles']) or 'no role'}.")
    if said["waits_for"]:
        typer.echo("A second administrator has yet to confirm: " + ", ".join(said["waits_for"]) + ".")


@person.command()
def link(
    username: Username,
    other: Annotated[str, typer.Argument(help="The user name of the other account.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    as_person: AsOption = "",
) -> None:
    """Say that two accounts are of one person, who then counts once."""
    connect(state, token_file, as_person).post(f"people/{username}/link", {"other": other})
    typer.echo(f"{username} and {other} are one person.")


@person.command()
def unlink(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Ask that an account counts as a person of its own; a second administrator confirms."""
    connect(state, token_file, as_person).post(f"people/{username}/unlink")
    typer.echo(f"{username} counts as a person of their own once a second administrator confirms.")


@person.command()
def erase(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Ask that a closed account's name and address are destroyed, in the ledger too; a second administrator confirms."""
    connect(state, token_file, as_person).post(f"people/{username}/erase")
    typer.echo(f"{username} is erased once a second administrator confirms.")


@person.command()
def deactivate(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Close an account: its sessions and API tokens end now."""
    said = connect(state, token_file, as_person).post(f"people/{username}/deactivate")
    typer.echo(f"{username} is deactivated.")
    if said["owns"]:
        typer.echo(f"Still theirs: {', '.join(said['owns'])}. Name another owner.")


@person.command()
def reactivate(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Open a closed account again; its memberships begin anew."""
    connect(state, token_file, as_person).post(f"people/{username}/reactivate")
    typer.echo(f"{username} can sign in again.")


@person.command("confirm")
def confirm_change(
    username: Username, state: StateOption = None, token_file: TokenFileOption = None, as_person: AsOption = ""
) -> None:
    """Confirm, as a second administrator, every change of somebody that waits for one."""
    api = connect(state, token_file, as_person)
    waiting = [one for one in api.each("changes") if one["person"] == username]
    for one in waiting:
        api.post(f"changes/{one['id']}/confirm")
        typer.echo(f"{one['kind']} of {username} is confirmed.")
    if not waiting:
        typer.echo(f"Nothing of {username} waits.")


def _print_link(said: dict[str, Any]) -> None:
    typer.echo(f"{said['person']['username']} sets a password here, once, until {said['expires_at']}:")
    typer.echo(said["link"])


def _row(one: dict[str, Any]) -> list[str]:
    groups = [membership["group"] for membership in one["memberships"]]
    return [one["username"], one["name"], one["status"], ", ".join(one["roles"]), ", ".join(groups)]
