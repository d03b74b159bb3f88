"""Pages by key, newest first: the last page costs what the first does, and what arrives meanwhile moves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, Q, QuerySet

from core.moments import moment_of

A_PAGE = 50
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Page:
    """Some rows, and the key behind which the next page starts; empty on the last."""

    rows: list[Any]
    more: str = ""


def behind(found: QuerySet[M], field: str, key: str) -> QuerySet[M]:
    """Those behind `key` in the order of `newest_first`; all of them where it is none, for a key is only a place."""
    place = _place(key)
    if place is None:
        return found
    at, last = place
    # The first condition is what an index on the time alone can be asked for; the second is exact.
    return found.filter(Q(**{f"{field}__lte": at}) & (Q(**{f"{field}__lt": at}) | Q(id__lt=last)))


def newest_first(found: QuerySet[M], field: str) -> QuerySet[M]:
    """`found` in the order that keys are places in."""
    return found.order_by(f"-{field}", "-id")


def key_of(at: datetime, identifier: UUID) -> str:
    """The key of a row."""
    return f"{at.isoformat()}_{identifier}"


def page_of(found: QuerySet[M], field: str, key: str, size: int = A_PAGE) -> Page:
    """The page behind `key`, newest first by `field`."""
    return cut(list(newest_first(behind(found, field, key), field)[: size + 1]), field, size)


def cut(rows: list[Any], field: str, size: int) -> Page:
    """A page out of rows of which one more than `size` was asked for."""
    more = key_of(getattr(rows[size - 1], field), rows[size - 1].id) if len(rows) > size else ""
    return Page(rows[:size], more)


def _place(key: str) -> tuple[datetime, UUID] | None:
    moment, _, last = key.partition("_")
    at = moment_of(moment)
    try:
        return None if at is None else (at, UUID(last))
    except ValueError:
        return None
