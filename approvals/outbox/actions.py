"""Every change to deliveries: claimed, settled, sent again, forgotten."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from approvals.outbox.models import Delivery, Webhook
from approvals.outbox.retrying import LIFE, Channel, again
from core.db import db_now
from core.errors import NotFound, Refused
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

LEASE: Final = timedelta(minutes=2)
"""How long whoever claimed a delivery has to say how it went; then it is tried again, under the same identifier."""
KEPT: Final = timedelta(days=30)
TOO_LATE: Final = "It could not be delivered in time."
NOT_ANY_MORE: Final = "It was of no more concern."


@dataclass(frozen=True)
class Outcome:
    """What came of a try: it arrived, or `problem` says why not; `wanted` is False where nobody is to get it any more."""

    arrived: bool
    problem: str = ""
    answered: int | None = None
    wanted: bool = True


def claim(due: QuerySet[Delivery], *, most: int) -> list[Delivery]:
    """Take up to `most` of those of `due` that are due: nobody else sends them before LEASE is over. What is too late is given up."""
    now = db_now()
    with transaction.atomic():
        late = due.filter(due_at__lte=now, until__lt=now).values("id")
        Delivery.objects.filter(id__in=late, status=Delivery.Status.WAITING).update(
            status=Delivery.Status.GIVEN_UP, due_at=None, settled_at=now, problem=TOO_LATE
        )
        taken = due.filter(due_at__lte=now).order_by("due_at").values("id")[:most]
        free = Delivery.objects.filter(id__in=list(taken.values_list("id", flat=True)), due_at__lte=now)
        ids = list(free.select_for_update(skip_locked=True).values_list("id", flat=True))
        Delivery.objects.filter(id__in=ids).update(due_at=now + LEASE, tries=F("tries") + 1)
    return list(
        Delivery.objects.filter(id__in=ids).select_related("person", "webhook", "device").order_by("made_at", "id")
    )


def settle(delivery_id: UUID, outcome: Outcome) -> Delivery:
    """Write down what came of a try. What was settled meanwhile stays as it is."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(id=delivery_id)
        if delivery.status != Delivery.Status.WAITING:
            return delivery
        now = db_now()
        delivery.answered, delivery.problem = outcome.answered, outcome.problem[:300]
        delivery.status, delivery.due_at = _next(delivery, outcome, now)
        delivery.settled_at = None if delivery.due_at else now
        delivery.save(update_fields=["status", "due_at", "answered", "problem", "settled_at"])
    return delivery


def _next(delivery: Delivery, outcome: Outcome, now: datetime) -> tuple[Delivery.Status, datetime | None]:
    if outcome.arrived:
        return Delivery.Status.SENT, None
    if not outcome.wanted:
        return Delivery.Status.DROPPED, None
    drawn = random.random()  # noqa: S311 -- it spreads load and guards nothing
    at = again(delivery.channel, tries=delivery.tries, until=delivery.until, now=now, drawn=drawn)
    return (Delivery.Status.WAITING, at) if at else (Delivery.Status.GIVEN_UP, None)


def resend(delivery_id: UUID, *, actor: User) -> Delivery:
    """Deliver it once more, or now if it waits, under the identifier that it had.

    Raises RoleRequired, NotFound, Refused (code `not_told` where its webhook is not active).
    """
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update(of=("self",)).filter(id=delivery_id).first()
        if delivery is None:
            raise NotFound("There is no such delivery.")
        hook = delivery.webhook
        if hook is not None and (hook.removed_at or hook.status != Webhook.Status.ACTIVE):
            raise Refused(f"{hook.name} is not told of anything now.", "Let it go on first.", code="not_told")
        now = db_now()
        delivery.status, delivery.due_at, delivery.settled_at = Delivery.Status.WAITING, now, None
        delivery.tries, delivery.until = 0, now + LIFE[delivery.channel]
        delivery.save(update_fields=["status", "due_at", "settled_at", "tries", "until"])
        subject = Subject(kind="delivery", id=str(delivery.id), name=delivery.get_channel_display())
        details = {"channel": delivery.channel} | ({"webhook": str(hook.id)} if hook else {})
        record(Event.DELIVERY_RESENT, actor=actor_of(actor), subject=subject, details=details)
    return delivery


def note_taken(user: User, shown: Mapping[str, str]) -> None:
    """Record that `user` takes a list of deliveries away as a file, and which."""
    with transaction.atomic():
        subject = Subject(kind="list", id="deliveries", name="deliveries")
        record(Event.EXPORT_MADE, actor=actor_of(user), subject=subject, details=dict(shown))


def drop(deliveries: QuerySet[Delivery], problem: str = NOT_ANY_MORE) -> int:
    """Send none of those that wait. In the caller's transaction."""
    waiting = deliveries.filter(status=Delivery.Status.WAITING)
    return waiting.update(status=Delivery.Status.DROPPED, due_at=None, settled_at=db_now(), problem=problem)


def forget_old() -> int:
    """Delete what was settled KEPT ago: the record is the ledger. Gives how many, 5,000 at most."""
    old = Delivery.objects.filter(made_at__lt=db_now() - KEPT).exclude(status=Delivery.Status.WAITING)
    ids = list(old.order_by("made_at").values_list("id", flat=True)[:5_000])
    Delivery.objects.filter(id__in=ids).delete()
    return len(ids)


def until(channel: Channel, due_at: datetime) -> datetime:
    """How long a delivery that is due at `due_at` is worth anything."""
    return due_at + LIFE[channel]
