"""Who has a hold open right now. Kept in the cache for moments and in no record: it is a courtesy among colleagues, and decides nothing."""

from __future__ import annotations

from time import time
from typing import Final
from uuid import UUID

from django.core.cache import cache

from accounts.models import User
from approvals.live import hold_looked_at
from approvals.models import Hold
from approvals.queries import visible_to

LASTS: Final = 45
"""Seconds that somebody counts as looking, unless their page says so again: it does every 20."""
MOST: Final = 20
"""People that are kept of one hold."""


def look(hold_id: UUID, person: User) -> bool:
    """Note that `person` has a hold open, if they may see it and it waits; whether that is news, which others are told."""
    if not visible_to(person).filter(id=hold_id, status=Hold.Status.WAITING).exists():
        return False
    found = _now(hold_id)
    news = str(person.id) not in found
    cache.set(_key(hold_id), dict([*found.items(), (str(person.id), (str(person), time() + LASTS))][-MOST:]), LASTS)
    if news:
        hold_looked_at(hold_id)
    return news


def lookers(hold_id: UUID, reader: User) -> list[str]:
    """The names of those who have it open, other than `reader`."""
    return sorted(name for person, (name, _) in _now(hold_id).items() if person != str(reader.id))


def _now(hold_id: UUID) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = cache.get(_key(hold_id)) or {}
    return {person: said for person, said in found.items() if said[1] > time()}


def _key(hold_id: UUID) -> str:
    return f"looking-{hold_id}"
