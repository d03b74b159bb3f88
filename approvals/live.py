"""What open pages are told of holds: that one changed, never what it says."""

from __future__ import annotations

from uuid import UUID

from approvals.queries import watchers
from core.live import announce


def queue_of(person: UUID) -> str:
    """The group that a person's open queues are in."""
    return f"queue-{person.hex}"


def hold_changed(hold_id: UUID) -> None:
    """Say it to the open queues of those who may see it now: asked once, however many are open. Call it after commit."""
    _say("hold.changed", hold_id)


def hold_looked_at(hold_id: UUID) -> None:
    """Say to the same that somebody has opened it."""
    _say("hold.looked_at", hold_id)


def _say(what: str, hold_id: UUID) -> None:
    announce([queue_of(person) for person in watchers(hold_id)], {"type": what, "hold": str(hold_id)})
