"""Changing what the mean times are held against. Each change leaves its entry."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from core.errors import Invalid
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record
from monitoring.models import Mark

LONGEST: Final = timedelta(days=365)


def set_mark(figure: Mark.Figure, *, baseline: timedelta | None, target: timedelta, actor: User) -> Mark:
    """Set one mean's baseline (None: there is nothing to compare with) and target. The same again leaves no entry.

    Raises Refused (not a CISO) and Invalid.
    """
    require_role(actor, Role.CISO)
    _require_sensible(figure, baseline, target)
    with transaction.atomic():
        mark = Mark.objects.select_for_update().get(figure=figure)
        before = _says(mark)
        mark.baseline, mark.target = baseline, target
        mark.save(update_fields=["baseline", "target"])
        if _says(mark) != before:
            subject = Subject(kind="mark", id=figure.value, name=figure.label)
            details = {"before": before, "after": _says(mark)}
            record(Event.MARK_CHANGED, actor=actor_of(actor), subject=subject, details=details)
    return mark


def _require_sensible(figure: Mark.Figure, baseline: timedelta | None, target: timedelta) -> None:
    for field, length in (("own", baseline), ("target", target)):
        if length is not None and not timedelta(seconds=1) <= length <= LONGEST:
            raise Invalid(
                f"{figure.value}_{field}", "Between a second and a year.", "Give a time that somebody can meet."
            )


def _says(mark: Mark) -> dict[str, int | None]:
    """In seconds, as the entry has it."""
    baseline = None if mark.baseline is None else int(mark.baseline.total_seconds())
    return {"baseline": baseline, "target": int(mark.target.total_seconds())}
