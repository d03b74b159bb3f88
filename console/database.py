"""Our own database: its four logins, its migrations, and who may touch which table.

The logins are fences, not the proof: the owner changes tables, the app and the gateway read and write rows,
the sequencer writes the ledger. None is a superuser, and none of the last three owns anything.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from console.database_url import database_from
from console.embedded import Cluster
from core.errors import NarrowgateError

DATABASE = "narrowgate"
OWNER = "narrowgate_owner"
APP = "narrowgate_app"
GATEWAY = "narrowgate_gateway"
SEQUENCER = "narrowgate_sequencer"
ROLES = (OWNER, APP, GATEWAY, SEQUENCER)
WRITERS = (APP, GATEWAY)
Strategy = Literal["WAL_LOG", "FILE_COPY"]
LEDGER_PREFIX = "ledger_"  # the ledger's own migrations say who may do what to its tables


@dataclass(frozen=True)
class Logins:
    """A connection URL for each login."""

    owner: str
    app: str
    gateway: str
    sequencer: str


def role_passwords(path: Path) -> dict[str, str]:
    """The logins' passwords, made once and kept in `path` (mode 0600)."""
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump({role: secrets.token_urlsafe(32) for role in ROLES}, file)
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {role: str(kept[role]) for role in ROLES}
    except (OSError, ValueError, KeyError) as error:
        raise NarrowgateError(f"The file {path} cannot be used ({error}).", "Restore it, or delete it.") from None


def prepare(cluster: Cluster, passwords: dict[str, str], *, database: str = DATABASE) -> Logins:
    """Make the logins and the database where missing; everything else stays as it is."""
    with psycopg.connect(cluster.admin_dsn(), autocommit=True) as admin:
        for role in ROLES:
            _ensure_role(admin, role, passwords[role])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            create_database(admin, database)
    return logins(cluster, passwords, database)


def logins(cluster: Cluster, passwords: dict[str, str], database: str = DATABASE) -> Logins:
    """The connection URLs of `database`'s logins."""
    return Logins(*(cluster.dsn(role, passwords[role], database) for role in ROLES))


def _ensure_role(admin: psycopg.Connection, role: str, password: str) -> None:
    """A login that may do nothing but log in, with the password of this state folder."""
    verb = "ALTER" if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() else "CREATE"
    statement = "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD {}"
    admin.execute(sql.SQL(statement).format(sql.SQL(verb), sql.Identifier(role), sql.Literal(password)))


def create_database(
    admin: psycopg.Connection, name: str, *, template: str = "template0", strategy: Strategy = "WAL_LOG"
) -> None:
    """Create database `name`, owned by the owner, closed to everybody but the four logins; `strategy` is PostgreSQL's."""
    database, roles = sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, ROLES))
    create = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY {}")
    admin.execute(create.format(database, sql.Identifier(OWNER), sql.Identifier(template), sql.SQL(strategy)))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, roles))


def drop_database(admin: psycopg.Connection, name: str) -> None:
    """Drop database `name`, ending whatever is connected to it."""
    admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def migrate(owner_dsn: str) -> None:
    """Bring the tables up to date as the owner, then grant the others their part."""
    with django_on(owner_dsn):
        call_command("migrate", verbosity=0, interactive=False)
    with psycopg.connect(owner_dsn) as owner:
        grant(owner)


@contextmanager
def django_on(dsn: str) -> Iterator[None]:
    """Point Django's connection at `dsn`, in every thread, until the block ends."""
    settings = connections.settings["default"]
    before = dict(settings)
    connections.close_all()
    settings.update(database_from(dsn))
    try:
        yield
    finally:
        connections.close_all()
        settings.clear()
        settings.update(before)


def hang_up() -> None:
    """Close the connections that the threads of this process share; whoever asks next opens others."""
    postgres: Any = connections["default"]  # whose own method this is
    postgres.close_pool()


def grant(owner: psycopg.Connection) -> None:
    """Rows of every table but the ledger's to the app and the gateway; never TRUNCATE, never a definition."""
    writers = sql.SQL(", ").join(map(sql.Identifier, WRITERS))
    everybody = sql.SQL(", ").join(map(sql.Identifier, (*WRITERS, SEQUENCER)))
    owner.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(everybody))
    owner.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    for kind, name in _relations(owner):
        rights = "SELECT, USAGE" if kind == "S" else "SELECT, INSERT, UPDATE, DELETE"
        what = "SEQUENCE" if kind == "S" else "TABLE"
        if name == "django_migrations":
            rights = "SELECT"
        statement = sql.SQL("GRANT {} ON {} public.{} TO {}")
        owner.execute(statement.format(sql.SQL(rights), sql.SQL(what), sql.Identifier(name), writers))


def _relations(owner: psycopg.Connection) -> list[tuple[str, str]]:
    """(kind, name) of the owner's tables and sequences outside the ledger."""
    rows = owner.execute(
        "SELECT relkind::text, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p', 'S', 'v') AND NOT starts_with(relname, %s) ORDER BY relname",
        [LEDGER_PREFIX],
    )
    return [(kind, name) for kind, name in rows]
