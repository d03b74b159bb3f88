"""Read a text of SQL: what it does, to what, and where it touches tagged columns. Pure.

1. Decode: UTF-8, no NUL, not over-long.
2. Parse with PostgreSQL's own grammar.
3. Walk each statement; what has no entry in a table of understood kinds is refused.
4. Judge the text as a whole: nothing may change what names mean before another statement uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateway.postgres import schema_changes, session_statements, utility
from gateway.postgres.catalog import Catalog, Col
from gateway.postgres.classified import CALL, Classified, Place, Statement, strongest
from gateway.postgres.dangerous import require_harmless
from gateway.postgres.expressions import not_understood
from gateway.postgres.functions import casts_between_system_types
from gateway.postgres.lineage import WRITES
from gateway.postgres.session_statements import Facts, Known
from gateway.postgres.tree import Node, decode, kind_of, parse, too_deep
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

NOTHING: Mapping[str, str] = {}

NOTHING_FOLLOWS = (
    "A statement that changes the schema must be the last one of its text:"
    " what the others mean could not be decided before it has run."
)


def classify(
    sql: str | bytes,
    catalog: Catalog,
    *,
    prepared: Mapping[str, str] = NOTHING,
    cursors: Mapping[str, str] = NOTHING,
    parameter_types: Iterable[int] = (),
) -> Classified:
    """Read `sql` against `catalog`.

    `prepared` and `cursors` map names that the session holds to their texts; without them EXECUTE and FETCH are
    refused. `parameter_types` are the OIDs a client declares for $1, $2, …

    Raises Refusal, and nothing else, for what does not parse, is not understood or is not available through the gate.
    """
    try:
        return _classified(decode(sql), catalog, Known(prepared, cursors), parameter_types)
    except RecursionError:
        raise too_deep() from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, AssertionError) as error:
        # A tree of a form this code does not expect: it is not understood, and so denied.
        raise not_understood(type(error).__name__) from error


def _classified(text: str, catalog: Catalog, known: Known, parameter_types: Iterable[int]) -> Classified:
    w = Walk(catalog)
    w.types.update(parameter_types)
    nodes = parse(text)
    raw = text.encode() if len(nodes) > 1 else b""
    statements = []
    for index, node in enumerate(nodes):
        known.text = _text_of(node, raw) if raw else text
        w.statement = index
        statements.append(_one(w, node["stmt"], known, alone=len(nodes) == 1))
    if len(statements) > 1:
        _refuse_change_before_use(statements)
    w.settle()
    if catalog.casts and casts_between_system_types(catalog):
        w.call("casts between PostgreSQL's own types, added to this database")
    return _result(text, w, statements)


def _text_of(node: Node, raw: bytes) -> str:
    start = node.get("stmt_location", 0)
    length = node.get("stmt_len", 0)
    return raw[start : start + length if length else None].decode().strip()


def _one(w: Walk, node: Node, known: Known, *, alone: bool) -> Statement:
    kind, fields = kind_of(node)
    before = w.verbs
    w.verbs = set()
    facts = _facts(kind, w, fields, known)
    _outputs(w, facts.get("outs", ()))
    if not alone:
        known.learn(facts)
    verb = strongest(w.verbs)
    w.verbs |= before
    return Statement(
        kind=facts["kind"],
        verb=verb,
        transaction=facts.get("transaction"),
        savepoint=facts.get("savepoint", ""),
        setting=facts.get("setting"),
        is_ddl=facts.get("is_ddl", False),
        returns_rows=facts.get("returns_rows", False),
        outputs=facts.get("outputs"),
        prepares=facts.get("prepares"),
        deallocates=facts.get("deallocates"),
        declares=facts.get("declares"),
        closes=facts.get("closes"),
    )


def _facts(kind: str, w: Walk, fields: Node, known: Known) -> Facts:
    require_harmless(kind, fields)
    if kind == "SelectStmt" or kind in WRITES:
        return utility.plain(kind, w, fields, known)
    if kind in session_statements.HANDLERS:
        return session_statements.handle(kind, w, fields, known)
    if kind in utility.HANDLERS:
        return utility.HANDLERS[kind](w, fields, known)
    if kind in schema_changes.CHANGES or kind in schema_changes.GRANTS:
        return schema_changes.handle(kind, w, fields, known)
    raise not_understood(kind)


def _outputs(w: Walk, outs: Sequence[Col]) -> None:
    for index, out in enumerate(outs):
        if out.tagged:
            w.use(out.tagged, Place.OUTPUT, "put out", index)


def _refuse_change_before_use(statements: Sequence[Statement]) -> None:
    changed = False
    for statement in statements:
        if changed and statement.transaction is None:
            raise Refusal(NOTHING_FOLLOWS, code="change_before_use", remedy="Send it by itself.")
        changed = changed or statement.is_ddl


def _result(text: str, w: Walk, statements: Sequence[Statement]) -> Classified:
    relations = list(w.relations.values())
    if len(relations) > 1:
        relations.sort(key=lambda relation: relation.full_name)
    names = tuple(relation.identity for relation in relations)
    if w.routines:
        names += tuple(sorted((f"{one.schema}.{one.name}", one.oid, one.digest) for one in w.routines.values()))
    tables = frozenset(relation.full_name for relation in relations)
    return Classified(
        sql=text,
        verbs=frozenset(w.verbs),
        tables=tables | w.named if w.named else tables,
        columns=frozenset(w.columns),
        tags=frozenset(w.tags),
        tag_uses=tuple(w.uses),
        outputs_unclear=w.unclear,
        names=names,
        statements=tuple(statements),
        has_where=not w.no_where,
        tagged_parameters=frozenset(-number for number in w.masked if number < 0),
        why_call=tuple(w.why_call) if CALL in w.verbs else (),
        catalog=w.catalog,
        views=w.views,
        masked=frozenset(offset for offset in w.masked if offset >= 0),
        redact=w.redact,
    )
