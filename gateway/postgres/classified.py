"""What the gate knows of a text of SQL once it has read it: plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from gateway.postgres import counting, describe, sampling
from gateway.postgres.catalog import Catalog

SESSION, SELECT, LOCK, INSERT, COPY_IN = "sql:session", "sql:select", "sql:lock", "sql:insert", "sql:copy_in"
UPDATE, MERGE, DELETE, TRUNCATE = "sql:update", "sql:merge", "sql:delete", "sql:truncate"
CALL, DDL, GRANT = "sql:call", "sql:ddl", "sql:grant"

STRENGTH: tuple[str, ...] = (SESSION, SELECT, LOCK, INSERT, COPY_IN, UPDATE, MERGE, DELETE, TRUNCATE, CALL, DDL, GRANT)
"""Every verb, weakest first."""


def strongest(verbs: frozenset[str] | set[str]) -> str:
    """The strongest of some verbs; `sql:session` when there is none."""
    return max(verbs, key=STRENGTH.index, default=SESSION)


class Place(StrEnum):
    """Where a tagged column stands in a statement."""

    OUTPUT = "output"
    """A plain output column of the statement itself: it can be masked."""
    LOOKUP = "lookup"
    """Compared for equality with a constant or parameter, and its tag allows look-ups."""
    WRITE = "write"
    """Written, not read."""
    OTHER = "other"
    """Anything else: a masked agent may not."""


@dataclass(frozen=True, slots=True)
class TagUse:
    """One use of a tagged column. `index` is the 0-based output column, `statement` the 0-based statement."""

    tag: str
    table: str
    column: str
    place: Place
    words: str = ""
    index: int = -1
    statement: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """A `SET` (or `RESET`, with value None; `name` is `*` for all) that the gate lets through."""

    name: str
    value: str | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the text, and what it does to the session that runs it."""

    kind: str
    verb: str
    transaction: str | None = None
    """`begin`, `commit`, `rollback`, `savepoint`, `release` or `rollback_to`."""
    savepoint: str = ""
    """Name of the savepoint it makes, releases or goes back to."""
    setting: Setting | None = None
    is_ddl: bool = False
    returns_rows: bool = False
    outputs: int | None = None
    """How many output columns it has, where the gate knows."""
    prepares: tuple[str, str] | None = None
    """Name and text of a statement it prepares."""
    deallocates: str | None = None
    """Name of a prepared statement it drops; `*` for all."""
    declares: tuple[str, str] | None = None
    """Name and text of a cursor it opens."""
    closes: str | None = None
    """Name of a cursor it closes; `*` for all."""


@dataclass(frozen=True)
class Classified:
    """A text of SQL, read. The costly parts are worked out when first asked for."""

    sql: str
    verbs: frozenset[str]
    tables: frozenset[str]
    """`schema.table` of each relation read or written, views and what they read included."""
    columns: frozenset[str]
    """`schema.table.column` of each column named or meant."""
    tags: frozenset[str]
    tag_uses: tuple[TagUse, ...]
    outputs_unclear: bool
    """It calls what the gate cannot see into, so any tagged value might come back."""
    names: tuple[tuple[str, int, str], ...]
    """(qualified name, OID, digest of the definition) of all it resolves to: part of the action's digest."""
    statements: tuple[Statement, ...]
    has_where: bool
    """Every UPDATE and DELETE in it has a WHERE."""
    tagged_parameters: frozenset[int]
    """Numbers of the parameters whose values are compared with or written to tagged columns."""
    why_call: tuple[str, ...]
    """What made it a `sql:call`, in words."""
    catalog: Catalog = field(repr=False, compare=False)
    views: Mapping[tuple[int, int], tuple[str, ...]] = field(repr=False, compare=False)
    """Tags of the columns of the views it reads, by (OID, attribute number)."""
    masked: frozenset[int] = field(repr=False, compare=False)
    """Byte offsets of the constants that stand in tagged positions."""
    redact: bool = field(default=False, repr=False, compare=False)
    """Any constant in it may be a secret."""

    @property
    def verb(self) -> str:
        """The strongest verb found anywhere in it."""
        return strongest(self.verbs)

    @cached_property
    def tagged(self) -> frozenset[str]:
        """The columns with a tag that it touches, each with its tag behind a space."""
        return frozenset(f"{use.table}.{use.column} {use.tag}" for use in self.tag_uses)

    @cached_property
    def shape(self) -> str:
        """PostgreSQL's fingerprint: equal for statements that differ only in their constants."""
        return describe.shape(self.sql)

    @cached_property
    def shown(self) -> str:
        """The text with the constants in tagged positions replaced by ***; safe to store and to show."""
        return describe.redacted(self.sql) if self.redact else describe.shown(self.sql, self.masked)

    @cached_property
    def summary(self) -> str:
        """What it does, in words."""
        return describe.summary(self.sql)

    @cached_property
    def counting(self) -> counting.Count | None:
        """How to count, without changing anything, the rows it would touch; None where that cannot be done safely."""
        return counting.count(self.sql, self.catalog) if self._is_one_of("update", "delete") else None

    @cached_property
    def sampling(self) -> sampling.Sample | None:
        """How to look at a few of those rows."""
        return sampling.sample(self.sql, self.catalog, self.columns) if self.counting else None

    @property
    def count(self) -> str | None:
        """The text of `counting`."""
        return self.counting.sql if self.counting else None

    @property
    def count_of(self) -> str | None:
        """The table that `count` counts."""
        return self.counting.table if self.counting else None

    @cached_property
    def explain(self) -> str | None:
        """A text that asks for the planner's estimate and runs nothing; None where there is none."""
        kinds = ("select", "insert", "update", "delete", "merge")
        return counting.explain(self.sql) if self._is_one_of(*kinds) and self.verb not in {CALL, DDL} else None

    def _is_one_of(self, *kinds: str) -> bool:
        return len(self.statements) == 1 and self.statements[0].kind in kinds
