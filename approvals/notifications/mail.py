"""Notifications as mail: words of ours and links of ours, nothing that anybody typed."""

from __future__ import annotations

from smtplib import SMTPException
from typing import Final

import structlog
from django.core.mail import EmailMessage
from django.urls import reverse

from accounts.mailing import message
from approvals.models import Hold
from approvals.notifications.kinds import Kind
from approvals.notifications.models import Notification
from approvals.notifications.queries import still_for
from approvals.outbox.actions import NOT_ANY_MORE, Outcome, claim, settle
from approvals.outbox.links import whole
from approvals.outbox.models import Delivery
from approvals.outbox.retrying import Channel
from core.words import plural

AT_ONCE: Final = 50
"""Mails of a turn."""
MOST_LINES: Final = 100
"""Things that one mail names; it says how many more there are."""
ASKS: Final = frozenset({Kind.REVIEW.value, Kind.STUCK.value})
"""The kinds that ask for something about a hold, which nobody needs once it is settled."""
log = structlog.get_logger()


def send_all_due() -> int:
    """Send what is due; says how many were sent. Each is claimed when its turn comes: a slow server keeps none for long."""
    sent = 0
    for _ in range(AT_ONCE):
        claimed = claim(Delivery.objects.filter(channel=Channel.MAIL), most=1)
        if not claimed:
            break
        sent += settle(claimed[0].id, _send(claimed[0])).status == Delivery.Status.SENT
    return sent


def write(delivery: Delivery) -> EmailMessage | None:
    """The mail, without what its person may not know any more or is overtaken; None where nothing is left."""
    person = delivery.person
    if person is None or not person.email:
        return None
    told = still_wanted(delivery)
    if not told:
        return None
    said = {
        "lines": [(one.title, whole(reverse("notifications:open", args=[one.id]))) for one in told[:MOST_LINES]],
        "more": max(0, len(told) - MOST_LINES),
        "together": delivery.together,
        "all": whole(reverse("notifications:all")),
        "preferences": whole(reverse("notifications:choices")),
    }
    title = told[0].title if len(told) == 1 else f"{plural(len(told), 'thing')} to know"
    return message(person, title, "approvals/mail/notification.txt", said, delivery.id)


def still_wanted(delivery: Delivery) -> list[Notification]:
    """Of what a delivery tells, what its person may still know and is not overtaken; the oldest first."""
    if delivery.person is None:
        return []
    told = list(still_for(delivery.person).filter(deliveries=delivery).order_by("at", "id"))
    asks = {one.subject for one in told if one.kind in ASKS}
    waiting = (
        set(Hold.objects.filter(id__in=asks, status=Hold.Status.WAITING).values_list("id", flat=True))
        if asks
        else set()
    )
    return [one for one in told if one.kind not in ASKS or one.subject in waiting]


def _send(delivery: Delivery) -> Outcome:
    mail = write(delivery)
    if mail is None:
        return Outcome(False, NOT_ANY_MORE, wanted=False)
    try:
        mail.send()
    except (SMTPException, OSError) as error:
        log.warning("mail_not_sent", tries=delivery.tries, error=type(error).__name__)
        return Outcome(False, f"{type(error).__name__}: {error}")
    return Outcome(True)
