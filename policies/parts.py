"""Pure: the parts of a resource, as Cedar entities: what of it an action touches, and what that lies in.

A resource is a database, a host, an API or a tool server. Its parts are a database's schemas, tables and columns, a host's paths, an
API's operations, a tool server's tools. `Table::"shop/public.orders"` is the table at the resource `shop`.

A request of Cedar's has one resource, and a statement touches many tables. So each part that an action touches is asked about alone,
together with what it lies in: whatever is permitted of a schema is permitted of its tables, and of a resource, of all its parts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from policies.verbs import CALL, HTTP_READ, HTTP_WRITE, MCP_CALL, SESSION, SSH_READ, SSH_WRITE, VERBS

Uid: TypeAlias = tuple[str, str]
"""An entity: its type and its id, as in `Agent::"support.production.01"`."""
Chain: TypeAlias = tuple[Uid, ...]
"""A part and the parts that it lies in, the smallest first; all of them lie in the resource."""

SCHEMA, TABLE, COLUMN = "Schema", "Table", "Column"
OPERATION, TOOL, PATH = "Operation", "Tool", "Path"
TAGGED: Final = "tagged"
"""The context attribute that says which columns have which tags, as `public.customers.email email`."""

DECLARED: Final[Mapping[str, str]] = {
    SCHEMA: "in [Resource] = { name: String }",
    TABLE: "in [Schema] = { name: String }",
    COLUMN: "in [Table] = { name: String, tags: Set<String> }",
    OPERATION: "in [Resource] = { name: String }",
    TOOL: "in [Resource] = { name: String }",
    PATH: "in [Path, Resource] = { name: String }",
}
"""The types of parts, as Cedar's schema declares them."""
READS: Final[Mapping[str, frozenset[str]]] = {
    SCHEMA: frozenset({"tables"}),
    TABLE: frozenset({"tables"}),
    COLUMN: frozenset({"tables", "columns"}),
    OPERATION: frozenset({"operation"}),
    TOOL: frozenset({"operation"}),
    PATH: frozenset(),
}
"""What of the context a policy looks at that speaks of such parts."""
WRITTEN: Final[Mapping[str, str]] = {
    SCHEMA: "shop/public",
    TABLE: "shop/public.orders",
    COLUMN: "shop/public.customers.email",
    OPERATION: "shipping/createParcel",
    TOOL: "till/refund",
    PATH: "web-1/var/log",
}
"""How a part of each type is named."""
_SQL: Final = (SCHEMA, TABLE, COLUMN)
_WHOLE_TABLES: Final = frozenset({"sql:ddl", "sql:grant", "sql:lock", "sql:truncate"})
"""Verbs whose statements need not name the columns that they are about."""
_OF_VERB: Final[Mapping[str, tuple[str, ...]]] = {
    **{verb: _SQL for verb in VERBS if verb.startswith("sql:") and verb != SESSION},
    **dict.fromkeys(_WHOLE_TABLES, (SCHEMA, TABLE)),
    **dict.fromkeys((HTTP_READ, HTTP_WRITE, CALL), (OPERATION,)),
    **dict.fromkeys((SSH_READ, SSH_WRITE), (PATH,)),
    MCP_CALL: (TOOL,),
}


UNBOUNDED: Final = frozenset({"sql:call"})
"""What a function touches besides is not in the statement: no permit of a part covers that, only one of the resource."""


def types_of(verb: str) -> tuple[str, ...]:
    """The types of parts that a verb can touch."""
    return _OF_VERB.get(verb, ())


def is_part(uid: Uid | None) -> bool:
    """Whether an entity is a part of a resource."""
    return uid is not None and uid[0] in DECLARED


def resource_of(part: Uid) -> str:
    """The name of the resource that a part is of."""
    return part[1].partition("/")[0]


