"""The `narrowgate` command: for agents, auditors and pipelines."""

from __future__ import annotations

import os
import sys

import typer

from cli.agent import agent
from cli.group import group
from cli.person import person
from cli.policy import policy
from cli.report import report
from cli.resource import resource
from cli.segment import segment
from cli.session import session
from cli.sql import sql
from cli.ssh_cert import ssh_cert
from cli.state import STATE_VARIABLE, StateOption
from cli.token import proof, token
from cli.verify import verify
from cli.witness import witness
from core.errors import NarrowgateError

commands = typer.Typer(
    name="narrowgate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (token, proof, sql, ssh_cert, verify, witness):
    commands.command()(command)
for commands_of in (agent, segment, resource, policy, person, group, session, report):
    commands.add_typer(commands_of)


@commands.callback()
def choose(state: StateOption = None) -> None:
    """Ask through the gate as an agent; bring agents, resources and policies of your own; verify what was recorded."""
    if state is not None:
        os.environ[STATE_VARIABLE] = str(state)


def app() -> None:
    """Run the command; what is refused or wrong is one sentence on standard error and exit status 1."""
    try:
        commands()
    except NarrowgateError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
