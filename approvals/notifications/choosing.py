"""What reaches somebody how, and when, as they chose. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final
from uuid import UUID

from approvals.notifications.kinds import Kind
from approvals.notifications.quiet import due
from ledger.events import Event

CRITICAL: Final = "critical"
NARROWED: Final = frozenset({Kind.REVIEW, Kind.OUTCOME, Kind.AGENT})
"""The kinds that filters narrow. What somebody is asked by name, and what concerns the whole, always comes."""
BY_NAME: Final = frozenset({Event.HOLD_HANDED.value})


@dataclass(frozen=True)
class Concern:
    """What a notification is about: nothing, where it is about no agent."""

    agent: UUID | None = None
    resource: UUID | None = None
    policies: frozenset[str] = frozenset()
    severity: str = ""


NOTHING: Final = Concern()


@dataclass(frozen=True)
class Choice:
    """How a person wants to be told; empty filters let everything through. `severe`: it comes in quiet hours all the same."""

    unshown: Collection[str] = ()
    unmailed: Collection[str] = ()
    unpushed: Collection[str] = ()
    quiet_from: time | None = None
    quiet_until: time | None = None
    zone: str = "UTC"
    severe: bool = False
    agents: Collection[UUID] = ()
    resources: Collection[UUID] = ()
    policies: Collection[str] = ()


@dataclass(frozen=True)
class Ways:
    """Whether it is on the page, and when it goes by mail and as a push: None is never."""

    page: bool
    mail: datetime | None
    push: datetime | None

    @property
    def any(self) -> bool:
        """Whether it reaches them at all."""
        return self.page or self.mail is not None or self.push is not None


def ways(choice: Choice, kind: Kind, event: str, concern: Concern, now: datetime) -> Ways:
    """By which ways a notification reaches somebody who chose so."""
    if kind in NARROWED and event not in BY_NAME and not _wanted(choice, concern):
        return Ways(False, None, None)
    begins = None if choice.severe and is_severe(kind, concern) else choice.quiet_from
    at = due(now, begins=begins, ends=choice.quiet_until, zone=choice.zone)
    return Ways(
        page=kind not in choice.unshown,
        mail=None if kind in choice.unmailed else at,
        push=None if kind in choice.unpushed else at,
    )


def is_severe(kind: Kind, concern: Concern) -> bool:
    """What may come at any hour: what policies call critical, and a broken glass."""
    return kind == Kind.GLASS or concern.severity == CRITICAL


def _wanted(choice: Choice, concern: Concern) -> bool:
    """Whether no filter keeps it out. What has no agent is kept out by no filter of agents, and so on."""
    if choice.agents and concern.agent is not None and concern.agent not in choice.agents:
        return False
    if choice.resources and concern.resource is not None and concern.resource not in choice.resources:
        return False
    return not (choice.policies and concern.policies and not concern.policies & set(choice.policies))
