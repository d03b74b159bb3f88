"""Every change to notifications: made, read, chosen, forgotten. Reading one's own leaves no entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import available_timezones

from django.db import transaction

from accounts.erasure import NAME
from accounts.models import User
from accounts.pipes import group_of
from approvals.notifications.audience import Telling
from approvals.notifications.choosing import Choice, ways
from approvals.notifications.kinds import Kind
from approvals.notifications.models import Notification, NotificationChoices
from approvals.notifications.queries import shown_to
from approvals.outbox.models import Device
from approvals.outbox.queueing import Wish, put
from approvals.outbox.retrying import Channel
from core.after_commit import after_commit
from core.db import db_now
from core.errors import Invalid, NotFound
from core.live import announce

KEPT: Final = timedelta(days=90)


def tell(tellings: Collection[Telling]) -> int:
    """Write what there is to tell, as each person chose; what was told already is left alone. In a transaction.

    Gives the number of people whom it concerns.
    """
    now = db_now()
    people = {one.person.id for one in tellings}
    chosen = {key: one.as_choice() for key, one in NotificationChoices.objects.in_bulk(people).items()}
    devices: dict[UUID, list[Device]] = defaultdict(list)
    for device in Device.objects.filter(person__in=people) if people else ():
        devices[device.person_id].append(device)
    made = [_made(one, chosen.get(one.person.id, Choice()), devices[one.person.id], now) for one in tellings]
    wanted = {row.id: row for row, wishes in made if row.on_page or wishes}
    Notification.objects.bulk_create(wanted.values(), ignore_conflicts=True, batch_size=1_000)
    fresh = set(Notification.objects.filter(id__in=wanted).values_list("id", flat=True))
    put([wish for row, wishes in made if row.id in fresh for wish in wishes], now)
    told = {row.person_id for row in wanted.values()}
    for person in told:
        after_commit(_announce, person)
    return len(told)


def read(notification_id: UUID, *, actor: User, is_read: bool = True) -> Notification:
    """Mark one of one's own as read, or as unread again. Raises NotFound for one that is not shown to `actor`."""
    with transaction.atomic():
        found = shown_to(actor).select_for_update(of=("self",)).filter(id=notification_id).first()
        if found is None:
            raise NotFound("There is no such notification, or none for you.")
        if (found.read_at is not None) != is_read:
            found.read_at = db_now() if is_read else None
            found.save(update_fields=["read_at"])
            after_commit(_announce, actor.id)
    return found


def read_all(*, actor: User) -> int:
    """Mark everything that is shown to `actor` as read; gives how many there were."""
    with transaction.atomic():
        unread = shown_to(actor).filter(read_at=None).values("id")
        number = Notification.objects.filter(id__in=unread).update(read_at=db_now())
        after_commit(_announce, actor.id)
    return number


def choose(
    *,
    actor: User,
    shown: Collection[str],
    mailed: Collection[str],
    quiet_from: time | None,
    quiet_until: time | None,
    zone: str,
    pushed: Collection[str] | None = None,
    severe: bool = False,
    agents: Collection[UUID] = (),
    resources: Collection[UUID] = (),
    policies: Collection[str] = (),
) -> NotificationChoices:
    """Keep how `actor` wants to be told, of kinds in `shown`, `mailed` and `pushed` (None: every kind), from now on. Raises Invalid."""
    wanted = {"unshown": shown, "unmailed": mailed, "unpushed": list(Kind) if pushed is None else pushed}
    if unknown := {one for kinds in wanted.values() for one in kinds} - {kind.value for kind in Kind}:
        raise Invalid("shown", f"There is no kind {', '.join(sorted(unknown))}.", "Choose from the list.")
    if zone not in available_timezones():
        raise Invalid("zone", f"{zone[:40]!r} is no time zone.", "Write it as in Europe/Berlin.")
    if (quiet_from is None) != (quiet_until is None):
        missing = "quiet_until" if quiet_until is None else "quiet_from"
        raise Invalid(missing, "Quiet hours begin and end.", "Give both times, or none.")
    values = {
        **{name: sorted(kind.value for kind in Kind if kind not in kinds) for name, kinds in wanted.items()},
        "severe": severe,
        "agents": sorted(agents),
        "resources": sorted(resources),
        "policies": sorted(set(policies)),
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "zone": zone,
    }
    choices, _ = NotificationChoices.objects.update_or_create(person=actor, defaults=values)
    return choices


def forget_old() -> int:
    """Delete what is older than KEPT: the record is the ledger. Gives how many, 5,000 at most."""
    old = Notification.objects.filter(at__lt=db_now() - KEPT).order_by("at")
    ids = list(old.values_list("id", flat=True)[:5_000])
    Notification.objects.filter(id__in=ids).delete()
    return len(ids)


def forget(user: User, **_sent: object) -> None:
    """Take the name of an erased person out of what was told about them. In the transaction that erases."""
    Notification.objects.filter(subject=user.id).update(about=NAME)


def _made(
    telling: Telling, choice: Choice, devices: Collection[Device], now: datetime
) -> tuple[Notification, list[Wish]]:
    """What `telling` leaves, and how else it is to reach its person."""
    told, person = telling.told, telling.person
    reach = ways(choice, telling.kind, told.event, telling.concern, now)
    row = Notification(
        person=person, kind=telling.kind, event=told.event, entry=told.index, entry_uid=told.uid,
        subject=told.subject, about=told.about[:200], at=told.at, on_page=reach.page,
    )  # fmt: skip
    wishes = []
    if reach.mail is not None and person.email:
        wishes.append(Wish(row, Channel.MAIL, reach.mail, together=reach.mail > now))
    if reach.push is not None:
        wishes += [Wish(row, Channel.PUSH, reach.push, together=reach.push > now, device=one) for one in devices]
    return row, wishes


def _announce(person: UUID) -> None:
    announce([group_of(person)], {"type": "notified"})
