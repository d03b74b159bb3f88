"""What the gate knows of a database: relations, types, functions, tags. Plain values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from gateway.postgres.system_relations import is_readable
from gateway.refusal import Refusal

FIRST_USER_OID = 16384
"""PostgreSQL's FirstNormalObjectId: below it is what initdb made."""

VIEW_KINDS = frozenset("vm")


@dataclass(frozen=True, slots=True)
class Tag:
    """A kind of data that is masked. `lookup`: equality with a constant is allowed."""

    name: str
    lookup: bool = False


@dataclass(frozen=True, slots=True)
class TaggedColumn:
    """A column of a table with the tag it carries."""

    tag: Tag
    table: str
    column: str


class Col:
    """One column of a query's input or output, and where its value plainly comes from."""

    __slots__ = ("consts", "label", "name", "tagged")

    def __init__(
        self,
        name: str,
        tagged: tuple[TaggedColumn, ...] = (),
        consts: tuple[int, ...] = (),
        label: str | None = None,
    ) -> None:
        self.name = name
        self.tagged = tagged
        """The tagged columns whose value this is, unchanged."""
        self.consts = consts
        """Byte offsets of the constants, and negated numbers of the parameters, that make up its value."""
        self.label = label
        """`schema.table.column`, for a relation's own column."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the system catalog has it."""

    name: str
    attnum: int
    type_oid: int


@dataclass(frozen=True)
class Relation:
    """A table, view, sequence or other thing with columns.

    `definition` is a view's query, written with an empty search path. `acts` says that rules or INSTEAD OF triggers
    decide what a write to it does. `digest` covers all that decides what a statement on it means.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    digest: str
    definition: str | None = None
    acts: bool = False
    user_types: frozenset[int] = frozenset()
    cols: Mapping[str, Col] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        full = f"{self.schema}.{self.name}"
        values: dict[str, Any] = {
            "full_name": full,
            "identity": (full, self.oid, self.digest),
            "is_system": self.oid < FIRST_USER_OID,
            "is_view": self.kind in VIEW_KINDS and self.oid >= FIRST_USER_OID,
            "readable": self.oid >= FIRST_USER_OID or is_readable(self.schema, self.name),
        }
        self.__dict__.update(values)  # worked out once, read for each statement

    full_name: str = field(init=False, repr=False, compare=False)
    identity: tuple[str, int, str] = field(init=False, repr=False, compare=False)
    is_system: bool = field(init=False, repr=False, compare=False)
    is_view: bool = field(init=False, repr=False, compare=False)
    readable: bool = field(init=False, repr=False, compare=False)

    def with_tags(self, tags: Mapping[tuple[int, int], Tag]) -> Relation:
        """The same relation with its columns made ready for reading statements."""
        full = self.full_name
        cols = {}
        for column in self.columns:
            tag = tags.get((self.oid, column.attnum))
            tagged = (TaggedColumn(tag, full, column.name),) if tag else ()
            cols[column.name] = Col(column.name, tagged, (), f"{full}.{column.name}")
        return replace(self, cols=cols)


@dataclass(frozen=True, slots=True)
class Routine:
    """A function or operator that is not PostgreSQL's own. `needs`: types, not PostgreSQL's own, among its arguments."""

    oid: int
    schema: str
    name: str
    digest: str
    needs: frozenset[int] = frozenset()
    silent: bool = False
    """It returns nothing."""


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that is not PostgreSQL's own; `kind` is pg_type.typtype."""

    oid: int
    schema: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Cast:
    """A cast that is not PostgreSQL's own."""

    source: int
    target: int
    target_name: str
    context: str
    """pg_cast.castcontext: `i` implicit, `a` in assignments, `e` only when written."""


def digest_of(*parts: str) -> str:
    """SHA-256 of parts, hexadecimal; parts cannot run into each other."""
    return sha256("\0".join(f"{len(part)}:{part}" for part in parts).encode()).hexdigest()