def well_named(part: Uid) -> bool:
    """Whether an action could touch a part of that name: anything else would never match, whatever it forbids."""
    try:
        return resource_of(part) != "" and chain(part)[0] == part
    except ValueError:
        return False


def chain(part: Uid) -> Chain:
    """A part, and the parts that it lies in. Raises ValueError for one that is not well named."""
    kind, name = part
    resource, _, rest = name.partition("/")
    return chain_of(kind, resource, f"/{rest}" if kind == PATH else rest)


def chain_of(kind: str, resource: str, name: str) -> Chain:
    """A part by its name at a resource, and the parts that it lies in. Raises ValueError for a name that cannot be taken apart."""
    if not name:
        raise ValueError(f"a {kind.lower()} without a name")
    if kind == PATH:
        return tuple(_paths(resource, name))
    if kind not in _SQL:
        return ((kind, f"{resource}/{name}"),)
    pieces = name.split(".", _SQL.index(kind))
    if len(pieces) <= _SQL.index(kind) or not all(pieces) or (kind != COLUMN and "." in pieces[-1]):
        raise ValueError(f"a name that can be read in two ways: {name[:80]}")
    heads = [".".join(pieces[: end + 1]) for end in range(len(pieces))]
    return tuple((kind, f"{resource}/{head}") for kind, head in zip(_SQL, heads, strict=False))[::-1]


def _paths(resource: str, path: str) -> Iterator[Uid]:
    if not path.startswith("/") or path.startswith("//") or posixpath.normpath(path) != path:
        raise ValueError(f"a path that is not absolute and plain: {path[:80]}")
    while True:
        yield PATH, f"{resource}{path}"
        if path == "/":
            return
        path = posixpath.dirname(path)


def touched(resource: str, verb: str, said: Mapping[str, object]) -> list[Chain]:
    """The parts that `verb` touches, by what an action's context says of it; none where it touches the whole alone.

    Raises ValueError for a name that cannot be taken apart.
    """
    kinds = types_of(verb)
    if TABLE in kinds:
        columns = [chain_of(COLUMN, resource, name) for name in _texts(said.get("columns"))]
        tables = [chain_of(TABLE, resource, name) for name in _texts(said.get("tables"))]
        whole = dict.fromkeys([*tables, *(column[1:] for column in columns)])
        return [*whole, *(columns if COLUMN in kinds else ())]
    if PATH in kinds:
        args = said.get("args")
        path = args.get("path") if isinstance(args, Mapping) else None
        return [] if path is None else [chain_of(PATH, resource, str(path))]
    operation = said.get("operation")
    return [chain_of(kind, resource, str(operation)) for kind in kinds if operation is not None]


def _texts(value: object) -> list[str]:
    return sorted(map(str, value)) if isinstance(value, (frozenset, set, list, tuple)) else []


def tags_of(column: Uid, said: Mapping[str, object]) -> frozenset[str]:
    """The tags of a column, by what the context says of those that an action touches."""
    name = column[1].partition("/")[2]
    pairs = [text.rpartition(" ") for text in _texts(said.get(TAGGED))]
    return frozenset(tag for of, _, tag in pairs if of == name)


def entities(chain: Chain, tags: frozenset[str]) -> Iterator[dict[str, object]]:
    """The parts of a chain as Cedar's JSON has entities. `tags` are those of its column."""
    above = [*chain[1:], ("Resource", resource_of(chain[0]))]
    for part, around in zip(chain, above, strict=True):
        attributes: dict[str, object] = {"name": _last(part)}
        if part[0] == COLUMN:
            attributes["tags"] = sorted(tags)
        yield {"uid": _json(part), "attrs": attributes, "parents": [_json(around)]}


def _last(part: Uid) -> str:
    """What a part is called in what it lies in; a path, whole."""
    kind, name = part
    rest = name.partition("/")[2]
    if kind == PATH:
        return f"/{rest}"
    return rest.split(".", _SQL.index(kind))[-1] if kind in _SQL else rest


def _json(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}
