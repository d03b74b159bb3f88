"""`narrowgate sql`: ask for one statement through the gate, without psql."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.state import StateOption, World, read
from cli.token import request_token
from core.errors import NarrowgateError

MOST_ROWS = 1000  # shown; the rest is counted


def sql(  # noqa: PLR0917 -- typer reads options from parameters
    agent: Annotated[str, typer.Argument(help="The agent's name, as in support.production.")],
    resource: Annotated[str, typer.Argument(help="The resource's name, as in shop.")],
    statement: Annotated[str, typer.Argument(help="The statement to ask for.")],
    purpose: Annotated[str, typer.Option(help="What it is for, in the agent's words.")] = "",
    key: Annotated[Path | None, typer.Option(help="The agent's private key (JWK).")] = None,
    state: StateOption = None,
) -> None:
    """Ask for a statement as an agent; wait if people have to approve it. Exit status 1 when it is refused."""
    world = read(state)
    token = request_token(world, agent, resource, key=key or world.key_of(agent), purpose=purpose)
    try:
        with psycopg.connect(address(world, agent, resource, token), autocommit=True) as connection:
            connection.prepare_threshold = None
            connection.add_notice_handler(_show_notice)
            _show(connection.execute(statement.encode()))
    except psycopg.Error as error:
        raise NarrowgateError(*_explained(error)) from None


def address(world: World, agent: str, resource: str, token: str) -> str:
    """The connection string: always TLS, always checked against the gate's own authority."""
    host, _, port = world.postgres.rpartition(":")
    return make_conninfo(
        host=host,
        port=port,
        user=agent,
        password=token,
        dbname=resource,
        sslmode="verify-full",
        sslrootcert=str(world.ca),
        application_name="narrowgate sql",
    )


def _show_notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    """Notices go to standard error, at once: they say that the action waits, and for whom."""
    lines = (diagnostic.message_primary, diagnostic.message_detail, diagnostic.message_hint)
    for line in filter(None, lines):
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _show(cursor: psycopg.Cursor[tuple[object, ...]]) -> None:
    """Each result as a table, or as what PostgreSQL says was done."""
    console = Console()
    while True:
        if cursor.description is None:
            console.print(cursor.statusmessage or "")
        else:
            _show_rows(console, cursor)
        if not cursor.nextset():
            return


def _show_rows(console: Console, cursor: psycopg.Cursor[tuple[object, ...]]) -> None:
    table = Table()
    for column in cursor.description or ():
        table.add_column(Text(column.name))
    for row in cursor.fetchmany(MOST_ROWS):
        table.add_row(*(Text("NULL", style="dim") if value is None else Text(str(value)) for value in row))
    console.print(table)
    console.print(f"{cursor.rowcount} row{'' if cursor.rowcount == 1 else 's'}")


def _explained(error: psycopg.Error) -> tuple[str, str]:
    """The gate's reason, or the resource's error, as a sentence and what may help."""
    message = error.diag.message_primary or str(error).strip() or "The connection to the gate was lost."
    return message, " ".join(filter(None, (error.diag.message_detail, error.diag.message_hint)))
