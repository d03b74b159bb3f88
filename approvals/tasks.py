"""Announces what the clock has settled, and tells people what concerns them. All of it is found in the database, so a
lost task loses nothing.
"""

from __future__ import annotations

from typing import Final

from celery import shared_task

from approvals import actions, glass_actions, signing, waiting_actions
from approvals.models import Hold
from approvals.notifications import mail, reader
from approvals.notifications.actions import forget_old
from approvals.outbox import actions as outbox
from approvals.outbox import pushing, webhooks
from core.db import db_now

MOST_AT_ONCE: Final = 500


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def expire_due() -> int:
    """Expire the holds past their deadline and lapse the approvals past their collection; says how many. Escalate and remind of what waits long."""
    now = db_now()
    due = Hold.objects.filter(status=Hold.Status.WAITING, deadline__lte=now).order_by("deadline")
    overdue = Hold.objects.filter(status=Hold.Status.APPROVED, redeem_by__lte=now).order_by("redeem_by")
    expiring = list(due.values_list("id", flat=True)[:MOST_AT_ONCE])
    lapsing = list(overdue.values_list("id", flat=True)[:MOST_AT_ONCE])
    remind = Hold.objects.filter(status=Hold.Status.WAITING, remind_at__lte=now, deadline__gt=now).order_by("remind_at")
    escalate = Hold.objects.filter(status=Hold.Status.WAITING, escalate_at__lte=now, deadline__gt=now)
    for hold_id in list(escalate.order_by("escalate_at").values_list("id", flat=True)[:MOST_AT_ONCE]):
        waiting_actions.escalate(hold_id)
    for hold_id in list(remind.values_list("id", flat=True)[:MOST_AT_ONCE]):
        waiting_actions.remind(hold_id)
    for hold_id in expiring:
        actions.expire(hold_id)
    for hold_id in lapsing:
        actions.lapse(hold_id)
    return len(expiring) + len(lapsing)


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def chase_glass() -> int:
    """Ask again for the looks at broken glasses that came too few in time; says how many."""
    return glass_actions.chase()


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def notify() -> None:
    """Tell what the ledger says that was not told yet."""
    while reader.turn():
        pass


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def send_mail() -> int:
    """Mail what is due; says how many."""
    return mail.send_all_due()


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def send_pushes() -> int:
    """Push to browsers what is due; says how many arrived at their push service."""
    return pushing.turn()


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def send_webhooks() -> int:
    """Send webhooks what is due; says how many messages arrived."""
    return webhooks.turn()


@shared_task  # type: ignore[untyped-decorator]  # Celery publishes no types
def forget_notifications() -> int:
    """Forget what is long past; says how many."""
    return forget_old() + outbox.forget_old() + signing.forget_old()
