"""Walk an expression: which columns it reads, which functions, operators and casts it uses. Pure.

`words` says where the expression stands; a tagged column met on the way is noted with them. `HANDLERS` has one entry
for each kind of node that is understood; any other kind refuses the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.postgres import settings_allowed
from gateway.postgres.catalog import Col
from gateway.postgres.classified import SESSION
from gateway.postgres.output_names import output_name
from gateway.postgres.scope import AMBIGUOUS, SYSTEM_COLUMNS, Scope, Source, no_column
from gateway.postgres.tree import Node, constant_text, strings
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

Handler = Callable[[Walk, Node, Scope, str], None]

DATABASE_QUALIFIED = 4
"""Parts of a column's name written with database and schema."""


class Row(Col):
    """A whole row as a value: any of its columns may come out."""

    __slots__ = ()


def expression(w: Walk, node: Node, scope: Scope, words: str) -> None:
    """Walk one expression. Raises Refusal for a kind of node that is not understood."""
    for kind, fields in node.items():
        handler = HANDLERS.get(kind)
        if handler is None:
            raise not_understood(kind)
        handler(w, fields, scope, words)


def expressions(w: Walk, nodes: Sequence[Node], scope: Scope, words: str) -> None:
    """Walk several."""
    for node in nodes:
        expression(w, node, scope, words)


def standing_alone(w: Walk, node: Node, scope: Scope, words: str) -> tuple[int, ...]:
    """Walk an expression as a unit: if it reads a tagged column, all its constants count as tagged. Gives its constants."""
    start, before = len(w.consts), w.touched
    w.touched = False
    expression(w, node, scope, words)
    consts = tuple(w.consts[start:])
    if w.touched:
        w.mask(consts)
    w.touched = w.touched or before
    return consts


def not_understood(kind: str) -> Refusal:
    """The refusal of a kind of node or statement that the gate has no entry for."""
    return Refusal(f"The gate does not understand this statement ({kind}).", code="not_understood")


# Columns


def resolve(w: Walk, fields: Node, scope: Scope) -> Col:
    """What a column reference means: a column, or a Row. Raises Refusal where it means nothing the gate can see."""
    names = strings(fields["fields"])
    if len(names) == 1:
        col = scope.column(names[0])
        if col is None:
            return row_of(w, names[0], scope.source(names[0]))
    elif names[-1] == "*" and "A_Star" in fields["fields"][-1]:
        return row_of(w, names[-2], qualified_source(w, names[:-1], scope))
    else:
        col = _qualified(w, names, scope)
    if col.label:
        w.columns.add(col.label)
    return col


def qualified_source(w: Walk, qualifier: Sequence[str], scope: Scope) -> Source | None:
    """The thing in FROM that `alias`, `schema.table` or `database.schema.table` means."""
    if len(qualifier) > DATABASE_QUALIFIED - 1 or (
        len(qualifier) == DATABASE_QUALIFIED - 1 and qualifier[0] != w.catalog.database
    ):
        raise Refusal("Other databases cannot be named.", code="other_database", sqlstate="0A000")
    return scope.source(qualifier[-1], qualifier[-2] if len(qualifier) > 1 else None)


def _qualified(w: Walk, names: Sequence[str], scope: Scope) -> Col:
    source = qualified_source(w, names[:-1], scope)
    if source is None:
        raise Refusal(f'missing FROM-clause entry for table "{names[-2]}"', code="unknown_relation", sqlstate="42P01")
    return field(source, names[-1])


def field(source: Source, name: str) -> Col:
    """A column of one thing in FROM. Raises Refusal: PostgreSQL would take an unknown name for a function to call."""
    col = source.cols.get(name)
    if col is AMBIGUOUS:
        raise Refusal(f'column reference "{name}" is ambiguous', code="ambiguous", sqlstate="42702")
    if col is not None:
        return col
    if source.is_open or (source.relation is not None and name in SYSTEM_COLUMNS):
        return Col(name)
    raise no_column(name)


