"""INSERT, UPDATE, DELETE and MERGE: what they write, what they read on the way, what they return. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.postgres.catalog import Col, Relation
from gateway.postgres.classified import DELETE, INSERT, MERGE, SELECT, UPDATE, Place
from gateway.postgres.expressions import expressions, not_understood, standing_alone
from gateway.postgres.from_items import from_item
from gateway.postgres.from_items import relation as relation_source
from gateway.postgres.lineage import INTO, WRITES, query, targets, where, with_queries
from gateway.postgres.scope import Scope, Source, no_column
from gateway.postgres.tree import Node, kind_of
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal


def target(w: Walk, fields: Node) -> tuple[Source, Relation]:
    """The relation a statement writes to, with what its rules or triggers do counted as a call.

    A WITH query of the same name never stands in for it. Raises Refusal for PostgreSQL's own relations.
    """
    source = relation_source(w, fields, Scope())
    relation = source.relation
    if relation is None or relation.is_system:
        raise Refusal("PostgreSQL's own relations cannot be written through the gate.", code="system_relation")
    if relation.acts:
        w.call(f"rules or triggers that stand in for writes to {relation.full_name}", unclear=False)
    return source, relation


def insert(w: Walk, body: Node, parent: Scope | None) -> list[Col]:
    """Walk an INSERT; gives the columns it returns."""
    env = with_queries(w, body, parent)
    source, _ = target(w, body["relation"])
    w.verbs.add(INSERT)
    written = _written(w, source, body.get("cols"))
    if "selectStmt" in body:
        outs = query(w, body["selectStmt"]["SelectStmt"], env)
        if len(outs) > len(written):
            raise Refusal("INSERT has more expressions than target columns", code="syntax_error", sqlstate="42601")
        _assign(w, zip(written, outs, strict=False))
    scope = Scope(env, [source])
    if "onConflictClause" in body:
        _on_conflict(w, body["onConflictClause"], scope, source, written)
    return _returning(w, body, scope, source)


def _written(w: Walk, source: Source, cols: Sequence[Node] | None) -> list[Col]:
    if cols is None:
        return list(source.outs)
    for item in cols:
        expressions(w, item["ResTarget"].get("indirection", ()), Scope(), "in an assignment")
    return [_named(source, item["ResTarget"]) for item in cols]


def _named(source: Source, fields: Node) -> Col:
    col = source.cols.get(fields["name"])
    if col is None:
        raise no_column(fields["name"])
    return col


def _assign(w: Walk, pairs: Iterable[tuple[Col, Col]]) -> None:
    """Note columns written with the values of others."""
    for written, value in pairs:
        if written.label:
            w.columns.add(written.label)
        w.read(value, INTO)
        if written.tagged:
            w.use(written.tagged, Place.WRITE, "written")
            w.mask(value.consts)


def _on_conflict(w: Walk, fields: Node, scope: Scope, source: Source, written: Sequence[Col]) -> None:
    infer = fields.get("infer", {})
    if "indexElems" not in infer:  # a constraint by its name, or any of them
        for col in written:
            _conflicting(w, col)
    for item in infer.get("indexElems", ()):
        element = item["IndexElem"]
        if "name" in element:
            _conflicting(w, _named(source, element))
        elif "expr" in element:
            standing_alone(w, element["expr"], scope, "in ON CONFLICT")
    if "whereClause" in infer:
        standing_alone(w, infer["whereClause"], scope, "in ON CONFLICT")
    if fields["action"] != "ONCONFLICT_UPDATE":
        return
    w.verbs.add(UPDATE)
    proposed = [Col(col.name) for col in source.outs]  # the agent's own values, not the table's
    excluded = Source({col.name: col for col in proposed}, alias="excluded", relation=source.relation, outs=proposed)
    inner = Scope(scope.parent, [source, _qualified_only(excluded)])
    _set(w, fields.get("targetList", ()), source, inner)
    if "whereClause" in fields:
        where(w, fields["whereClause"], inner)


def _qualified_only(source: Source) -> Source:
    """A source whose columns need its name before them."""
    return Source({}, outs=(), items=(source,))


def _conflicting(w: Walk, col: Col) -> None:
    """A conflict tells whether the value proposed is there: as much as a look-up does."""
    for one in col.tagged:
        place = Place.LOOKUP if one.tag.lookup else Place.OTHER
        w.use((one,), place, "in ON CONFLICT")


def update(w: Walk, body: Node, parent: Scope | None) -> list[Col]:
    """Walk an UPDATE; gives the columns it returns."""
    env = with_queries(w, body, parent)
    source, _ = target(w, body["relation"])
    w.verbs.add(UPDATE)
    scope = _beside(w, source, body.get("fromClause", ()), env)
    _set(w, body["targetList"], source, scope)
    _where(w, body, scope)
    return _returning(w, body, scope, source)


def delete(w: Walk, body: Node, parent: Scope | None) -> list[Col]:
    """Walk a DELETE; gives the columns it returns."""
    env = with_queries(w, body, parent)
    source, _ = target(w, body["relation"])
    w.verbs.add(DELETE)
    scope = _beside(w, source, body.get("usingClause", ()), env)
    _where(w, body, scope)
    return _returning(w, body, scope, source)


def _beside(w: Walk, source: Source, items: Sequence[Node], env: Scope | None) -> Scope:
    scope = Scope(env, [source])
    for item in items:
        w.verbs.add(SELECT)
        scope.sources.append(from_item(w, item, scope))
    return scope


def _where(w: Walk, body: Node, scope: Scope) -> None:
    if "whereClause" in body:
        where(w, body["whereClause"], scope)
    else:
        w.no_where = True


def _set(w: Walk, nodes: Sequence[Node], source: Source, scope: Scope) -> None:
    for node in nodes:
        fields = node["ResTarget"]
        written = _named(source, fields)
        expressions(w, fields.get("indirection", ()), scope, "in an assignment")
        consts = standing_alone(w, _value(fields["val"]), scope, "in an assignment")
        _assign(w, [(written, Col("", (), consts))])


def _value(node: Node) -> Node:
    """The value of `a = …`, or of one column in `(a, b) = (…, …)`."""
    kind, fields = kind_of(node)
    source = fields.get("source", {})
    if kind == "MultiAssignRef" and "RowExpr" in source:
        values = source["RowExpr"].get("args", ())
        if fields["colno"] <= len(values):
            value: Node = values[fields["colno"] - 1]
            return value
    return node


def merge(w: Walk, body: Node, parent: Scope | None) -> list[Col]:
    """Walk a MERGE; gives the columns it returns."""
    env = with_queries(w, body, parent)
    source, _ = target(w, body["relation"])
    w.verbs |= {MERGE, SELECT}
    scope = Scope(env, [source])
    using = from_item(w, body["sourceRelation"], Scope(env))
    scope.sources.append(using)
    standing_alone(w, body["joinCondition"], scope, "in a join")
    for item in body["mergeWhenClauses"]:
        _when(w, item["MergeWhenClause"], source, scope)
    return _returning(w, body, scope, source)


_WHEN = {"CMD_INSERT": INSERT, "CMD_UPDATE": UPDATE, "CMD_DELETE": DELETE}


def _when(w: Walk, fields: Node, source: Source, scope: Scope) -> None:
    command = fields["commandType"]
    if command in _WHEN:
        w.verbs.add(_WHEN[command])
    elif command != "CMD_NOTHING":
        raise not_understood(command)
    if "condition" in fields:
        standing_alone(w, fields["condition"], scope, "in MERGE WHEN")
    if command == "CMD_UPDATE":
        _set(w, fields.get("targetList", ()), source, scope)
    elif command == "CMD_INSERT":
        written = _written(w, source, fields.get("targetList"))
        for col, value in zip(written, fields.get("values", ()), strict=False):
            consts = standing_alone(w, value, scope, "in an assignment")
            _assign(w, [(col, Col("", (), consts))])


def _returning(w: Walk, body: Node, scope: Scope, source: Source) -> list[Col]:
    clause = body.get("returningClause")
    if clause is None:
        return []
    w.verbs.add(SELECT)
    if source.relation is not None and source.relation.acts:
        w.unclear = True
    versions = {"old": "old", "new": "new"}
    for item in clause.get("options", ()):
        option = item["ReturningOption"]
        versions[option["option"].removeprefix("RETURNING_OPTION_").lower()] = option["value"]
    taken = {item.alias for held in scope.sources for item in held.items}
    named = [
        _qualified_only(Source(source.cols, alias=alias, relation=source.relation, outs=source.outs))
        for alias in versions.values()
        if alias not in taken
    ]
    outs = targets(w, clause["exprs"], Scope(scope.parent, [*scope.sources, *named]), "in RETURNING")
    w.read_all(outs, "in RETURNING")
    return [Col(out.name, (), out.consts) for out in outs]


WRITES.update({"InsertStmt": insert, "UpdateStmt": update, "DeleteStmt": delete, "MergeStmt": merge})
