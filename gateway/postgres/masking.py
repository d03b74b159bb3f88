"""Which output columns are masked, whether a statement may run at all for a masked agent, and the mask itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.postgres.catalog import Tag
from gateway.postgres.classified import Classified, Place, TagUse
from gateway.refusal import Refusal

MASK = b"***"

_TEXT, _VARCHAR, _BPCHAR, _NAME, _CHAR, _UNKNOWN = 25, 1043, 1042, 19, 18, 705
_LENGTH_HEADER = 4
"""A typmod of varchar(n) or char(n) is n + 4."""


@dataclass(frozen=True)
class MaskPlan:
    """What to mask in the answers to one text.

    `columns` maps a statement's index to its masked output columns (0-based) and the tag of each.
    """

    columns: Mapping[int, Mapping[int, str]]
    outputs: tuple[int | None, ...]
    involved: bool
    """A table with tagged columns takes part."""
    origins: Mapping[tuple[int, int], Tag]
    views: Mapping[tuple[int, int], tuple[str, ...]]
    unmask: frozenset[str]

    def check_row_description(self, fields: Sequence[Sequence[Any]], statement: int = 0) -> dict[int, str]:
        """The masked columns of an answer, by index, with the tag of each.

        `fields` are (name, table OID, attribute number, type OID, …) as RowDescription has them; a column whose origin
        is tagged is masked even where the plan did not expect it. Raises Refusal when the answer has another number of
        columns than the plan knows of and a tagged table takes part.
        """
        expected = self.outputs[statement] if statement < len(self.outputs) else None
        masked = dict(self.columns.get(statement, {}))
        if self.involved and expected is not None and expected != len(fields):
            raise Refusal("The answer has other columns than the gate expected.", code="answer_unclear")
        for index, field in enumerate(fields):
            tag = self._origin(field[1], field[2])
            if tag is not None:
                masked.setdefault(index, tag)
        if self.involved and expected is None and masked.keys() - self.columns.get(statement, {}).keys():
            raise Refusal("The answer holds masked data the gate did not expect.", code="answer_unclear")
        return masked

    def _origin(self, table: int, attnum: int) -> str | None:
        tag = self.origins.get((table, attnum))
        names = (tag.name,) if tag else self.views.get((table, attnum), ())
        return next((name for name in names if name not in self.unmask), None)


def plan(classified: Classified, unmask: frozenset[str]) -> MaskPlan:
    """How to answer an agent for whom the tags in `unmask` are clear and all others masked.

    Raises Refusal where a masked column is used for anything but being put out or looked up, or where what comes back
    cannot be told.
    """
    catalog = classified.catalog
    columns: dict[int, dict[int, str]] = {}
    for use in classified.tag_uses:
        if use.tag in unmask:
            continue
        if use.place is Place.OTHER:
            raise _refused(use)
        if use.place is Place.OUTPUT:
            columns.setdefault(use.statement, {})[use.index] = use.tag
    if classified.outputs_unclear:
        _refuse_unclear(classified, unmask)
    tagged = {oid for oid, _ in catalog.tags} | {oid for oid, _ in classified.views}
    return MaskPlan(
        columns=columns,
        outputs=tuple(statement.outputs for statement in classified.statements),
        involved=any(oid in tagged for _, oid, _ in classified.names),
        origins=catalog.tags,
        views=classified.views,
        unmask=unmask,
    )


def _refused(use: TagUse) -> Refusal:
    return Refusal(
        f"{use.table}.{use.column} is masked ({use.tag}) and stands {use.words} here."
        " It may only be an output column, or be compared for equality with a constant where its tag allows look-ups.",
        code="masked_column",
        remedy=f'A permit that carries @unmask("{use.tag}") allows it.',
    )


def _refuse_unclear(classified: Classified, unmask: frozenset[str]) -> None:
    masked = sorted({tag.name for tag in classified.catalog.tags.values()} - unmask)
    if masked:
        what = ", ".join(classified.why_call) or "something the gate cannot see into"
        raise Refusal(
            f"It uses {what}, so masked data ({', '.join(masked)}) might come back.",
            code="outputs_unclear",
            remedy="A permit that unmasks them all allows it.",
        )


def mask_value(type_oid: int, format_code: int = 0, typmod: int = -1) -> bytes | None:
    """The mask for a value of a type: `***` for text, cut or padded to a declared length; None (NULL) for all others.

    `format_code` is the protocol's (0 text, 1 binary); for text the bytes are the same. A `typmod` of -1 is no length.
    """
    length = typmod - _LENGTH_HEADER if typmod >= _LENGTH_HEADER else None
    if type_oid in {_TEXT, _NAME, _UNKNOWN}:
        return MASK
    if type_oid == _VARCHAR:
        return MASK[:length]
    if type_oid == _BPCHAR:
        return MASK[:length].ljust(length or 0)
    return MASK[:1] if type_oid == _CHAR else None
