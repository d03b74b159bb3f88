"""`narrowgate segment`: make a micro-perimeter, and say which group reviews in it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.api_client import AsOption, TokenFileOption, connect, given
from cli.output import table
from cli.state import StateOption

segment = typer.Typer(
    name="segment", help="Segments: create, list, change, retire, let a group review.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="The segment's name.")]


@segment.command()
def create(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    purpose: Annotated[str, typer.Option(help="What meets in it.")] = "",
    production: Annotated[bool, typer.Option(help="A second person activates each agent in it.")] = False,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Make a segment, as a platform engineer."""
    said = connect(state, token_file, person).post(
        "segments", {"name": name, "purpose": purpose, "production": production}
    )
    typer.echo(f"There is a segment {said['name']}. Nobody reviews in it until an administrator lets a group.")


@segment.command("list")
def list_segments(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """The segments that you may see."""
    rows = connect(state, token_file, person).each("segments")
    table(("Segment", "Purpose"), [(row["name"], row["purpose"]) for row in rows])


@segment.command()
def crossings(state: StateOption = None, token_file: TokenFileOption = None, person: AsOption = "") -> None:
    """What may cross between segments, or stay inside one, by the policies in force."""
    rows = connect(state, token_file, person).get("crossings")
    words = ("allowed", "held", "resources", "policies")
    table(
        ("From", "To", "Agents", "Allowed", "Held", "At", "Policies"),
        [[row["begins"], row["ends"], row["agents"], *(", ".join(row[word]) for word in words)] for row in rows],
    )


@segment.command("let-review")
def let_review(
    name: Name,
    group: Annotated[str, typer.Argument(help="The group of people who may review what is asked in it.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Let a group's members review in a segment, as an administrator."""
    connect(state, token_file, person).post(f"segments/{name}/reviewers", {"group": group})
    typer.echo(f"The members of {group} review what is asked in {name}.")


@segment.command()
def change(  # noqa: PLR0917 -- typer reads options from parameters
    name: Name,
    purpose: Annotated[str | None, typer.Option(help="What meets in it.")] = None,
    production: Annotated[
        bool | None, typer.Option(help="A second person activates each agent; an administrator takes it back.")
    ] = None,
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """Change what a segment is for, or whether it is of production. Its name stays: policies name it."""
    said = connect(state, token_file, person).patch(f"segments/{name}", given(purpose=purpose, production=production))
    typer.echo(f"{said['name']}{', of production' if said['production'] else ''}: {said['purpose']}")


@segment.command()
def retire(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the record.")],
    state: StateOption = None,
    token_file: TokenFileOption = None,
    person: AsOption = "",
) -> None:
    """End an empty segment for good."""
    said = connect(state, token_file, person).post(f"segments/{name}/retire", {"reason": reason})
    typer.echo(f"{said['name']} is retired.")
