"""The names of a query's output columns that have no alias (PostgreSQL's FigureColname). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.postgres.tree import Node, kind_of, strings

_FIXED_NAMES: Mapping[str, str] = {
    "A_ArrayExpr": "array",
    "CoalesceExpr": "coalesce",
    "GroupingFunc": "grouping",
    "MergeSupportFunc": "merge_action",
    "RowExpr": "row",
    "XmlSerialize": "xmlserialize",
    "JsonArrayAgg": "json_arrayagg",
    "JsonArrayConstructor": "json_array",
    "JsonObjectAgg": "json_objectagg",
    "JsonObjectConstructor": "json_object",
    "JsonParseExpr": "json",
    "JsonScalarExpr": "json_scalar",
    "JsonSerializeExpr": "json_serialize",
}


def output_name(node: Node) -> str:
    """The name PostgreSQL gives an output column without an alias (FigureColname)."""
    return _name(node) or "?column?"


def _name(node: Node) -> str:
    kind, fields = kind_of(node)
    if kind == "ColumnRef":
        return next((name for name in reversed(strings(fields["fields"])) if name != "*"), "")
    if kind == "FuncCall":
        return strings(fields["funcname"])[-1]
    if kind == "TypeCast":
        return _name(fields["arg"]) or strings(fields["typeName"]["names"])[-1]
    return _FIXED_NAMES.get(kind) or _derived_name(kind, fields)


def _derived_name(kind: str, fields: Node) -> str:
    if kind == "A_Indirection":
        named = strings([part for part in fields["indirection"] if "String" in part])
        return named[-1] if named else _name(fields["arg"])
    if kind == "CollateClause":
        return _name(fields["arg"])
    if kind == "CaseExpr":
        return _name(fields.get("defresult", {})) or "case"
    if kind == "MinMaxExpr":
        return "greatest" if fields.get("op") == "IS_GREATEST" else "least"
    if kind == "SQLValueFunction":
        return str(fields["op"]).removeprefix("SVFOP_").removesuffix("_N").lower()
    return _subquery_name(fields) if kind == "SubLink" else _operator_name(kind, fields)


def _operator_name(kind: str, fields: Node) -> str:
    if kind == "A_Expr" and fields["kind"] == "AEXPR_NULLIF":
        return "nullif"
    if kind == "XmlExpr":
        return str(fields["op"]).removeprefix("IS_").lower()
    if kind == "JsonFuncExpr":
        return str(fields["op"]).removesuffix("_OP").lower()
    return ""


def _subquery_name(fields: Node) -> str:
    form = fields["subLinkType"]
    if form in {"EXISTS_SUBLINK", "ARRAY_SUBLINK"}:
        return str(form).removesuffix("_SUBLINK").lower()
    targets = fields["subselect"].get("SelectStmt", {}).get("targetList", [{}])
    first = targets[0].get("ResTarget", {})
    return str(first.get("name") or _name(first.get("val", {}))) if form == "EXPR_SUBLINK" else ""
