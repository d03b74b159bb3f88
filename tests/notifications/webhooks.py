"""What the tests of webhooks have in common."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.test import Client

from accounts.models import User
from approvals.outbox import webhook_actions
from approvals.outbox.models import Delivery, Webhook
from core.db import db_now
from ledger.events import Event
from ledger.models import Entry
from tests.notifications.conftest import Telling
from tests.notifications.receiver import Receiver

HEARD = ["hold:asked", "hold:denied", "agent:suspended"]


def add_webhook(telling: Telling, receiver: Receiver, **changed: Any) -> tuple[Webhook, str]:
    """A webhook that sends to the receiver, and its secret."""
    about: Any = {"name": "Chat", "url": f"http://localhost:{receiver.port}/in", "events": HEARD, **changed}
    return webhook_actions.add(actor=telling.cast.administrator, **about)


def signed_in_as(person: User) -> Client:
    """A browser of somebody."""
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def all_due() -> None:
    """Let all that waits be due."""
    Delivery.objects.filter(status=Delivery.Status.WAITING).update(due_at=db_now())


def entries_of(*events: Event) -> list[str]:
    """The events of these kinds that the ledger has, in order."""
    return list(Entry.objects.filter(event__in=events).order_by("index").values_list("event", flat=True))
