"""Views count by their bodies: what a view reads is read by whoever reads the view. Pure.

A view's body is read once for a catalog and kept with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.postgres.catalog import Catalog, Col, Relation
from gateway.postgres.tree import Node, parse
from gateway.postgres.walk import Walk
from gateway.refusal import Refusal

DEEPEST = 16
"""Views on views."""

EMPTY_PATH = ("pg_catalog",)
"""The search path that view definitions are written for."""

Query = Callable[[Walk, Node, None], list[Col]]


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a view's body."""

    walk: Walk
    cols: Mapping[str, Col]


class Reader:
    """How the body of a view is read; set by `lineage`, which can read queries."""

    query: Query


def relation_cols(w: Walk, relation: Relation) -> Mapping[str, Col]:
    """A relation's columns; those of a view with what their values come from, and all that its body does noted."""
    if not relation.is_view:
        return relation.cols
    reading: Reading | None = w.catalog.readings.get(relation.oid)
    if reading is None:
        reading = w.catalog.readings[relation.oid] = _read(w.catalog, relation, w.depth)
    w.absorb(reading.walk, f"in the view {relation.full_name}")
    return reading.cols


def _read(catalog: Catalog, relation: Relation, depth: int) -> Reading:
    if depth >= DEEPEST:
        raise _unclear(relation)
    inner = Walk(catalog, EMPTY_PATH, depth + 1)
    statements = parse(relation.definition or "")
    if len(statements) != 1 or "SelectStmt" not in statements[0]["stmt"]:
        raise _unclear(relation)
    outs = Reader.query(inner, statements[0]["stmt"]["SelectStmt"], None)
    if len(outs) != len(relation.columns):
        raise _unclear(relation)
    cols = {}
    for column, out in zip(relation.columns, outs, strict=True):
        tagged = (*relation.cols[column.name].tagged, *out.tagged)
        cols[column.name] = Col(column.name, tagged, (), f"{relation.full_name}.{column.name}")
        if tagged:
            inner.views[relation.oid, column.attnum] = tuple(one.tag.name for one in tagged)
    return Reading(inner, cols)


def _unclear(relation: Relation) -> Refusal:
    return Refusal(f"The gate cannot tell what the view {relation.full_name} reads.", code="view_unclear")
