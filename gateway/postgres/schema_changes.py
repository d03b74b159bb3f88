"""Schema changes and grants: which relations they name, and whether they touch tagged columns. Pure.

Their insides are not followed as a query's are: what is named anywhere in one counts. Kinds that are not listed are
refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.postgres.catalog import Relation
from gateway.postgres.classified import DDL, GRANT, Place
from gateway.postgres.lineage import refuse_temporary
from gateway.postgres.session_statements import Facts, Known
from gateway.postgres.tree import Node, strings
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

CREATES = frozenset(
    """
    CompositeTypeStmt CreateDomainStmt CreateEnumStmt CreateExtensionStmt CreateFunctionStmt CreateOpClassStmt
    CreateOpFamilyStmt CreateRangeStmt CreateSchemaStmt CreateSeqStmt CreateStmt DefineStmt ViewStmt CreateCastStmt
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)
"""They make something, so a relation that does not exist yet is no mistake."""

CHANGES = CREATES | frozenset(
    """
    AlterCollationStmt AlterDomainStmt AlterEnumStmt AlterExtensionContentsStmt AlterExtensionStmt AlterFunctionStmt
    AlterObjectDependsStmt AlterObjectSchemaStmt AlterOpFamilyStmt AlterOperatorStmt AlterPolicyStmt AlterSeqStmt
    AlterStatsStmt AlterTableStmt AlterTypeStmt ClusterStmt CommentStmt CreatePolicyStmt CreateStatsStmt CreateTrigStmt
    DropStmt IndexStmt RefreshMatViewStmt ReindexStmt RenameStmt RuleStmt VacuumStmt
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)

GRANTS = frozenset(
    """
    AlterDefaultPrivilegesStmt AlterOwnerStmt AlterRoleSetStmt AlterRoleStmt CreateRoleStmt DropOwnedStmt DropRoleStmt
    GrantRoleStmt GrantStmt ReassignOwnedStmt
    """.split()  # noqa: SIM905 -- a list of names reads best as words
)

QUERIES = frozenset({"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})

_DROPS_RELATIONS = frozenset(
    {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE"}
)


def handle(kind: str, w: Walk, fields: Node, known: Known) -> Facts:
    """Deal with one of `CHANGES` or `GRANTS`."""
    w.verbs.add(GRANT if kind in GRANTS else DDL)
    w.redact = w.redact or kind in {"CreateRoleStmt", "AlterRoleStmt"}  # passwords
    for name in _names(fields):
        if name.startswith("pg_temp"):
            refuse_temporary({"relpersistence": "t"})
    relations = list(_relations(kind, w, fields))
    for relation in relations:
        if relation.is_system:
            raise Refusal("PostgreSQL's own relations cannot be changed through the gate.", code="system_relation")
        w.relation(relation)
        _tagged(kind, w, fields, relation)
    return {"kind": kind.removesuffix("Stmt"), "is_ddl": True}


def _relations(kind: str, w: Walk, fields: Node) -> Iterator[Relation]:
    lenient = kind in CREATES or bool(fields.get("missing_ok"))
    queried = {item["ctename"] for item in _nodes(fields, "ctename")}
    for node in _nodes(fields, "relname"):
        refuse_temporary(node)
        if node["relname"] not in queried or "schemaname" in node:
            yield from _found(w, node.get("schemaname"), node["relname"], lenient=lenient)
    if kind == "DropStmt" and fields["removeType"] in _DROPS_RELATIONS:
        for item in fields["objects"]:
            names = strings(item["List"]["items"])
            yield from _found(w, names[-2] if len(names) > 1 else None, names[-1], lenient=lenient)


def _found(w: Walk, schema: str | None, name: str, *, lenient: bool) -> Iterator[Relation]:
    try:
        yield w.catalog.relation(schema, name)
    except Refusal:
        if not lenient:
            raise
        w.named.add(f"{schema or next((one for one in w.catalog.search_path if one != 'pg_catalog'), '?')}.{name}")


def _tagged(kind: str, w: Walk, fields: Node, relation: Relation) -> None:
    """Note tagged columns that a change renames, moves or computes with."""
    tagged = [col for col in relation.cols.values() if col.tagged]
    if not tagged:
        return
    moves = kind in {"AlterObjectSchemaStmt", "RenameStmt"} and fields.get("subname") in {
        None,
        *(col.name for col in tagged),
    }
    queries = any(True for name in QUERIES for _ in _nodes(fields, name))
    read = {strings(ref["ColumnRef"]["fields"])[-1] for ref in _nodes(fields, "ColumnRef")}
    for key in ("fk_attrs", "pk_attrs"):  # a foreign key tells which values are there
        read.update(name for constraint in _nodes(fields, key) for name in strings(constraint[key]))
    for col in tagged:
        if moves or queries or read & {col.name, "*", relation.name}:
            w.use(col.tagged, Place.OTHER, "in a schema change")


def _nodes(held: object, key: str) -> Iterator[Node]:
    """Every dictionary under `held` that has `key`."""
    if isinstance(held, dict):
        if key in held:
            yield held
        for value in held.values():
            yield from _nodes(value, key)
    elif isinstance(held, list):
        for value in held:
            yield from _nodes(value, key)


def _names(held: object) -> Iterator[str]:
    for node in _nodes(held, "sval"):
        if isinstance(node["sval"], str):
            yield node["sval"]
    for node in _nodes(held, "schemaname"):
        yield str(node["schemaname"])
