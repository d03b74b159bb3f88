"""Load a `Catalog` from a database, over the gate's own login there."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.postgres import catalog_queries as queries
from gateway.postgres.catalog import (
    FIRST_USER_OID,
    Cast,
    Catalog,
    Column,
    Relation,
    Routine,
    Tag,
    UserType,
    digest_of,
)

Row = tuple[str | None, ...]


class Connection(Protocol):
    """Anything that runs one statement and gives its rows as text."""

    async def fetch(self, sql: str) -> list[Row]:
        """The rows of `sql`, each value as PostgreSQL writes it."""
        ...


async def load(
    connection: Connection,
    *,
    tags: Mapping[tuple[str, str, str], Tag] | None = None,
    role: str | None = None,
) -> Catalog:
    """The database behind `connection`, with `tags` named by (schema, table, column).

    Names are resolved as for `role`, the one that agents' statements run as, with the search path that the connection
    has; without it, as for the connection's own. The path is emptied while view definitions are read, so that every
    name in them is written in full, and restored afterwards.
    """
    database, effective = await searched(connection, role)
    await connection.fetch(queries.EMPTY_PATH)
    try:
        texts = {name: await connection.fetch(sql) for name, sql in queries.ALL.items()}
    finally:
        await connection.fetch(queries.RESTORE_PATH)
    rows = {name: [json.loads(str(row[0])) for row in found] for name, found in texts.items()}
    return _assembled(database, effective, rows, tags or {})


async def searched(connection: Connection, role: str | None) -> tuple[str, tuple[str, ...]]:
    """The database, and the schemas that are searched in it for `role` (`load`)."""
    database, path, user = (str(value) for value in (await connection.fetch(queries.SESSION))[0])
    return database, await _effective(connection, path, role or user)


async def _effective(connection: Connection, path: str, role: str) -> tuple[str, ...]:
    """The schemas that are searched, in order, as current_schemas(true) has them for `role`."""
    literal = "'" + role.replace("'", "''") + "'"
    usable = {json.loads(str(row[0])) for row in await connection.fetch(queries.USABLE.format(role=literal))}
    named = [role if schema == "$user" else schema for schema in schemas_of(path)]
    searched = [schema for schema in dict.fromkeys(named) if schema in usable]
    return tuple(searched if "pg_catalog" in searched else ["pg_catalog", *searched])


_SCHEMA = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^",\s]+))\s*(?:,|$)')


def schemas_of(path: str) -> list[str]:
    """The schemas that a value of `search_path` names, quoting resolved."""
    return [quoted.replace('""', '"') if quoted else plain.lower() for quoted, plain in _SCHEMA.findall(path)]


@dataclass(frozen=True)
class _Types:
    """How the types of columns and arguments lead to types that are not PostgreSQL's own."""

    user: dict[int, Any]

    def needs(self, oids: Iterable[int]) -> frozenset[int]:
        """The user types behind `oids`: elements of arrays, bases of domains; enums behave as PostgreSQL's own."""
        return frozenset(found for oid in oids if (found := self._root(oid)))

    def _root(self, oid: int) -> int | None:
        while oid >= FIRST_USER_OID and oid in self.user:
            held = self.user[oid]
            following = held["base"] or held["element"]
            if not following:
                return None if held["kind"] == "e" else oid
            oid = following
        return None


def _assembled(
    database: str, path: tuple[str, ...], rows: Mapping[str, list[Any]], tags: Mapping[tuple[str, str, str], Tag]
) -> Catalog:
    types = _Types({row["oid"]: row for row in rows["types"]})
    relations = [_relation(row, types) for row in rows["relations"]]
    return Catalog(
        database=database,
        search_path=path,
        relations={(relation.schema, relation.name): relation for relation in relations},
        functions=_by_name(_routine(row, types) for row in rows["functions"]),
        operators=_by_name(_routine(row, types) for row in rows["operators"]),
        user_types=_types_by_name(rows["types"]),
        casts=tuple(Cast(row["source"], row["target"], row["name"], row["context"]) for row in rows["casts"]),
        system_types=frozenset(rows["system_types"]),
        system_functions=frozenset(rows["system_functions"]),
        inherits=tuple((row["child"], row["parent"]) for row in rows["inherits"]),
    ).with_tags(tags)


def _relation(row: Mapping[str, Any], types: _Types) -> Relation:
    columns = tuple(Column(name, number, kind) for name, number, kind, _ in row["columns"] or ())
    described = json.dumps([row["columns"], row["definition"], row["effects"]])
    return Relation(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        kind=row["kind"],
        columns=columns,
        digest=digest_of(described),
        definition=row["definition"],
        acts=row["acts"],
        user_types=types.needs(column.type_oid for column in columns),
    )


def _routine(row: Mapping[str, Any], types: _Types) -> Routine:
    return Routine(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        digest=digest_of(row["definition"]),
        needs=types.needs(row["arguments"] or ()),
        silent=row["silent"],
    )


def _by_name(routines: Iterable[Routine]) -> dict[str, tuple[Routine, ...]]:
    named: dict[str, list[Routine]] = defaultdict(list)
    for routine in routines:
        named[routine.name].append(routine)
    return {name: tuple(found) for name, found in named.items()}


def _types_by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[UserType, ...]]:
    named: dict[str, list[UserType]] = defaultdict(list)
    for row in rows:
        named[row["name"]].append(UserType(row["oid"], row["schema"], row["name"], row["kind"]))
    return {name: tuple(found) for name, found in named.items()}
