"""How much would it touch? A read-only count for one UPDATE or DELETE, where counting is safe. Pure.

Safe means: one plain table, no other table, and a clause of nothing but columns, constants, parameters and immutable
functions and operators of PostgreSQL's own. Everything else gets the planner's estimate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pglast import ast, enums, parse_sql
from pglast.stream import RawStream
from pglast.visitors import Visitor

from gateway.postgres.catalog import Catalog, Relation
from gateway.postgres.functions import is_immutable, is_immutable_operator, user_type
from gateway.postgres.tree import Node, kind_of, parse, strings
from gateway.refusal import Refusal

LONGEST_COUNTED = 10_000
"""Characters; rewriting a longer text would take too long."""


@dataclass(frozen=True, slots=True)
class Count:
    """`sql` counts rows of `table`; its $1, $2, … are the parameters of the counted text with these numbers."""

    sql: str
    table: str
    parameters: tuple[int, ...]


def count(sql: str, catalog: Catalog) -> Count | None:
    """The count for a text of one UPDATE or DELETE; None where it cannot be made safely."""
    relation = touched(sql, catalog)
    if relation is None:
        return None
    star = ast.FuncCall(
        funcname=(ast.String("pg_catalog"), ast.String("count")),
        agg_star=True,
        funcformat=enums.CoercionForm.COERCE_EXPLICIT_CALL,
    )
    found = rewritten(sql, relation.schema, (ast.ResTarget(val=star),))
    return Count(found[0], relation.full_name, found[1]) if found else None


def touched(sql: str, catalog: Catalog) -> Relation | None:
    """The one plain table that a text of one UPDATE or DELETE is about; None where finding its rows might do anything but read."""
    if len(sql) > LONGEST_COUNTED:
        return None
    nodes = parse(sql)
    kind, fields = kind_of(nodes[0]["stmt"]) if len(nodes) == 1 else ("", {})
    if kind not in {"UpdateStmt", "DeleteStmt"} or fields.keys() & {"withClause", "fromClause", "usingClause"}:
        return None
    try:
        relation = catalog.relation(fields["relation"].get("schemaname"), fields["relation"]["relname"])
        safe = relation.kind in {"r", "p"} and _is_safe(fields.get("whereClause"), catalog)
    except Refusal:
        return None
    return relation if safe else None


def explain(sql: str) -> str:
    """An EXPLAIN of a text of one SELECT or write. Nothing in it runs, but constants are folded, so not of calls."""
    return f"EXPLAIN (FORMAT JSON) {sql}"


def _is_safe(node: Node | None, catalog: Catalog) -> bool:
    if not node:
        return True
    kind, fields = kind_of(node)
    check = _SAFE.get(kind)
    return check is not None and check(fields, catalog)


def _all_safe(*keys: str) -> Callable[[Node, Catalog], bool]:
    def check(fields: Node, catalog: Catalog) -> bool:
        held = [fields[key] for key in keys if key in fields]
        return all(_is_safe(node, catalog) for item in held for node in (item if isinstance(item, list) else [item]))

    return check


def _safe_operator(fields: Node, catalog: Catalog) -> bool:
    *qualifier, name = strings(fields["name"])
    names = [">=", "<="] if "BETWEEN" in fields["kind"] else [name]
    schema = qualifier[-1] if qualifier else None
    return all(is_immutable_operator(schema, one, catalog) for one in names) and _all_safe("lexpr", "rexpr")(
        fields, catalog
    )


def _safe_function(fields: Node, catalog: Catalog) -> bool:
    *qualifier, name = strings(fields["funcname"])
    plain = not fields.keys() & {"agg_order", "agg_filter", "over", "agg_star", "agg_distinct"}
    return (
        plain
        and is_immutable(qualifier[-1] if qualifier else None, name, catalog)
        and _all_safe("args")(fields, catalog)
    )


def _safe_cast(fields: Node, catalog: Catalog) -> bool:
    *qualifier, name = strings(fields["typeName"]["names"])
    found = user_type(qualifier[-1] if qualifier else None, name, catalog)
    return (found is None or found.kind == "e") and _all_safe("arg")(fields, catalog)


def _safe_column(fields: Node, catalog: Catalog) -> bool:
    return "A_Star" not in fields["fields"][-1]


_SAFE: dict[str, Callable[[Node, Catalog], bool]] = {
    "A_ArrayExpr": _all_safe("elements"),
    "A_Const": _all_safe(),
    "A_Expr": _safe_operator,
    "BoolExpr": _all_safe("args"),
    "BooleanTest": _all_safe("arg"),
    "CoalesceExpr": _all_safe("args"),
    "ColumnRef": _safe_column,
    "FuncCall": _safe_function,
    "List": _all_safe("items"),
    "NullTest": _all_safe("arg"),
    "ParamRef": _all_safe(),
    "TypeCast": _safe_cast,
}


class _Renumber(Visitor):
    """Number the parameters that are left from 1, in order of appearance."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[int, int] = {}

    def visit_ParamRef(self, ancestors: object, node: ast.ParamRef) -> None:  # noqa: N802 -- pglast's naming
        node.number = self.numbers.setdefault(node.number or 0, len(self.numbers) + 1)


def rewritten(
    sql: str, schema: str, targets: tuple[ast.ResTarget, ...], most: int | None = None
) -> tuple[str, tuple[int, ...]] | None:
    """A SELECT of `targets` from what an UPDATE or DELETE is about, at most so many rows, and the numbers of its parameters.

    None where it cannot be written so that it reads as it was meant.
    """
    try:
        statement = parse_sql(sql)[0].stmt
        if not isinstance(statement, (ast.UpdateStmt, ast.DeleteStmt)) or statement.relation is None:
            return None
        relation = statement.relation
        relation.schemaname = schema
        option = enums.LimitOption.LIMIT_OPTION_DEFAULT if most is None else enums.LimitOption.LIMIT_OPTION_COUNT
        select = ast.SelectStmt(
            targetList=targets,
            fromClause=(relation,),
            whereClause=statement.whereClause,
            limitCount=None if most is None else ast.A_Const(val=ast.Integer(most)),
            op=enums.SetOperation.SETOP_NONE,
            limitOption=option,
        )
        renumber = _Renumber()
        renumber(select)
        text = RawStream()(select)
    except RecursionError:
        return None
    return (text, tuple(renumber.numbers)) if _says_the_same(text, select) else None


def _says_the_same(text: str, select: ast.SelectStmt) -> bool:
    """Whether the text written from a tree parses to that tree: the printer is not the parser's author."""
    written = parse_sql(text)[0].stmt
    return isinstance(written, ast.SelectStmt) and _bare(written(skip_none=True)) == _bare(select(skip_none=True))


def _bare(held: object) -> object:
    """A tree without what says where its text stood, and without what is merely not so."""
    if isinstance(held, dict):
        return {
            key: _bare(value)
            for key, value in held.items()
            if value is not False and not key.endswith("location") and not key.startswith("rexpr_list")
        }
    if isinstance(held, (tuple, list)):
        return [_bare(value) for value in held]
    return held
