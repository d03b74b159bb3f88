"""Changes of people and groups that were refused: the refused transaction is gone, its entry stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.actors import actor_of, subject_of
from accounts.group_actions import group_subject
from accounts.models import User
from core.errors import Refused
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

T = TypeVar("T")
About = User | Group | None
"""A person, a group; None for somebody who is not there yet, whose name is kept nowhere."""


def noting(act: Callable[[], T], tried: str, about: About, *, actor: User) -> Callable[[], T]:
    """`act`, leaving an entry that says what was tried where it is refused. What cannot be used is a mistake, not a refusal."""

    def acting() -> T:
        try:
            return act()
        except Refused as error:
            record_refusal(tried, about, actor=actor, error=error)
            raise

    return acting


def record_refusal(tried: str, about: About, *, actor: User, error: Refused) -> None:
    """Record that `actor` was refused to change something about `about`."""
    with transaction.atomic():
        details = {"tried": tried, "code": error.code}
        record(Event.CHANGE_REFUSED, actor=actor_of(actor), subject=_subject(about), details=details)


def _subject(about: About) -> Subject:
    if about is None:
        return Subject(kind="person", id="", name="nobody yet")
    return group_subject(about) if isinstance(about, Group) else subject_of(about)
