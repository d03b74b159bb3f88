"""A notification as a mail: words of ours and one link of ours, nothing that anybody typed."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse

from accounts.mailing import message, send_due
from approvals.models import Hold
from approvals.notifications.kinds import Kind, title
from approvals.notifications.models import Notification
from approvals.notifications.queries import still_for


def send_all_due() -> int:
    """Send what is due; says how many were sent."""
    return send_due(Notification.objects.select_related("person"), write)


def write(row: Notification) -> EmailMessage | None:
    """The mail, unless the person may not know any more, or it is overtaken."""
    if not still_for(row.person).filter(id=row.id).exists() or _overtaken(row):
        return None
    link = f"{settings.CONSOLE_URL.rstrip('/')}{reverse('notifications:open', args=[row.id])}"
    said = {
        "title": title(row.kind, row.event),
        "link": link,
        "preferences": f"{settings.CONSOLE_URL}/notifications/choices/",
    }
    return message(row.person, said["title"], "approvals/mail/notification.txt", said, row.id)


def _overtaken(row: Notification) -> bool:
    """Whether it asks to review what waits no longer."""
    if row.kind not in {Kind.REVIEW, Kind.STUCK}:
        return False
    return not Hold.objects.filter(id=row.subject, status=Hold.Status.WAITING).exists()
