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
    announce([queue_of(person) for person in watchers(hold_id)], {"type": "hold.changed", "hold": str(hold_id)})
