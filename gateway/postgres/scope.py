"""Which column a name means: PostgreSQL's rules of visibility. Pure.

A `Source` is one thing in FROM: a relation, a subquery, a join. A `Scope` is one query level; its parents are the
levels around it. Columns are found level by level, innermost first, as PostgreSQL does, and an unqualified name that
is no column at any level may mean a whole row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from gateway.postgres.catalog import Col, Relation
from gateway.refusal import Refusal

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})

AMBIGUOUS = Col("")
"""Stands in for a name that several columns have."""


class Source:
    """One thing in FROM. `items` are what a qualified name can reach through it; `outs` what `*` gives."""

    __slots__ = ("_outs", "alias", "cols", "is_open", "items", "relation", "schema")

    def __init__(
        self,
        cols: Mapping[str, Col],
        *,
        alias: str | None = None,
        schema: str | None = None,
        relation: Relation | None = None,
        outs: Sequence[Col] | None = None,
        items: tuple[Source, ...] | None = None,
        is_open: bool = False,
    ) -> None:
        self.cols = cols
        self.alias = alias
        self.schema = schema
        self.relation = relation
        self._outs = outs
        self.items = items if items is not None else (self,)
        self.is_open = is_open
        """It has columns that the gate cannot name: a function of a composite result."""

    @property
    def outs(self) -> Sequence[Col]:
        """Its columns in order."""
        if self._outs is None:
            self._outs = tuple(self.cols.values())
        return self._outs

    def tagged(self) -> tuple[Col, ...]:
        """Those of its columns whose value is a tagged one."""
        return tuple(col for col in self.outs if col.tagged)


def by_name(cols: Iterable[Col]) -> dict[str, Col]:
    """Columns by name, doubles marked."""
    named: dict[str, Col] = {}
    for col in cols:
        named[col.name] = AMBIGUOUS if col.name in named else col
    return named


def renamed(cols: Sequence[Col], names: Sequence[str]) -> list[Col]:
    """The columns with the first ones renamed, as an alias with a column list does."""
    if len(names) > len(cols):
        raise Refusal("An alias names more columns than there are.", code="unknown_column", sqlstate="42P10")
    return [Col(name, col.tagged, col.consts, col.label) for name, col in zip(names, cols, strict=False)] + list(
        cols[len(names) :]
    )


class Scope:
    """One query level: what its FROM holds, and the WITH queries it can see."""

    __slots__ = ("ctes", "parent", "sources")

    def __init__(
        self,
        parent: Scope | None = None,
        sources: Sequence[Source] = (),
        ctes: dict[str, Sequence[Col] | None] | None = None,
    ) -> None:
        self.parent = parent
        self.sources = list(sources)
        self.ctes = ctes
        """Name to columns; None while it is being read."""

    def column(self, name: str) -> Col | None:
        """The column an unqualified name means, None where there is none. Raises Refusal when several could be meant."""
        level: Scope | None = self
        while level is not None:
            found = level.own(name)
            if found is not None:
                return found
            level = level.parent
        return None

    def own(self, name: str) -> Col | None:
        """The column of this very level that an unqualified name means, None where there is none."""
        hit: Col | None = None
        is_open = False
        for source in self.sources:
            col = source.cols.get(name)
            if col is not None:
                if hit is not None or col is AMBIGUOUS:
                    _ambiguous(name)
                hit = col
            is_open = is_open or source.is_open
        if hit is not None:
            return hit
        if name in SYSTEM_COLUMNS and any(item.relation for source in self.sources for item in source.items):
            return Col(name)
        return self._guessed(name) if is_open else None

    def _guessed(self, name: str) -> Col | None:
        """A name that a source with columns unknown to the gate may have; refused where an outer column could be meant."""
        outer = self.parent.column(name) if self.parent else None
        if outer is not None and outer.tagged:
            _ambiguous(name)
        return None if self.source(name) else Col(name)

    def source(self, alias: str, schema: str | None = None) -> Source | None:
        """The thing in FROM that a qualifier means, innermost level first."""
        level: Scope | None = self
        while level is not None:
            hits = [item for source in level.sources for item in source.items if _is_called(item, alias, schema)]
            if len(hits) > 1:
                _ambiguous(alias)
            if hits:
                return hits[0]
            level = level.parent
        return None

    def cte(self, name: str) -> tuple[bool, Sequence[Col]]:
        """Whether a WITH query of this name is in sight, and its columns."""
        level: Scope | None = self
        while level is not None:
            if level.ctes is not None and name in level.ctes:
                cols = level.ctes[name]
                if cols is None:
                    raise Refusal(f"The WITH query {name} is used before it is read.", code="not_understood")
                return True, cols
            level = level.parent
        return False, ()


def _is_called(item: Source, alias: str, schema: str | None) -> bool:
    return item.alias == alias and (schema is None or item.schema == schema)


def _ambiguous(name: str) -> NoReturn:
    raise Refusal(f'"{name}" is ambiguous', code="ambiguous", sqlstate="42702")


def no_column(name: str) -> Refusal:
    """The refusal of a column that the gate cannot find."""
    return Refusal(
        f'column "{name}" does not exist, as far as the gate can see', code="unknown_column", sqlstate="42703"
    )
