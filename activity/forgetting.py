"""What sessions say of a person who is erased."""

from __future__ import annotations

from accounts.erasure import NAME, WORDS
from accounts.models import User
from activity.actions import CUT
from activity.erasing_actions import erase_done_for
from activity.models import Erasure, Session
from ledger.entries import Actor
from ledger.events import Event
from ledger.queries import subjects_of


def forget(user: User, *, actor: User | Actor, **_sent: object) -> None:
    """Take the name and words of an erased person off what they cut or had erased, and erase what was done for them. In the transaction that erases."""
    cut = Session.objects.filter(id__in=subjects_of(str(user.id), Event.SESSION_CUT))
    cut.update(cut_by=NAME, cut_reason=WORDS)
    cut.exclude(ended_at=None).update(end_reason=CUT)
    Erasure.objects.filter(asked_by=user).update(because=WORDS)
    erase_done_for(user, actor)
