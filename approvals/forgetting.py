"""What holds say in the words of a person who is erased, and of an action whose recording is."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import F, Q

from accounts.erasure import WORDS
from accounts.models import User
from activity.models import Action
from approvals.models import Absence, AfterReview, BrokenGlass, Grant, Hold, HoldQuestion, Review
from approvals.notifications.actions import forget as forget_told
from core.db import db_now
from core.errors import Refused
from ledger.events import Event
from ledger.queries import subjects_of


def forget(user: User, **_sent: object) -> None:
    """Take the name and reasons of an erased person off what they reviewed and withdrew. In the transaction that erases.

    The salts of what the ledger committed to go too, or a reason of a few words could be guessed.
    """
    reviews = Review.objects.filter(reviewer=user)
    reviews.exclude(reason="").update(reason=WORDS, salt=b"")
    denied = Hold.objects.filter(status=Hold.Status.DENIED, id__in=reviews.filter(verdict="deny").values("hold"))
    _forget_why(list(denied.values_list("id", flat=True)), "Denied by a person who was erased.")
    broken = BrokenGlass.objects.filter(by=user)
    broken.update(reason=WORDS)
    AfterReview.objects.filter(reviewer=user).update(found=WORDS)
    _forget_why(list(broken.values_list("hold", flat=True)), "Somebody who was erased broke the glass.")
    withdrawn = [UUID(one) for one in subjects_of(str(user.id), Event.HOLD_WITHDRAWN)]
    _forget_why(withdrawn, "Withdrawn by a person who was erased.")
    # Its reason was committed to with the action's own salt. It never ran
    Hold.objects.filter(id__in=withdrawn).update(salt=b"")
    Action.objects.filter(id__in=Hold.objects.filter(id__in=withdrawn).values("action_id")).update(salt=b"")
    HoldQuestion.objects.filter(asked_by=user).update(text=WORDS)
    HoldQuestion.objects.filter(answered_by=user).update(answer=WORDS)
    Absence.objects.filter(Q(person=user) | Q(delegate=user)).delete()
    Grant.objects.filter(revoked_by=user).update(revoked_because=WORDS)
    forget_told(user)


def _forget_why(holds: list[UUID], because: str) -> None:
    held = Hold.objects.filter(id__in=holds)
    held.update(settled_because=because)
    Action.objects.filter(id__in=held.values("action_id")).update(message=because)


def forget_recordings(actions: Collection[UUID], words: str, **_sent: object) -> None:
    """Erase what holds keep of these actions. In the transaction that erases. Raises Refused where a live grant still compares with one."""
    held = Hold.objects.filter(action_id__in=actions)
    live = Grant.objects.filter(hold__in=held, revoked_at=None, expires_at__gt=db_now(), uses__lt=F("most"))
    if live.exists():
        raise Refused(
            "A grant rests on an action in it.", "Take the grant back, or wait for its end.", code="still_open"
        )
    held.update(shown=words, summary=words, salt=b"", purpose="", justification="", estimate=None)
