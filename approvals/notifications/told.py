"""What an entry says, as far as it is worth telling."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from ledger.models import Entry

log = structlog.get_logger()


@dataclass(frozen=True)
class Told:
    """One entry: when it was recorded (UTC), who did what, `change` of its details where it has one."""

    index: int
    uid: UUID
    event: str
    at: datetime
    actor: str
    subject: UUID
    about: str
    change: str = ""


def read(entries: Iterable[Entry]) -> list[Told]:
    """What the entries say. One that cannot be read says nothing: it is logged, and the rest go on."""
    found = []
    for entry in entries:
        try:
            found.append(_told(entry))
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("entry_not_understood", entry=entry.index, error=str(error))
    return found


def _told(entry: Entry) -> Told:
    says: dict[str, Any] = json.loads(bytes(entry.leaf))
    if entry.recorded is None or entry.uid is None:
        raise ValueError("It does not say which it is and when it was recorded.")
    return Told(
        index=entry.index,
        uid=entry.uid,
        event=entry.event,
        at=entry.recorded,
        actor=entry.actor_id,
        subject=UUID(entry.subject_id),
        about=entry.subject_name,
        change=str((says.get("details") or {}).get("change", "")),
    )
