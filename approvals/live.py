"""What open pages are told of holds: that one changed, never what it says."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from core.ids import new_id
from core.live import announce

GROUP: Final = "holds"


def hold_changed(hold_id: UUID) -> None:
    """Say it to every open queue. Call it after commit."""
    announce(GROUP, {"type": "hold.changed", "hold": str(hold_id), "event": str(new_id())})
