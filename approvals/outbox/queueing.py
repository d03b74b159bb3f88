"""Puts into the outbox what people are to be told beyond the page: each thing alone, or with all else that waits for quiet hours to end."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.notifications.models import Notification
from approvals.outbox.actions import until
from approvals.outbox.models import Delivery, Device
from approvals.outbox.retrying import Channel


@dataclass(frozen=True)
class Wish:
    """A notification that is to reach its person by `channel`, at `due_at`; `together` with what else waits until then."""

    notification: Notification
    channel: Channel
    due_at: datetime
    together: bool
    device: Device | None = None


def put(wishes: Collection[Wish], now: datetime) -> int:
    """Write deliveries for `wishes`, whose notifications are written; says how many. In a transaction, which no other tells in."""
    waiting = _waiting(wishes, now)
    fresh: list[Delivery] = []
    carried: list[tuple[UUID, UUID]] = []
    for wish in wishes:
        key = (wish.notification.person_id, wish.channel, wish.device.id if wish.device else None)
        delivery = waiting.get(key) if wish.together else None
        if delivery is None:
            delivery = Delivery(
                channel=wish.channel, device=wish.device, person_id=wish.notification.person_id, together=wish.together,
                event="" if wish.together else wish.notification.event, due_at=wish.due_at, until=until(wish.channel, wish.due_at),
            )  # fmt: skip
            fresh.append(delivery)
            if wish.together:
                waiting[key] = delivery
        carried.append((delivery.id, wish.notification.id))
    Delivery.objects.bulk_create(fresh, batch_size=1_000)
    links = [Delivery.notifications.through(delivery_id=one, notification_id=other) for one, other in carried]
    Delivery.notifications.through.objects.bulk_create(links, batch_size=1_000)
    return len(fresh)


def _waiting(wishes: Collection[Wish], now: datetime) -> dict[tuple[UUID, str, UUID | None], Delivery]:
    """What waits for somebody's quiet hours to end. Locked, so that it is not sent while it takes more."""
    people = {wish.notification.person_id for wish in wishes if wish.together}
    if not people:
        return {}
    rows = Delivery.objects.filter(
        person__in=people, together=True, status=Delivery.Status.WAITING, tries=0, due_at__gt=now
    ).select_for_update()
    return {(row.person_id, row.channel, row.device_id): row for row in rows if row.person_id}
