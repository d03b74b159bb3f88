"""Sends what rows say is due: at least once each, again with growing pauses, given up in the end.

The row is locked while it is sent and says so afterwards, so two senders never send the same; a process that dies in
between sends it again, under the same Message-ID, by which mail systems know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from smtplib import SMTPException
from typing import Final, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string

from accounts.models import Mailed, User
from core.db import db_now

AT_ONCE: Final = 50
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720))
"""Before each further try."""
NOT_ANY_MORE: Final = "It was of no more concern."
log = structlog.get_logger()
Row = TypeVar("Row", bound=Mailed)


def send_due(rows: QuerySet[Row], write: Callable[[Row], EmailMessage | None]) -> int:
    """Send those of `rows` that are due, as `write` makes them; says how many were sent."""
    waiting = rows.filter(mail_due_at__lte=db_now()).order_by("mail_due_at")
    return sum(_send(rows, key, write) for key in list(waiting.values_list("pk", flat=True)[:AT_ONCE]))


def message(person: User, title: str, template: str, says: Mapping[str, object], key: UUID) -> EmailMessage:
    """A plain mail to `person`, whose title and template are ours."""
    host = urlsplit(settings.CONSOLE_URL).hostname or "localhost"
    headers = {"Message-ID": f"<{key}@{host}>", "Auto-Submitted": "auto-generated"}
    body = render_to_string(template, dict(says))
    return EmailMessage(f"[Narrowgate] {title}", body, settings.DEFAULT_FROM_EMAIL, [person.email], headers=headers)


@transaction.atomic
def _send(rows: QuerySet[Row], key: object, write: Callable[[Row], EmailMessage | None]) -> bool:
    due = rows.select_for_update(of=("self",), skip_locked=True).filter(pk=key, mail_due_at__lte=db_now())
    row = due.first()
    if row is None:  # somebody else sends it
        return False
    mail = write(row)
    if mail is None:
        row.mail_due_at, row.mail_problem = None, NOT_ANY_MORE
    else:
        _try(row, mail)
    row.save(update_fields=["mail_due_at", "mail_tries", "mail_sent_at", "mail_problem"])
    return row.mail_sent_at is not None


def _try(row: Mailed, mail: EmailMessage) -> None:
    row.mail_tries += 1
    try:
        mail.send()
    except (SMTPException, OSError) as error:
        again = row.mail_tries <= len(PAUSES)
        row.mail_due_at = db_now() + PAUSES[row.mail_tries - 1] if again else None
        row.mail_problem = f"{type(error).__name__}: {error}"[:300]
        log.warning("mail_not_sent", tries=row.mail_tries, given_up=not again, error=type(error).__name__)
        return
    row.mail_due_at, row.mail_sent_at, row.mail_problem = None, db_now(), ""
