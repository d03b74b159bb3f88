"""What incidents say in the words of a person who is erased."""

from __future__ import annotations

from accounts.erasure import WORDS
from accounts.models import User
from ledger.events import Event
from ledger.queries import subjects_of
from monitoring.models import Incident, IncidentNote


def forget(user: User, **_sent: object) -> None:
    """Take the notes and reasons of an erased person off incidents, with the salts. In the transaction that erases."""
    IncidentNote.objects.filter(author=user).update(text=WORDS, salt=b"")
    resolved = Incident.objects.filter(id__in=subjects_of(str(user.id), Event.INCIDENT_RESOLVED))
    resolved.update(resolution=WORDS, salt=b"")
