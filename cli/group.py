"""`narrowgate group`: make groups of people, fill them, say what they review."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.api_client import AsOption, TokenFileOption, connect
from cli.output import table
from cli.state import StateOption

group = typer.Typer(name="group", help="Groups: create, add, confirm, let review.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The group's name.")]
Person = Annotated[str, typer.Argument(help="The user name.")]
Kind = Annotated[str, typer.Argument(help="segment, resource or agent.")]
Target = Annotated[str, typer.Argument(help="Its name.")]


@group.command()
def create(name: Name, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """Make a group, whose seats policies can name."""
    connect(state, token_file, person).post("groups", {"name": name})
    typer.echo(f"There is a group {name}. Add its members, and say what it reviews.")


@group.command("list")
def list_groups(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The groups that you may see, with their members."""
    rows = connect(state, token_file, person).each("groups")
    table(("Group", "Members"), [(row["name"], ", ".join(one["person"] for one in row["memberships"])) for row in rows])


@group.command()
def add(
    name: Name, member: Person, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Add a member, who counts for what is asked from now on."""
    connect(state, token_file, person).post(f"groups/{name}/add", {"person": member})
    typer.echo(f"{member} is in {name}, for what is asked from now on.")


@group.command()
def confirm(
    name: Name, member: Person, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """Let a membership count for what was asked before, as a second administrator."""
    connect(state, token_file, person).post(f"groups/{name}/confirm", {"person": member})
    typer.echo(f"{member} counts in {name} for what was asked before, too.")


@group.command()
def remove(
    name: Name, member: Person, state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = ""
) -> None:
    """End a membership."""
    connect(state, token_file, person).post(f"groups/{name}/remove", {"person": member})
    typer.echo(f"{member} is no longer in {name}.")


@group.command("let-review")
def let_review(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    kind: Kind,
    target: Target,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Let its members review a segment, a resource or an agent."""
    connect(state, token_file, person).post(f"groups/{name}/reviews", {"kind": kind, "name": target})
    typer.echo(f"The members of {name} review what concerns {target}.")


@group.command("stop-review")
def stop_review(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    kind: Kind,
    target: Target,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """End what its members may review."""
    connect(state, token_file, person).post(f"groups/{name}/stop-review", {"kind": kind, "name": target})
    typer.echo(f"The members of {name} no longer review what concerns {target}.")
