"""Reads of the outbox: for administrators, and nobody else; of devices: for those whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from accounts.models import Role, User
from approvals.outbox.models import TEST, Delivery, Device, Webhook
from core.cells import Value
from core.db import db_now
from core.keyset import newest_first

COLUMNS: Final = (
    "id",
    "channel",
    "to",
    "event",
    "status",
    "made_at",
    "next_try_at",
    "tries",
    "answer",
    "problem",
    "settled_at",
)
A_DAY: Final = timedelta(hours=24)


def visible_webhooks(user: User) -> QuerySet[Webhook]:
    """Those that are not removed."""
    if not user.has_role(Role.ADMINISTRATOR):
        return Webhook.objects.none()
    return Webhook.objects.filter(removed_at=None)


def own_devices(user: User) -> QuerySet[Device]:
    """The browsers that push to `user`: nobody else's concern."""
    return Device.objects.filter(person=user)


def visible_deliveries(user: User) -> QuerySet[Delivery]:
    """All deliveries: whom they go to and how that went. What a person was told is theirs alone, and no part of it."""
    if not user.has_role(Role.ADMINISTRATOR):
        return Delivery.objects.none()
    return Delivery.objects.select_related("person", "webhook")


def matching(user: User, asked: Mapping[str, Any]) -> QuerySet[Delivery]:
    """The deliveries that were asked for."""
    wanted = {name: asked[name] for name in ("channel", "status", "webhook") if asked.get(name)}
    return visible_deliveries(user).filter(**wanted)


def with_figures(user: User) -> QuerySet[Webhook]:
    """Webhooks with how many messages arrived within a day, and how many wait."""
    since = db_now() - A_DAY
    counted = Q(deliveries__made_at__gte=since)
    return visible_webhooks(user).annotate(
        arrived=Count("deliveries", filter=counted & Q(deliveries__status=Delivery.Status.SENT)),
        lost=Count("deliveries", filter=counted & Q(deliveries__status=Delivery.Status.GIVEN_UP)),
        waiting=Count("deliveries", filter=Q(deliveries__status=Delivery.Status.WAITING)),
    )


def delivery_cells(user: User, asked: Mapping[str, Any]) -> Iterator[tuple[Value, ...]]:
    """The rows of the file, newest first."""
    for one in newest_first(matching(user, asked), "made_at").iterator(chunk_size=500):
        yield (
            one.id, one.channel, recipient(one), event_of(one), one.status, one.made_at, one.due_at, one.tries, one.answered,
            one.problem, one.settled_at,
        )  # fmt: skip


def recipient(one: Delivery) -> str:
    """Whom it goes to."""
    return one.webhook.name if one.webhook else str(one.person)


def event_of(one: Delivery) -> str:
    """What it tells of, by the event's name."""
    return one.event or ("several" if one.together else TEST)