def row_of(w: Walk, name: str, source: Source | None) -> Row:
    """The whole row of a thing in FROM, as one value."""
    if source is None:
        raise no_column(name)
    w.columns.update(col.label for col in source.outs if col.label)
    cols = source.outs
    return Row(
        name, tuple(tag for col in cols for tag in col.tagged), tuple(const for col in cols for const in col.consts)
    )


def _column(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    col = resolve(w, fields, scope)
    w.read(col, "as a whole row" if isinstance(col, Row) else words)


def _indirection(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    arg = fields["arg"]
    for part in fields.get("indirection", ()):
        if "String" in part:
            w.attribute(part["String"]["sval"])
        elif "A_Indices" in part:
            expression(w, part, scope, words)
    expression(w, arg, scope, words)


# Constants


def _constant(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    location = fields.get("location", -1)
    if location >= 0:  # the parser makes some constants of its own
        w.consts.append(location)


def _parameter(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    w.consts.append(-int(fields.get("number", 0)))


# Functions, operators, casts


def _function(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    *qualifier, name = strings(fields["funcname"])
    args = fields.get("args", ())
    if name not in SETTINGS or not SETTINGS[name](w, qualifier, args):
        w.function(qualifier[-1] if qualifier else None, name)
    inside = f"inside {name}()"
    expressions(w, args, scope, inside)
    if "agg_order" in fields:
        expressions(w, fields["agg_order"], scope, inside)
    if "agg_filter" in fields:
        expression(w, fields["agg_filter"], scope, "in FILTER")
    if "over" in fields:
        window(w, fields["over"], scope)


def _reads_setting(w: Walk, qualifier: Sequence[str], args: Sequence[Node]) -> bool:
    """`current_setting('a name that may be shown')`: no more than SHOW."""
    named = constant_text(args[0]) if args else None
    return (
        qualifier in ([], ["pg_catalog"])
        and not w.catalog.functions.get("current_setting")
        and named is not None
        and named.lower() in settings_allowed.SHOWABLE
    )


def _sets_setting(w: Walk, qualifier: Sequence[str], args: Sequence[Node]) -> bool:
    """`set_config('jit', …)`, which asyncpg sends: a setting that changes no meaning, whatever its value."""
    named = constant_text(args[0]) if args else None
    if named != "jit" or qualifier not in ([], ["pg_catalog"]) or w.catalog.functions.get("set_config"):
        raise Refusal("Settings are changed with SET, not with set_config().", code="setting_denied")
    w.verbs.add(SESSION)
    return True


SETTINGS: dict[str, Callable[[Walk, Sequence[str], Sequence[Node]], bool]] = {
    "current_setting": _reads_setting,
    "set_config": _sets_setting,
}
"""Functions that are judged by their constant arguments; each says whether that has settled it."""


def window(w: Walk, fields: Node, scope: Scope) -> None:
    """Walk a window's definition."""
    words = "in a window"
    expressions(w, fields.get("partitionClause", ()), scope, words)
    expressions(w, fields.get("orderClause", ()), scope, words)
    for bound in ("startOffset", "endOffset"):
        if bound in fields:
            expression(w, fields[bound], scope, words)


def _window(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    window(w, fields, scope)


_BETWEEN = {
    "AEXPR_BETWEEN": (">=", "<="),
    "AEXPR_NOT_BETWEEN": ("<", ">"),
    "AEXPR_BETWEEN_SYM": (">=", "<="),
    "AEXPR_NOT_BETWEEN_SYM": ("<", ">"),
}


def operators(w: Walk, fields: Node) -> None:
    """Note the operator of an A_Expr, or those that a BETWEEN stands for."""
    if fields["kind"] in _BETWEEN:
        for name in _BETWEEN[fields["kind"]]:
            w.operator(None, name)
        return
    *qualifier, name = strings(fields["name"])
    w.operator(qualifier[-1] if qualifier else None, name)


def _operator(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    operators(w, fields)
    for side in ("lexpr", "rexpr"):
        if side in fields:
            expression(w, fields[side], scope, words)


def _cast(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    w.type(fields["typeName"]["names"])
    expression(w, fields["arg"], scope, words)


def _case(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    if "arg" in fields:
        w.operator(None, "=")
    _children("arg", "args", "defresult")(w, fields, scope, words)


def _sort(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    sort_operator(w, fields)
    expression(w, fields["node"], scope, words)


def sort_operator(w: Walk, fields: Node) -> None:
    """Note what a SortBy compares with."""
    *qualifier, name = strings(fields["useOp"]) if "useOp" in fields else ["<"]
    w.operator(qualifier[-1] if qualifier else None, name)


# The rest, by table


def _children(*keys: str) -> Handler:
    def walk(w: Walk, fields: Node, scope: Scope, words: str) -> None:
        for key in keys:
            held = fields.get(key)
            if isinstance(held, list):
                expressions(w, held, scope, words)
            elif held:
                expression(w, held, scope, words)

    return walk


def _nothing(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    """A leaf that reads nothing."""


def deep(w: Walk, fields: object, scope: Scope, words: str) -> None:
    """Walk everything under a node whose fields are all expressions, types or plain values (JSON's own syntax)."""
    if isinstance(fields, list):
        for held in fields:
            deep(w, held, scope, words)
    elif isinstance(fields, dict):
        for key, held in fields.items():
            if key[:1].isupper():
                expression(w, {key: held}, scope, words)
            elif key == "typeName":
                w.type(held["names"])
            else:
                deep(w, held, scope, words)


def _json(kind: str) -> Handler:
    """A function with a syntax of its own; to a server older than that syntax it is a call by that name."""

    def walk(w: Walk, fields: Node, scope: Scope, words: str) -> None:
        name = output_name({kind: fields})
        if w.catalog.functions.get(name):
            w.function(None, name)
        deep(w, fields, scope, f"inside {name}()" if name != "?column?" else words)

    return walk


def _xml_type(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    w.type(fields["typeName"]["names"])
    expression(w, fields["expr"], scope, words)


_JSON = (
    "JsonObjectConstructor",
    "JsonArrayConstructor",
    "JsonArrayQueryConstructor",
    "JsonFuncExpr",
    "JsonIsPredicate",
    "JsonParseExpr",
    "JsonScalarExpr",
    "JsonSerializeExpr",
    "JsonObjectAgg",
    "JsonArrayAgg",
    "JsonAggConstructor",
    "JsonValueExpr",
    "JsonOutput",
    "JsonReturning",
    "JsonFormat",
    "JsonKeyValue",
    "JsonBehavior",
    "JsonArgument",
    "JsonTablePathSpec",
)

HANDLERS: dict[str, Handler] = {
    "A_ArrayExpr": _children("elements"),
    "A_Const": _constant,
    "A_Expr": _operator,
    "A_Indices": _children("lidx", "uidx"),
    "A_Indirection": _indirection,
    "BoolExpr": _children("args"),
    "BooleanTest": _children("arg"),
    "CaseExpr": _case,
    "CaseWhen": _children("expr", "result"),
    "CoalesceExpr": _children("args"),
    "CollateClause": _children("arg"),
    "ColumnRef": _column,
    "FuncCall": _function,
    "GroupingFunc": _children("args"),
    "GroupingSet": _children("content"),
    "Integer": _nothing,
    "List": _children("items"),
    "MergeSupportFunc": _nothing,
    "MinMaxExpr": _children("args"),
    "MultiAssignRef": _children("source"),
    "NamedArgExpr": _children("arg"),
    "NullTest": _children("arg"),
    "ParamRef": _parameter,
    "RowExpr": _children("args"),
    "SQLValueFunction": _nothing,
    "SetToDefault": _nothing,
    "SortBy": _sort,
    "String": _nothing,
    "TypeCast": _cast,
    "WindowDef": _window,
    "XmlExpr": _children("named_args", "args"),
    "XmlSerialize": _xml_type,
} | {kind: _json(kind) for kind in _JSON}
"""Kind of node to what it reads. Subqueries are added by `lineage`."""
