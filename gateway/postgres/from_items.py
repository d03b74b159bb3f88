"""What each thing in FROM holds: relations, functions, joins. Pure.

`HANDLERS` has one entry for each kind that is understood; `lineage` adds subqueries.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.postgres.catalog import Col
from gateway.postgres.expressions import deep, expression, expressions, not_understood, standing_alone
from gateway.postgres.functions import ALLOWED
from gateway.postgres.output_names import output_name
from gateway.postgres.scope import AMBIGUOUS, Scope, Source, by_name, renamed
from gateway.postgres.tree import Node, kind_of, strings
from gateway.postgres.views import relation_cols
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

Handler = Callable[[Walk, Node, Scope], Source]


def from_item(w: Walk, node: Node, scope: Scope) -> Source:
    """One thing in FROM. `scope` holds what stands before it at this level; its parent is the level around."""
    kind, fields = kind_of(node)
    handler = HANDLERS.get(kind)
    if handler is None:
        raise not_understood(kind)
    return handler(w, fields, scope)


def aliased(fields: Node, cols: Sequence[Col], name: str | None = None) -> Source:
    """Columns under the alias that `fields` gives them."""
    alias = fields.get("alias", {})
    names = strings(alias.get("colnames", []))
    outs = renamed(cols, names) if names else list(cols)
    return Source(by_name(outs), alias=alias.get("aliasname", name), outs=outs)


def relation(w: Walk, fields: Node, scope: Scope) -> Source:
    """A table, view or WITH query by its name."""
    name, schema = fields["relname"], fields.get("schemaname")
    if schema is None:
        is_cte, cols = scope.cte(name)
        if is_cte:
            return aliased(fields, cols, name)
    if fields.get("catalogname") not in {None, w.catalog.database}:
        raise Refusal("Other databases cannot be named.", code="other_database", sqlstate="0A000")
    held = w.catalog.relation(schema, name, w.path)
    w.relation(held)
    known = relation_cols(w, held)
    alias = fields.get("alias")
    if alias is None:
        return Source(known, alias=name, schema=held.schema, relation=held)
    if "colnames" in alias:
        outs = renamed(tuple(known.values()), strings(alias["colnames"]))
        return Source(by_name(outs), alias=alias["aliasname"], relation=held, outs=outs)
    return Source(known, alias=alias["aliasname"], relation=held)


def _sampled(w: Walk, fields: Node, scope: Scope) -> Source:
    method = strings(fields["method"])
    if method[-1] not in {"bernoulli", "system"} or method[:-1] not in ([], ["pg_catalog"]):
        w.call(f"the sampling method {method[-1]}")
    expressions(w, fields.get("args", ()), scope, "in TABLESAMPLE")
    if "repeatable" in fields:
        expression(w, fields["repeatable"], scope, "in TABLESAMPLE")
    return from_item(w, fields["relation"], scope)


def _functions(w: Walk, fields: Node, scope: Scope) -> Source:
    outs: list[Col] = []
    is_open = False
    alias = fields.get("alias", {})
    for entry in fields["functions"]:
        call, given = (*entry["List"]["items"], {}, {})[:2]
        consts = standing_alone(w, call, scope, "in FROM")
        if given:
            outs += _described(w, given, consts)
            continue
        names, guess = _function_outs(call, alias.get("aliasname") if len(fields["functions"]) == 1 else None)
        outs += [Col(name, (), consts) for name in names]
        is_open = is_open or guess
    if "coldeflist" in fields:
        outs, is_open = _described(w, {"List": {"items": fields["coldeflist"]}}, consts), False
    if fields.get("ordinality"):
        outs.append(Col("ordinality"))
    return _open(fields, call) if is_open else aliased(fields, outs, output_name(call))


def _described(w: Walk, given: Node, consts: tuple[int, ...]) -> list[Col]:
    cols = []
    for item in given["List"]["items"]:
        definition = item["ColumnDef"]
        w.type(definition["typeName"]["names"])
        cols.append(Col(definition["colname"], (), consts))
    return cols


def _function_outs(call: Node, alias: str | None) -> tuple[Sequence[str], bool]:
    """The names of a function's output columns, and whether there may be others."""
    kind, fields = kind_of(call)
    if kind != "FuncCall":
        return (alias or output_name(call),), False
    *qualifier, name = strings(fields["funcname"])
    if qualifier not in ([], ["pg_catalog"]) or name not in ALLOWED.functions:
        return (), True
    if name in ALLOWED.outs:
        return ALLOWED.outs[name], False
    if name in COMPOSITE:
        return (), True
    count = len(fields.get("args", ())) if name == "unnest" else 1
    return [alias or name] * count, False


