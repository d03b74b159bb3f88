"""Tries a registered resource with its login from the vault, and looks at what its columns may hold."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg
from django.db import transaction
from psycopg import sql

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject
from agents.connection_test import Place, Stopped, Tried, attempt, connected
from agents.models import Resource, ResourceSecret
from agents.other_tests import attempt_other
from agents.scan import Column, Suggestion, suggest
from agents.vault import Login, open_secret
from core.errors import NarrowgateError, NotFound
from ledger.events import Event
from ledger.write import record

Use = ResourceSecret.Use
SAMPLED = 100  # rows of each table
LONGEST_VALUE = 120  # characters of each value that are looked at
MOST_TABLES = 200
COLUMNS = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1, 2, a.attnum
"""


@dataclass(frozen=True)
class Scan:
    """What a scan found: columns that are not tagged yet, and the tables it could not read."""

    tables: int
    columns: int
    suggestions: tuple[Suggestion, ...]
    unread: tuple[str, ...]


def check_connection(resource_id: UUID, *, actor: User) -> Tried:
    """Try the resource: a database with the login that actions run with, anything else without its secret. Leaves an entry.

    Raises Refused, NotFound (no such resource, or no login stored).
    """
    require_role(actor, Role.ENGINEER)
    other = Resource.objects.filter(id=resource_id, retired_at=None).exclude(kind=Resource.Kind.POSTGRES).first()
    if other is not None:
        tried = attempt_other(other)
        _note(other, actor, "", "connection test", tried.code, Event.RESOURCE_TRIED)
        return tried
    resource, login = _opened(resource_id, actor, Use.ACTIONS)
    tried = attempt(place_of(resource), login)
    _note(resource, actor, Use.ACTIONS, "connection test", tried.code)
    return tried


def scan_columns(resource_id: UUID, *, actor: User) -> Scan:
    """Look at the columns that have no tag yet, with the reading login where there is one. Leaves an entry.

    Values are looked at here and forgotten. Raises Refused, NotFound, NarrowgateError (no connection, in words).
    """
    require_role(actor, Role.ENGINEER)
    if Resource.objects.filter(id=resource_id).exclude(kind=Resource.Kind.POSTGRES).exists():
        raise NotFound("Only databases have columns.")
    use = Use.READING if ResourceSecret.objects.filter(resource=resource_id, use=Use.READING).exists() else Use.ACTIONS
    resource, login = _opened(resource_id, actor, use)
    try:
        with connected(place_of(resource), login) as connection:
            found = _scan(connection, _tagged(resource))
    except Stopped as stopped:
        _note(resource, actor, use, "column scan", stopped.said.code)
        raise NarrowgateError(stopped.said.says, stopped.said.remedy) from None
    except psycopg.Error:
        _note(resource, actor, use, "column scan", "failed")
        raise NarrowgateError(f"{resource.name} did not let its columns be read.", "Test the connection.") from None
    _note(resource, actor, use, "column scan", "ok")
    return found


def place_of(resource: Resource) -> Place:
    """Where `resource` is."""
    on = resource.tls != "off"
    return Place(resource.host, resource.port, resource.database, on, resource.tls_ca, resource.role)


def _opened(resource_id: UUID, actor: User, use: str) -> tuple[Resource, Login]:
    require_role(actor, Role.ENGINEER)
    resource = Resource.objects.filter(id=resource_id, retired_at=None).first()
    if resource is None:
        raise NotFound("There is no such resource.")
    return resource, open_secret(resource, use)


def _note(  # noqa: PLR0917 -- one line a call
    resource: Resource, actor: User, use: str, what_for: str, outcome: str, event: Event = Event.SECRET_USED
) -> None:
    """The vault was opened for a person's errand, or a resource was tried without: that is an entry, whatever came of it."""
    details = {"use": str(use), "for": what_for, "outcome": outcome} if use else {"outcome": outcome}
    with transaction.atomic():
        record(event, actor=actor_of(actor), subject=resource_subject(resource), details=details)


def _tagged(resource: Resource) -> set[tuple[str, str, str]]:
    return set(resource.tags.values_list("schema", "table", "column"))


def _scan(connection: psycopg.Connection[tuple[str, ...]], tagged: set[tuple[str, str, str]]) -> Scan:
    tables: dict[tuple[str, str], list[Column]] = {}
    for schema, table, name, kind in connection.execute(COLUMNS):
        tables.setdefault((schema, table), []).append(Column(schema, table, name, kind))
    suggestions: list[Suggestion] = []
    unread: list[str] = []
    for number, ((schema, table), columns) in enumerate(tables.items()):
        fresh = [column for column in columns if (schema, table, column.name) not in tagged]
        samples = _sample(connection, fresh) if fresh and number < MOST_TABLES else None
        if samples is None and fresh:
            unread.append(f"{schema}.{table}")
        values = samples or [[] for _ in fresh]
        suggestions += filter(None, map(suggest, fresh, values))
    return Scan(len(tables), sum(map(len, tables.values())), tuple(suggestions), tuple(unread))


def _sample(connection: psycopg.Connection[tuple[str, ...]], columns: list[Column]) -> list[list[str | None]] | None:
    """The beginning of some rows' values as text, a list for each column; None where the table cannot be read."""
    texts = [
        sql.SQL("left({}::text, {})").format(sql.Identifier(column.name), sql.Literal(LONGEST_VALUE))
        for column in columns
    ]
    query = sql.SQL("SELECT {} FROM {} LIMIT {}").format(
        sql.SQL(", ").join(texts), sql.Identifier(columns[0].schema, columns[0].table), sql.Literal(SAMPLED)
    )
    try:
        rows = connection.execute(query).fetchall()
    except psycopg.Error:
        return None
    return [[row[place] for row in rows] for place in range(len(columns))]
