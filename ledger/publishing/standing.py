"""How far checkpoints have gone out, and which of them is final: for pages. Reads with Django's connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from core.errors import Invalid
from ledger.checkpoint import NoteError
from ledger.cosignature import cosignatures
from ledger.models import Checkpoint, Cosignature, Delivery
from ledger.publishing.configured import destinations, quorum
from ledger.quorum import Quorum

LOOKED_AT: Final = 500
"""The newest cosignatures among which a final checkpoint is looked for."""


@dataclass(frozen=True)
class Finality:
    """A checkpoint that is final: its size, and the witnesses whose cosignatures hold, with the time that each says."""

    size: int
    witnesses: Mapping[str, datetime]

    @property
    def at(self) -> datetime:
        """When it became final at the latest: the time of its last witness."""
        return max(self.witnesses.values())


@dataclass(frozen=True)
class Standing:
    """How the ledger stands outside: what is final, where checkpoints go, and what is wrong with the settings if anything is."""

    final: Finality | None
    asked: int
    """How many witnesses the policy names; without any, nothing is ever final."""
    deliveries: Sequence[Delivery]
    problem: str = ""

    @property
    def failing(self) -> list[Delivery]:
        """Destinations whose last try failed."""
        return [one for one in self.deliveries if one.problem]


def standing() -> Standing:
    """How the ledger stands outside, in two queries and one for the checkpoint whose cosignatures are checked."""
    try:
        policy, names = quorum(), [one.name for one in destinations()]
    except Invalid as error:
        return Standing(None, 0, [], str(error))
    deliveries = list(Delivery.objects.filter(name__in=names).order_by("name")) if names else []
    return Standing(final_under(policy) if policy.witnesses else None, len(policy.witnesses), deliveries)


def final_under(policy: Quorum) -> Finality | None:
    """The largest checkpoint that the policy calls final, its cosignatures checked; None while there is none."""
    rows = Cosignature.objects.order_by("-size", "name")[:LOOKED_AT]
    for size, group in groupby(rows, key=lambda row: row.size):
        said = {policy.name_of(row.key_id, row.name): row for row in group}
        said.pop("", None)  # by no witness of the policy
        if policy.is_met(said):
            held = _held(size, list(said.values()), policy)
            if policy.is_met(held):
                return Finality(size, held)
    return None


def _held(size: int, rows: Sequence[Cosignature], policy: Quorum) -> dict[str, datetime]:
    """The witnesses whose cosignatures hold over the checkpoint as it is kept here."""
    note = Checkpoint.objects.values_list("note", flat=True).get(size=size)
    held = {}
    for row in rows:
        name = policy.name_of(row.key_id, row.name)
        try:
            if cosignatures(note + row.line, [policy.witnesses[name].key]):
                held[name] = row.cosigned_at
        except NoteError:
            continue
    return held
