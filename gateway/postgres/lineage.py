"""Where each output column of a query comes from. Pure.

A column that is put out unchanged keeps the tags of the columns it came from, through subqueries, WITH queries, views
and UNION ALL. Everything else that reads a tagged column is noted as a use where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from gateway.postgres.catalog import Col, TaggedColumn
from gateway.postgres.classified import DDL, LOCK, SELECT, Place
from gateway.postgres.expressions import (
    HANDLERS as EXPRESSIONS,
)
from gateway.postgres.expressions import (
    Row,
    expression,
    expressions,
    not_understood,
    operators,
    qualified_source,
    resolve,
    row_of,
    sort_operator,
    standing_alone,
    window,
)
from gateway.postgres.from_items import HANDLERS as FROM_ITEMS
from gateway.postgres.from_items import aliased, from_item
from gateway.postgres.output_names import output_name
from gateway.postgres.scope import Scope, Source, no_column, renamed
from gateway.postgres.tree import Node, kind_of, strings
from gateway.postgres.views import Reader
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

INTO = "copied into a table"


def query(w: Walk, body: Node, parent: Scope | None) -> list[Col]:
    """The output columns of a SelectStmt. `parent` is the level around it."""
    env = with_queries(w, body, parent)
    if body.get("op", "SETOP_NONE") != "SETOP_NONE":
        outs = _set_operation(w, body, env)
        scope = Scope(env)
    elif "valuesLists" in body:
        scope = Scope(env)
        outs = _values(w, body["valuesLists"], scope)
    else:
        outs, scope = _plain(w, body, env)
    _order_and_limit(w, body, scope, outs)
    into = into_clause(body)
    if into is not None:
        w.verbs.add(DDL)
        refuse_temporary(into["rel"])
        w.read_all(outs, INTO)
    return outs


def into_clause(body: Node) -> Node | None:
    """The INTO of a SelectStmt; of several queries in one, it stands in the first and means them all."""
    while "larg" in body:
        body = body["larg"]
    into: Node | None = body.get("intoClause")
    return into


def refuse_temporary(relation: Node) -> None:
    """Raise Refusal for a temporary relation: it would stand before every other of its name, unseen by the gate."""
    if relation.get("relpersistence") == "t" or str(relation.get("schemaname", "")).startswith("pg_temp"):
        raise Refusal(
            "Temporary objects are not available through the gate: one could stand in for a real table of its name.",
            code="temporary",
            remedy="Use WITH, or a table made for the purpose.",
        )


def _plain(w: Walk, body: Node, env: Scope | None) -> tuple[list[Col], Scope]:
    scope = Scope(env)
    for item in body.get("fromClause", ()):
        scope.sources.append(from_item(w, item, scope))
    if scope.sources:
        w.verbs.add(SELECT)
    outs = targets(w, body.get("targetList", ()), scope, "in an expression")
    if "whereClause" in body:
        where(w, body["whereClause"], scope)
    if "groupClause" in body:
        _group(w, body["groupClause"], scope, outs)
    if "havingClause" in body:
        standing_alone(w, body["havingClause"], scope, "in HAVING")
    for item in body.get("windowClause", ()):
        window(w, item["WindowDef"], scope)
    if "distinctClause" in body:
        _distinct(w, body["distinctClause"], scope, outs)
    return outs, scope


# Output columns


def targets(w: Walk, nodes: Sequence[Node], scope: Scope, words: str) -> list[Col]:
    """The columns of a target list, stars expanded."""
    outs: list[Col] = []
    for node in nodes:
        fields = node["ResTarget"]
        outs += _target(w, fields["val"], fields.get("name"), scope, words)
    return outs


def _target(w: Walk, val: Node, name: str | None, scope: Scope, words: str) -> Sequence[Col]:
    if "ColumnRef" in val:
        parts = val["ColumnRef"]["fields"]
        if "A_Star" in parts[-1]:
            return _star(w, strings(parts[:-1]), scope)
        col = resolve(w, val["ColumnRef"], scope)
        if not isinstance(col, Row):
            return (col if name is None else Col(name, col.tagged, col.consts),)
    elif "A_Indirection" in val and "A_Star" in val["A_Indirection"]["indirection"][-1]:
        raise not_understood("(…).*")
    consts = standing_alone(w, val, scope, words)
    return (Col(name or output_name(val), (), consts),)


def _star(w: Walk, qualifier: Sequence[str], scope: Scope) -> Sequence[Col]:
    if qualifier:
        source = qualified_source(w, qualifier, scope)
        if source is None:
            raise no_column(f"{qualifier[-1]}.*")
        sources = [source]
    else:
        sources = scope.sources
    if not sources:
        raise Refusal("SELECT * with no tables specified is not valid", code="syntax_error", sqlstate="42601")
    if any(source.is_open for source in sources):
        w.unclear = True
    cols = [col for source in sources for col in source.outs]
    w.columns.update(col.label for col in cols if col.label)
    return cols


# Predicates


def where(w: Walk, node: Node, scope: Scope) -> None:
    """Walk a WHERE: each ANDed part for itself, so that a look-up is seen as one."""
    bool_expr = node.get("BoolExpr")
    if bool_expr is not None and bool_expr["boolop"] == "AND_EXPR":
        for part in bool_expr["args"]:
            where(w, part, scope)
    elif not _is_lookup(w, node.get("A_Expr"), scope):
        standing_alone(w, node, scope, "in a predicate")


def _is_lookup(w: Walk, fields: Node | None, scope: Scope) -> bool:
    """Deal with `column = constant`; False for anything else."""
    if fields is None or fields["kind"] != "AEXPR_OP" or "lexpr" not in fields:
        return False
    if strings(fields["name"])[-1] != "=":
        return False
    left, right = fields["lexpr"], fields["rexpr"]
    if "ColumnRef" not in left:
        left, right = right, left
    if "ColumnRef" not in left or not _is_constant(right):
        return False
    col = resolve(w, left["ColumnRef"], scope)
    if isinstance(col, Row):
        return False
    operators(w, fields)
    start = len(w.consts)
    expression(w, right, scope, "")
    if col.tagged:
        _look_up(w, col)
        w.mask(w.consts[start:])
        w.mask(col.consts)
    w.consts += col.consts
    return True


def _is_constant(node: Node) -> bool:
    kind, fields = kind_of(node)
    return kind in {"A_Const", "ParamRef"} or (kind == "TypeCast" and _is_constant(fields["arg"]))


def _look_up(w: Walk, col: Col) -> None:
    for one in col.tagged:
        if one.tag.lookup:
            w.use((one,), Place.LOOKUP, "compared with a constant")
        else:
            w.use((one,), Place.OTHER, "compared with a constant, and its tag allows no look-ups")


# Grouping, order, limits


def _group(w: Walk, nodes: Sequence[Node], scope: Scope, outs: Sequence[Col]) -> None:
    w.operator(None, "=")
    for node in nodes:
        kind, fields = kind_of(node)
        if kind == "GroupingSet":
            _group(w, fields.get("content", ()), scope, outs)
        elif kind == "RowExpr":
            _group(w, fields.get("args", ()), scope, outs)
        else:
            _by_output(w, node, scope, outs, "in GROUP BY", inputs_first=True)


def _distinct(w: Walk, nodes: Sequence[Node], scope: Scope, outs: Sequence[Col]) -> None:
    w.operator(None, "=")
    if not any(nodes):  # plain DISTINCT is a list of one absent node
        w.read_all(outs, "in DISTINCT")
        return
    for node in nodes:
        _by_output(w, node, scope, outs, "in DISTINCT ON")


def _order_and_limit(w: Walk, body: Node, scope: Scope, outs: Sequence[Col]) -> None:
    for item in body.get("sortClause", ()):
        sort_operator(w, item["SortBy"])
        _by_output(w, item["SortBy"]["node"], scope, outs, "in ORDER BY")
    for key in ("limitCount", "limitOffset"):
        if key in body:
            expression(w, body[key], scope, "in LIMIT")
    if "lockingClause" in body:
        w.verbs.add(LOCK)


def _by_output(
    w: Walk, node: Node, scope: Scope, outs: Sequence[Col], words: str, *, inputs_first: bool = False
) -> None:
    """An item of ORDER BY, GROUP BY or DISTINCT ON: an output by name or number, or an expression.

    Where a name could be an output and an input column, both count as read.
    """
    kind, fields = kind_of(node)
    if kind == "A_Const" and "ival" in fields:
        position = fields["ival"].get("ival", 0)
        if not 0 < position <= len(outs):
            raise Refusal(f"position {position} is not in the select list", code="unknown_column", sqlstate="42P10")
        w.read(outs[position - 1], words)
        return
    if kind == "ColumnRef" and len(fields["fields"]) == 1:
        named = [out for out in outs if out.name == strings(fields["fields"])[0]]
        w.read_all(named, words)
        if named and (not inputs_first or scope.column(named[0].name) is None):
            return
    standing_alone(w, node, scope, words)


# Several queries in one


def _set_operation(w: Walk, body: Node, env: Scope | None) -> list[Col]:
    left = query(w, body["larg"], env)
    right = query(w, body["rarg"], env)
    if len(left) != len(right):
        raise Refusal("each UNION query must have the same number of columns", code="syntax_error", sqlstate="42601")
    if body["op"] != "SETOP_UNION" or not body.get("all"):
        w.operator(None, "=")
        w.read_all((*left, *right), "in UNION, INTERSECT or EXCEPT")
    return [_either(one, other) for one, other in zip(left, right, strict=True)]


def _either(one: Col, other: Col) -> Col:
    return Col(one.name, tuple(dict.fromkeys(one.tagged + other.tagged)), one.consts + other.consts)


def _values(w: Walk, rows: Sequence[Node], scope: Scope) -> list[Col]:
    tagged: list[list[TaggedColumn]] = []
    consts: list[list[int]] = []
    for row in rows:
        cells = [out for cell in row["List"]["items"] for out in _target(w, cell, "", scope, "in VALUES")]
        if not consts:
            tagged, consts = [[] for _ in cells], [[] for _ in cells]
        elif len(cells) != len(consts):
            raise Refusal("VALUES lists must all be the same length", code="syntax_error", sqlstate="42601")
        for number, cell in enumerate(cells):
            tagged[number] += cell.tagged
            consts[number] += cell.consts
    columns = zip(tagged, consts, strict=True)
    return [
        Col(f"column{n}", tuple(dict.fromkeys(tags)), tuple(offsets)) for n, (tags, offsets) in enumerate(columns, 1)
    ]


def with_queries(w: Walk, body: Node, parent: Scope | None) -> Scope | None:
    """The level that a statement's WITH queries make around it; `parent` itself when it has none."""
    clause = body.get("withClause")
    if clause is None:
        return parent
    env = Scope(parent, (), {})
    held = env.ctes = {}
    definitions = [item["CommonTableExpr"] for item in clause["ctes"]]
    if clause.get("recursive"):
        held.update(dict.fromkeys(definition["ctename"] for definition in definitions))
    for definition in definitions:
        cols = _with_query(w, definition, env, recursive=bool(clause.get("recursive")))
        held[definition["ctename"]] = cols
    return env


