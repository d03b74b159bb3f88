"""Statements around a query: EXPLAIN, COPY, PREPARE, EXECUTE, cursors, LOCK, TRUNCATE, CALL. Pure."""

from __future__ import annotations

import re

from gateway.postgres.catalog import Col
from gateway.postgres.classified import CALL, COPY_IN, DDL, LOCK, SELECT, TRUNCATE, Place
from gateway.postgres.expressions import expressions, not_understood, standing_alone
from gateway.postgres.from_items import relation as relation_source
from gateway.postgres.lineage import INTO, WRITES, into_clause, query, refuse_temporary, where
from gateway.postgres.scope import Scope, Source, no_column
from gateway.postgres.session_statements import Facts, Handler, Known, fetched
from gateway.postgres.tree import Node, kind_of, parse, strings
from gateway.postgres.walk import Walk
from gateway.postgres.writes import target
from gateway.refusal import Refusal


def rows(w: Walk, node: Node) -> list[Col]:
    """The output columns of a SELECT, INSERT, UPDATE, DELETE or MERGE. Raises Refusal for anything else."""
    kind, fields = kind_of(node)
    if kind == "SelectStmt":
        w.verbs.add(SELECT)
        return query(w, fields, None)
    if kind in WRITES:
        return WRITES[kind](w, fields, None)
    raise not_understood(kind)


def plain(kind: str, w: Walk, fields: Node, known: Known) -> Facts:
    """A SELECT or a write that stands by itself: its output columns are the statement's."""
    outs = rows(w, {kind: fields})
    name = kind.removesuffix("Stmt").lower()
    if kind == "SelectStmt" and into_clause(fields) is not None:
        return {"kind": name, "is_ddl": True}
    if not outs and kind != "SelectStmt":
        return {"kind": name}
    return {"kind": name, "returns_rows": True, "outputs": len(outs), "outs": outs}


def _statement(w: Walk, node: Node, known: Known) -> Facts:
    """A statement inside another one."""
    kind, fields = kind_of(node)
    if kind in HANDLERS:
        return HANDLERS[kind](w, fields, known)
    return plain(kind, w, fields, known)


def _touch(w: Walk, outs: list[Col]) -> None:
    """Note tags of columns that are named but not put out."""
    w.tags.update(one.tag.name for out in outs for one in out.tagged)


def _explain(w: Walk, fields: Node, known: Known) -> Facts:
    facts = _statement(w, fields["query"], known)
    _touch(w, facts.get("outs", []))
    return {"kind": "explain", "returns_rows": True, "outputs": 1, "is_ddl": facts.get("is_ddl", False)}


# Prepared statements and cursors


def _prepare(w: Walk, fields: Node, known: Known) -> Facts:
    for item in fields.get("argtypes", ()):
        w.type(item["TypeName"]["names"])
    _touch(w, rows(w, fields["query"]))
    return {"kind": "prepare", "prepares": (fields["name"], known.text)}


def _execute(w: Walk, fields: Node, known: Known) -> Facts:
    text = fetched(fields["name"], known.prepared, "prepared statement", "26000")
    inner, outs = _read_again(w, text, "PrepareStmt", f"in the prepared statement {fields['name']}")
    for number, value in enumerate(fields.get("params", ()), 1):
        consts = standing_alone(w, value, Scope(), "in EXECUTE")
        if -number in inner.masked:
            w.mask(consts)
    return {"kind": "execute", "returns_rows": bool(outs), "outputs": len(outs), "outs": outs}


def _read_again(w: Walk, text: str, wrapper: str, words: str) -> tuple[Walk, list[Col]]:
    """Read the text of something made earlier, as it is understood now."""
    statements = parse(text)
    if len(statements) != 1:
        raise not_understood(wrapper)
    node = statements[0]["stmt"]
    inner = Walk(w.catalog)
    outs = rows(inner, node.get(wrapper, {}).get("query", node))
    w.absorb(inner, words)
    return inner, [Col(out.name, out.tagged) for out in outs]


def _declare(w: Walk, fields: Node, known: Known) -> Facts:
    outs = rows(w, fields["query"])
    w.read_all(outs, "through a cursor")
    return {"kind": "declare", "declares": (fields["portalname"], known.text)}