@dataclass(frozen=True)
class Catalog:
    """One database as the gate last saw it. `search_path` is the effective one, `pg_catalog` included in its place."""

    database: str
    search_path: tuple[str, ...]
    relations: Mapping[tuple[str, str], Relation]
    functions: Mapping[str, tuple[Routine, ...]] = field(default_factory=dict)
    operators: Mapping[str, tuple[Routine, ...]] = field(default_factory=dict)
    user_types: Mapping[str, tuple[UserType, ...]] = field(default_factory=dict)
    casts: tuple[Cast, ...] = ()
    system_types: frozenset[str] = frozenset()
    system_functions: frozenset[str] = frozenset()
    inherits: tuple[tuple[int, int], ...] = ()
    """(child, parent) OIDs of partitions and inheriting tables."""
    tags: Mapping[tuple[int, int], Tag] = field(default_factory=dict)
    missing_tags: tuple[str, ...] = ()
    """Tagged columns that the database does not have (any more)."""
    readings: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out before from these same values: a view's reading by OID."""

    def with_tags(self, named: Mapping[tuple[str, str, str], Tag]) -> Catalog:
        """The same catalog with the columns named by (schema, table, column) tagged, partitions and parents included."""
        tags: dict[tuple[int, int], Tag] = {}
        missing = []
        kin = _kin(self.inherits)
        by_oid = {relation.oid: relation for relation in self.relations.values()}
        for (schema, table, column), tag in named.items():
            relation = self.relations.get((schema, table))
            family = kin.get(relation.oid, {relation.oid}) if relation else ()
            found = [
                (oid, held.attnum)
                for oid in family
                if oid in by_oid
                for held in by_oid[oid].columns
                if held.name == column
            ]
            tags.update(dict.fromkeys(found, tag))
            if not found:
                missing.append(f"{schema}.{table}.{column}")
        return replace(
            self,
            relations={key: relation.with_tags(tags) for key, relation in self.relations.items()},
            tags=tags,
            missing_tags=tuple(missing),
            readings={},
        )

    @cached_property
    def heirs(self) -> Mapping[int, tuple[Relation, ...]]:
        """The partitions and inheriting tables below each table that has some, by its OID."""
        by_oid = {relation.oid: relation for relation in self.relations.values()}
        below: dict[int, list[int]] = {}
        for child, parent in self.inherits:
            below.setdefault(parent, []).append(child)
        return {oid: tuple(by_oid[heir] for heir in _descendants(oid, below) if heir in by_oid) for oid in below}

    def relation(self, schema: str | None, name: str, path: Sequence[str] | None = None) -> Relation:
        """The relation a name means. Raises Refusal (42P01) when there is none, as PostgreSQL would."""
        if schema is None:
            for place in path or self.search_path:
                found = self.relations.get((place, name))
                if found is not None:
                    return found
        elif found := self.relations.get((schema, name)):
            return found
        written = f"{schema}.{name}" if schema else name
        raise Refusal(
            f'relation "{written}" does not exist, as far as the gate can see',
            code="unknown_relation",
            sqlstate="42P01",
        )

    def reachable(self, present: Iterable[int]) -> frozenset[int]:
        """Types a value may have, or be taken for without being asked, when `present` are in the statement."""
        reached = set(present)
        growing = True
        while growing:
            more = {
                cast.target
                for cast in self.casts
                if cast.context == "i" and (cast.source in reached or cast.source < FIRST_USER_OID)
            }
            growing = not more <= reached
            reached |= more
        return frozenset(reached)


def _descendants(oid: int, below: Mapping[int, list[int]]) -> list[int]:
    found: dict[int, None] = {}
    waiting = list(below.get(oid, ()))
    while waiting:
        child = waiting.pop()
        if child not in found:
            found[child] = None
            waiting += below.get(child, ())
    return list(found)


def _kin(inherits: Iterable[tuple[int, int]]) -> dict[int, set[int]]:
    """For each table in a family of partitions or inheritance, the whole family."""
    families: dict[int, set[int]] = {}
    for child, parent in inherits:
        joined = families.get(child, {child}) | families.get(parent, {parent})
        for member in joined:
            families[member] = joined
    return families
