"""What a change changes: each field with its value before and after, as an entry says it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import Model

from accounts.models import User

_LONGEST = 300  # characters of a value that an entry repeats; longer ones are named by their digest


def changed(thing: Model, given: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """Set on `thing` what differs in `given`; gives those fields with before and after. Saves nothing."""
    found = {}
    for name, value in given.items():
        before = getattr(thing, name)
        if before != value:
            found[name] = {"before": said(before), "after": said(value)}
            setattr(thing, name, value)
    return found


def said(value: Any) -> object:  # noqa: ANN401 -- whatever a field holds
    """A value as an entry says it: people by identifier, other things by name, what is long by its digest."""
    if isinstance(value, User):
        return str(value.id)
    if isinstance(value, Model | UUID):
        return str(value)
    if isinstance(value, list):
        return [said(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"sha256:{sha256(value.encode()).hexdigest()}"
    return value
