"""Everything in one process, with the demo world or an empty console: what `script/server` runs.

Two PostgreSQL servers of our own (ours and the demo's shop), the console, the gateway's doors, the ledger's
sequencer, Celery's worker and beat. Each part is the one that production runs as a process of its own.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Annotated

import psycopg
import typer
import uvloop
from django.db.utils import Error as DatabaseError

from console import embedded, ports
from console.embedded import Cluster
from console.state_folder import StateFolder, hold
from core.errors import NarrowgateError

if TYPE_CHECKING:
    from agents.ca import ServerIdentity
    from console.database import Logins
    from ledger.signer import Signer

REPOSITORY = Path(__file__).resolve().parent.parent
DEFAULT_STATE = REPOSITORY / ".narrowgate"
TURN = 0.001
"""Seconds after which a thread of this process gives way to another that waits: a page being drawn must not keep the gate from its turn."""
DATABASE_ERRORS = (psycopg.Error, DatabaseError)


@dataclass(frozen=True)
class Doors:
    """Open sockets, so that nobody else takes a port between its choice and its use."""

    console: list[socket]
    http: list[socket]
    postgres: list[socket]
    ssh: list[socket]

    @property
    def numbers(self) -> dict[str, int]:
        """The port of each door."""
        return {name: ports.number_of(sockets) for name, sockets in vars(self).items()}


def serve(
    state: Annotated[Path, typer.Option(help="Where everything is kept.", show_default=".narrowgate")] = DEFAULT_STATE,
    port: Annotated[int | None, typer.Option(help="The console's port; 8000 or a free one otherwise.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget everything in the state folder first.")] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="No demo: an empty console, and a link for its first administrator.")
    ] = False,
) -> None:
    """Start everything, and stop it all on Ctrl-C or SIGTERM."""
    folder = hold(state)
    with folder.lock:
        if fresh:
            folder.clear()
        (folder.path / "demo.json").unlink(missing_ok=True)
        empty = folder.keep_empty() if empty else folder.is_empty
        doors = _open_doors(folder, port)
        with _clusters(folder, ("main",) if empty else ("main", "shop")) as clusters:
            _run(folder, doors, *clusters)


def _open_doors(folder: StateFolder, port: int | None) -> Doors:
    kept = folder.path / "ports.json"
    wanted = ports.last_time(kept)
    console = ports.listen(wanted["console"] if port is None else port, exactly=port is not None)
    doors = Doors(console, ports.listen(wanted["http"]), ports.listen(wanted["postgres"]), ports.listen(wanted["ssh"]))
    ports.remember(kept, doors.numbers)
    return doors


@contextlib.contextmanager
def _clusters(folder: StateFolder, names: Sequence[str]) -> Iterator[list[Cluster]]:
    """Our own PostgreSQL and, where there is a demo, its shop's: stopped whatever happens."""
    with contextlib.ExitStack() as stack:
        started = []
        for name in names:
            cluster = embedded.start(folder.path, name)
            stack.callback(cluster.stop)
            started.append(cluster)
        yield started


def _run(folder: StateFolder, doors: Doors, main: Cluster, shop: Cluster | None = None) -> None:
    """Set Django up on our cluster, then run until told to stop."""
    from console import database

    logins = database.prepare(main, database.role_passwords(folder.path / "keys" / "logins.json"))
    _set_environment(folder, doors, logins)
    import django

    django.setup()
    from console import running, static_files
    from console.demo import nothing, world
    from console.logs import configure
    from policies.queries import unsigned

    configure(level=logging.WARNING)  # this terminal is for people
    database.migrate(logins.owner)
    static_files.gather()
    identity, signer = _keys(folder)

    def ready(gateway: Mapping[str, str]) -> None:
        if shop is None:
            nothing.open_to_its_first(folder.path, doors.numbers["http"], gateway, identity.ca)
        else:
            world.open_to_visitors(folder.path, shop, doors.numbers["http"], gateway, identity.ca)
        if told := unsigned():
            typer.echo(f"\n  {told}\n")

    parts = running.Parts(doors.console, doors.http, doors.postgres, doors.ssh, identity, signer, ready)
    sys.setswitchinterval(TURN)
    uvloop.run(running.run(parts))


def _set_environment(folder: StateFolder, doors: Doors, logins: Logins) -> None:
    """What settings.py reads; a variable that is already set stays, but for what only this start can know."""
    numbers = doors.numbers
    os.environ.update(
        DJANGO_SETTINGS_MODULE="console.settings",
        NARROWGATE_STATE=str(folder.path),
        DATABASE_URL=logins.app,
        DATABASE_GATEWAY_URL=logins.gateway,
        DATABASE_SEQUENCER_URL=logins.sequencer,
        CONSOLE_URL=f"http://localhost:{numbers['console']}",
        GATEWAY_URL=f"https://localhost:{numbers['http']}",
    )
    # Mail is written to files in the state folder, unless somebody has a server for it.
    (folder.path / "mail").mkdir(mode=0o700, exist_ok=True)  # invitations hold links
    os.environ.setdefault("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
    os.environ.setdefault("SECRET_KEY", folder.secret("secret"))
    os.environ.setdefault("KEY_PASSPHRASE", folder.secret("passphrase"))


def _keys(folder: StateFolder) -> tuple[ServerIdentity, Signer]:
    """Every key that this deployment has, made at the first start and opened at each."""
    from django.conf import settings
    from django.db import connection

    from agents import ca, signing, vault_keys
    from ledger import keys as ledger_keys
    from ledger.checks import require_fences
    from policies import sealing

    require_fences(connection)
    connection.close()
    signing.signing_key()
    sealing.signer()
    vault_keys.ring()
    return ca.server_identity(folder.path / "keys", settings.KEY_PASSPHRASE), ledger_keys.signer()


def main() -> None:
    """Run the command; what is wrong is one sentence on standard error and exit status 1."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until everything runs; then `running` answers it
    command = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    command.command()(serve)
    try:
        sys.exit(command(standalone_mode=False))  # None, or 130 for an interrupt
    except (NarrowgateError, typer.TyperException, OSError, *DATABASE_ERRORS) as error:
        sys.exit(_said(error))


def _said(error: Exception) -> int:
    """Say what is wrong in one sentence; the exit status. What nobody foresaw keeps its traceback."""
    if isinstance(error, OSError) and error.errno != errno.ENOSPC:
        raise error
    sentence = str(error)
    if isinstance(error, OSError):
        sentence = "The disk is full. Free some space and start again."
    if isinstance(error, DATABASE_ERRORS):
        first = str(error).partition("\n")[0].rstrip(".")
        sentence = f"The database in the state folder refuses: {first}. Restore the folder, or start with --fresh."
    sys.stderr.write(f"script/server: {sentence}\n")
    return 1


if __name__ == "__main__":
    main()