COMPOSITE = frozenset(
    {"json_populate_record", "json_populate_recordset", "jsonb_populate_record", "jsonb_populate_recordset"}
)
"""Functions whose output columns are those of a type that is given to them; a row among `unnest`'s elements also is."""


def _open(fields: Node, call: Node) -> Source:
    alias = fields.get("alias", {})
    outs = [Col(name) for name in strings(alias.get("colnames", []))]
    return Source(by_name(outs), alias=alias.get("aliasname", output_name(call)), outs=outs, is_open=True)


def _xml_table(w: Walk, fields: Node, scope: Scope) -> Source:
    for key in ("docexpr", "rowexpr", "namespaces"):
        deep(w, _plain(fields.get(key)), scope, "inside xmltable()")
    cols = []
    for item in fields.get("columns", ()):
        column = item["RangeTableFuncCol"]
        if "typeName" in column:
            w.type(column["typeName"]["names"])
        for key in ("colexpr", "coldefexpr"):
            deep(w, column.get(key), scope, "inside xmltable()")
        cols.append(Col(column["colname"]))
    return aliased(fields, cols, "xmltable")


def _plain(held: object) -> object:
    """Namespaces are ResTargets: their values are what matters."""
    if isinstance(held, list):
        return [item["ResTarget"]["val"] if "ResTarget" in item else item for item in held]
    return held


def _json_table(w: Walk, fields: Node, scope: Scope) -> Source:
    words = "inside json_table()"
    for key in ("context_item", "pathspec", "passing", "on_error"):
        deep(w, fields.get(key), scope, words)
    return aliased(fields, _json_columns(w, fields.get("columns", ()), scope, words), "json_table")


def _json_columns(w: Walk, columns: Sequence[Node], scope: Scope, words: str) -> list[Col]:
    cols: list[Col] = []
    for item in columns:
        column = item["JsonTableColumn"]
        if "typeName" in column:
            w.type(column["typeName"]["names"])
        for key in ("on_empty", "on_error", "pathspec"):
            deep(w, column.get(key), scope, words)
        if "columns" in column:
            cols += _json_columns(w, column["columns"], scope, words)
        else:
            cols.append(Col(column["name"]))
    return cols


# Joins


def join(w: Walk, fields: Node, scope: Scope) -> Source:
    """A join: its parts stay reachable by their own names unless it has an alias."""
    left = from_item(w, fields["larg"], scope)
    beside = Scope(scope.parent, [*scope.sources, left], scope.ctes)
    right = from_item(w, fields["rarg"], beside)
    joined = _merged(w, fields, left, right)
    if "quals" in fields:
        within = Scope(scope.parent, [left, right], scope.ctes)
        standing_alone(w, fields["quals"], within, "in a join")
    if "alias" in fields:
        return aliased(fields, joined.outs)
    return joined


def _merged(w: Walk, fields: Node, left: Source, right: Source) -> Source:
    shared = strings(fields.get("usingClause", []))
    if fields.get("isNatural"):
        shared = [col.name for col in left.outs if col.name in right.cols]
    merged = [_joined(w, left, right, name) for name in shared]
    rest = [col for col in (*left.outs, *right.outs) if col.name not in shared]
    outs = merged + rest
    items = left.items + right.items
    if "join_using_alias" in fields:
        items += (Source(by_name(merged), alias=fields["join_using_alias"]["aliasname"], outs=merged),)
    return Source(by_name(outs), outs=outs, items=items, is_open=left.is_open or right.is_open)


def _joined(w: Walk, left: Source, right: Source, name: str) -> Col:
    found = [source.cols.get(name) for source in (left, right)]
    if None in found or AMBIGUOUS in found:
        raise Refusal(f'the join column "{name}" is missing or ambiguous', code="unknown_column", sqlstate="42703")
    both = [col for col in found if col is not None]
    w.operator(None, "=")
    w.columns.update(col.label for col in both if col.label)
    w.read_all((col for col in both if col.tagged), "in a join")
    return Col(
        name, tuple(tag for col in both for tag in col.tagged), tuple(const for col in both for const in col.consts)
    )


HANDLERS: dict[str, Handler] = {
    "JoinExpr": join,
    "JsonTable": _json_table,
    "RangeFunction": _functions,
    "RangeTableFunc": _xml_table,
    "RangeTableSample": _sampled,
    "RangeVar": relation,
}
