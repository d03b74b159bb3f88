"""What sessions say of a person who is erased."""

from __future__ import annotations

from accounts.erasure import NAME, WORDS
from accounts.models import User
from activity.actions import CUT
from activity.models import Session
from ledger.events import Event
from ledger.queries import subjects_of


def forget(user: User, **_sent: object) -> None:
    """Take the name and words of an erased person off the sessions that they cut. In the transaction that erases."""
    cut = Session.objects.filter(id__in=subjects_of(str(user.id), Event.SESSION_CUT))
    cut.update(cut_by=NAME, cut_reason=WORDS)
    cut.exclude(ended_at=None).update(end_reason=CUT)