def _with_query(w: Walk, fields: Node, env: Scope, *, recursive: bool) -> list[Col]:
    if "search_clause" in fields or "cycle_clause" in fields:
        raise not_understood("SEARCH or CYCLE in a WITH query")
    names = strings(fields.get("aliascolnames", []))
    kind, body = kind_of(fields["ctequery"])
    if kind == "SelectStmt":
        if recursive and body.get("op", "SETOP_NONE") != "SETOP_NONE":
            return _recursive(w, fields["ctename"], body, env, names)
        outs = query(w, body, env)
    elif kind in WRITES:
        outs = WRITES[kind](w, body, env)
    else:
        raise not_understood(kind)
    return _named(outs, names)


def _named(outs: Sequence[Col], names: Sequence[str]) -> list[Col]:
    plain = [Col(out.name, out.tagged, out.consts) for out in outs]
    return renamed(plain, names) if names else plain


def _recursive(w: Walk, name: str, body: Node, env: Scope, names: Sequence[str]) -> list[Col]:
    """A WITH query that may read itself. Its tagged outputs count as read: which of them flow where is not followed."""
    assert env.ctes is not None  # noqa: S101 -- set by with_queries, which is the one caller
    inner = with_queries(w, body, env)
    first = _named(query(w, body["larg"], inner), names)
    clean = [Col(out.name, (), out.consts) for out in first]
    env.ctes[name] = clean
    second = query(w, body["rarg"], inner)
    w.read_all((*first, *second), "in a recursive query")
    _order_and_limit(w, body, Scope(inner), first)
    merged = [one.consts + (other.consts if other else ()) for one, other in zip_longest(first, second) if one]
    return [Col(out.name, (), consts) for out, consts in zip(first, merged, strict=True)]


WRITES: dict[str, Callable[[Walk, Node, Scope | None], list[Col]]] = {}
"""INSERT, UPDATE, DELETE and MERGE, to the columns they return; filled by `writes`."""


# Subqueries


def _subselect(w: Walk, fields: Node, scope: Scope) -> Source:
    around = scope if fields.get("lateral") else scope.parent
    return aliased(fields, query(w, fields["subquery"]["SelectStmt"], around))


def _sublink(w: Walk, fields: Node, scope: Scope, words: str) -> None:
    if "testexpr" in fields:
        *qualifier, name = strings(fields["operName"]) if "operName" in fields else ["="]
        w.operator(qualifier[-1] if qualifier else None, name)
        expression(w, fields["testexpr"], scope, words)
    outs = query(w, fields["subselect"]["SelectStmt"], scope)
    if fields["subLinkType"] != "EXISTS_SUBLINK":
        w.read_all(outs, "in a subquery")


EXPRESSIONS["SubLink"] = _sublink
FROM_ITEMS["RangeSubselect"] = _subselect
Reader.query = query

__all__ = ["INTO", "WRITES", "expressions", "query", "refuse_temporary", "row_of", "targets", "where", "with_queries"]