def _fetch(w: Walk, fields: Node, known: Known) -> Facts:
    text = fetched(fields["portalname"], known.cursors, "cursor", "34000")
    _, outs = _read_again(w, text, "DeclareCursorStmt", "")
    w.read_all(outs, "through a cursor")
    if fields.get("ismove"):
        return {"kind": "move"}
    return {"kind": "fetch", "returns_rows": True, "outputs": len(outs)}


# COPY


_COPY_OPTIONS = frozenset(
    """
    format delimiter null header quote escape force_quote force_not_null force_null encoding freeze default on_error
    log_verbosity reject_limit
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)
_UTF8 = re.compile(r"utf-?8", re.IGNORECASE)


def _copy(w: Walk, fields: Node, known: Known) -> Facts:
    if fields.get("is_program") or "filename" in fields:
        raise Refusal("COPY through the gate works with STDIN and STDOUT only.", code="copy_file")
    for item in fields.get("options", ()):
        _copy_option(item["DefElem"])
    if fields.get("is_from"):
        return _copy_in(w, fields)
    if "query" in fields:
        outs = rows(w, fields["query"])
    else:
        w.verbs.add(SELECT)
        source = relation_source(w, fields["relation"], Scope())
        outs = _copied(w, source, fields)
    w.read_all(outs, "in COPY")
    return {"kind": "copy"}


def _copy_option(fields: Node) -> None:
    name = fields["defname"]
    if name not in _COPY_OPTIONS:
        raise not_understood(f"COPY option {name}")
    if name == "encoding" and not _UTF8.fullmatch(str(fields.get("arg", {}).get("String", {}).get("sval"))):
        raise Refusal("COPY through the gate is in UTF8.", code="setting_value_denied", sqlstate="22023")


def _copied(w: Walk, source: Source, fields: Node) -> list[Col]:
    names = strings(fields.get("attlist", []))
    for name in names:
        if name not in source.cols:
            raise no_column(name)
    cols = [source.cols[name] for name in names] if names else list(source.outs)
    w.columns.update(col.label for col in cols if col.label)
    return cols


def _copy_in(w: Walk, fields: Node) -> Facts:
    source, _ = target(w, fields["relation"])
    w.verbs.add(COPY_IN)
    for col in _copied(w, source, fields):
        w.use(col.tagged, Place.WRITE, "written")
    if "whereClause" in fields:
        where(w, fields["whereClause"], Scope(None, [source]))
    return {"kind": "copy"}


# Whole tables


def _lock(w: Walk, fields: Node, known: Known) -> Facts:
    w.verbs.add(LOCK)
    for item in fields["relations"]:
        target(w, item["RangeVar"])
    return {"kind": "lock"}


def _truncate(w: Walk, fields: Node, known: Known) -> Facts:
    w.verbs.add(TRUNCATE)
    if fields.get("behavior") == "DROP_CASCADE":
        raise Refusal(
            "TRUNCATE … CASCADE would empty tables that it does not name.", code="cascade", remedy="Name every table."
        )
    for item in fields["relations"]:
        target(w, item["RangeVar"])
    return {"kind": "truncate"}


def _create_as(w: Walk, fields: Node, known: Known) -> Facts:
    w.verbs.add(DDL)
    into = fields["into"]["rel"]
    refuse_temporary(into)
    facts = _statement(w, fields["query"], known)
    w.read_all(facts.get("outs", []), INTO)
    schemas = (schema for schema in w.catalog.search_path if schema != "pg_catalog")
    w.named.add(f"{into.get('schemaname') or next(schemas, '?')}.{into['relname']}")
    return {"kind": "create table as", "is_ddl": True}


def _call(w: Walk, fields: Node, known: Known) -> Facts:
    call = fields["funccall"]
    *qualifier, name = strings(call["funcname"])
    w.verbs.add(CALL)
    w.function(qualifier[-1] if qualifier else None, name)
    w.why_call[f"the procedure {name}"] = None
    expressions(w, call.get("args", ()), Scope(), "in CALL")
    return {"kind": "call"}


HANDLERS: dict[str, Handler] = {
    "CallStmt": _call,
    "CopyStmt": _copy,
    "CreateTableAsStmt": _create_as,
    "DeclareCursorStmt": _declare,
    "ExecuteStmt": _execute,
    "ExplainStmt": _explain,
    "FetchStmt": _fetch,
    "LockStmt": _lock,
    "PrepareStmt": _prepare,
    "TruncateStmt": _truncate,
}
