"""Counts of decided actions, and the minutes and hours they belong to. Pure: no Django, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

KINDS: Final = ("allow", "mask", "hold", "deny")
"""How an action was decided; a masked one is an allowed one, and counts once."""

Counts: TypeAlias = Counter[str]
"""How many of each kind."""


@dataclass(frozen=True)
class Decided:
    """So many actions of one agent, asked in the minute that begins at `minute`, decided alike."""

    minute: datetime
    agent_id: UUID
    kind: str
    number: int


def kind_of(decision: str, *, masked: bool) -> str:
    """The kind of a decision."""
    return "mask" if masked and decision == "allow" else decision


def by_minute(decided: Iterable[Decided]) -> Mapping[datetime, Counts]:
    """The counts of each minute, in order."""
    found: dict[datetime, Counts] = {}
    for one in decided:
        found.setdefault(one.minute, Counter())[one.kind] += one.number
    return dict(sorted(found.items()))


def by_agent_and_hour(decided: Iterable[Decided]) -> Mapping[tuple[UUID, datetime], Counts]:
    """The counts of each agent and hour, in order."""
    found: dict[tuple[UUID, datetime], Counts] = {}
    for one in decided:
        hour = one.minute.replace(minute=0)
        found.setdefault((one.agent_id, hour), Counter())[one.kind] += one.number
    return dict(sorted(found.items()))
