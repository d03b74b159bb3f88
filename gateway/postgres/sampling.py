"""Which rows would it touch? A few of them, read under the rule that they are counted under (`counting`). Pure.

Tagged columns are not read at all. Of the others only those of PostgreSQL's own types and enumerations, as their first characters: what
writes values of other types as text may be anybody's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pglast import ast, enums

from agents.detectors.masker import masked
from agents.detectors.scanner import Scanner
from gateway.postgres.catalog import FIRST_USER_OID, Catalog, Column, Relation
from gateway.postgres.counting import rewritten, touched

MOST_ROWS: Final = 5
MOST_COLUMNS: Final = 8
LOOKED_AT: Final = 400
"""Characters of a value that detectors look at."""
LONGEST: Final = 60
"""Characters of a value that are kept."""
MASK: Final = "***"


@dataclass(frozen=True, slots=True)
class Sample:
    """`sql` reads those of `columns` that are not `hidden`; its $1, $2, … are the parameters of the text with these numbers."""

    sql: str
    columns: tuple[str, ...]
    hidden: frozenset[str]
    more: int
    """Columns of the table that are left out."""
    parameters: tuple[int, ...]

    def shown(self, rows: Sequence[Sequence[str | None]], scanner: Scanner) -> list[list[str | None]]:
        """Rows as they are kept: hidden columns masked, detectors applied, long values cut; None is NULL."""
        return [self._row(iter(row), scanner) for row in rows]

    def _row(self, values: Iterator[str | None], scanner: Scanner) -> list[str | None]:
        return [MASK if name in self.hidden else _kept(next(values), scanner) for name in self.columns]


def sample(sql: str, catalog: Catalog, named: Collection[str]) -> Sample | None:
    """How to look at rows of a text of one UPDATE or DELETE; None where that cannot be done safely.

    Columns that it names (`schema.table.column`) come first.
    """
    relation = touched(sql, catalog)
    if relation is None:
        return None
    tagged = frozenset(one.name for one in relation.columns if (relation.oid, one.attnum) in catalog.tags)
    usable = [one for one in relation.columns if one.name in tagged or _is_plain(one, catalog)]
    first = sorted(usable, key=lambda one: f"{relation.full_name}.{one.name}" not in named)[:MOST_COLUMNS]
    columns = tuple([one.name for one in usable if one in first])
    targets = tuple([_beginning(name) for name in columns if name not in tagged])
    found = rewritten(sql, relation.schema, targets, MOST_ROWS) if targets else None
    if found is None:
        return None
    return Sample(found[0], columns, tagged, _left_out(relation, columns), found[1])


def _is_plain(column: Column, catalog: Catalog) -> bool:
    """Whether nobody but PostgreSQL writes its values as text."""
    if column.type_oid < FIRST_USER_OID:
        return True
    kinds = {one.oid: one.kind for held in catalog.user_types.values() for one in held}
    return kinds.get(column.type_oid) == "e" and all(cast.source != column.type_oid for cast in catalog.casts)


def _left_out(relation: Relation, columns: Sequence[str]) -> int:
    return len(relation.columns) - len(columns)


def _beginning(name: str) -> ast.ResTarget:
    text = ast.TypeCast(
        arg=ast.ColumnRef(fields=(ast.String(name),)),
        typeName=ast.TypeName(names=(ast.String("pg_catalog"), ast.String("text")), typemod=-1),
    )
    begins = ast.FuncCall(
        funcname=(ast.String("pg_catalog"), ast.String("left")),
        args=(text, ast.A_Const(val=ast.Integer(LOOKED_AT))),
        funcformat=enums.CoercionForm.COERCE_EXPLICIT_CALL,
    )
    return ast.ResTarget(val=begins)


def _kept(value: str | None, scanner: Scanner) -> str | None:
    if value is None:
        return None
    text = masked(value.encode(), scanner)[0].decode("utf-8", "replace")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
