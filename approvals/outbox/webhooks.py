"""Sends webhooks what is due: all at once, few to one that fails, so that none keeps the others waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import connection
from django.db.models import Case, F, IntegerField, Q, QuerySet, Value, When, Window
from django.db.models.functions import RowNumber

from agents.pinned import is_near
from approvals.outbox import standard
from approvals.outbox.actions import Outcome, claim, settle
from approvals.outbox.addresses import address_of
from approvals.outbox.models import TEST, Delivery, Webhook
from approvals.outbox.posting import Answered, Post, send
from approvals.outbox.retrying import Channel
from approvals.outbox.sealed import secrets_of
from approvals.outbox.webhook_actions import note
from core.db import db_now
from core.errors import NarrowgateError

LOCK: Final = 0x6E67_686F_6F6B
"""The advisory lock of whoever sends: a slow receiver takes one turn's time, not that of every turn begun meanwhile."""
AT_ONCE: Final = 100
TO_ONE: Final = 20
"""Messages to one webhook in a turn; one, while it fails."""


def turn() -> int:
    """Send what is due; says how many arrived. Does nothing while another sends."""
    with _alone() as mine:
        if not mine:
            return 0
        due = list(_due().values_list("id", flat=True)[:AT_ONCE])
        claimed = claim(Delivery.objects.filter(id__in=due), most=AT_ONCE)
        return _deliver(claimed)


def _deliver(claimed: list[Delivery]) -> int:
    posts, ready = [], []
    for one in claimed:
        try:
            posts.append(_post(one))
            ready.append(one)
        except NarrowgateError as error:  # its secret does not open
            settle(one.id, Outcome(False, str(error)))
    for one, answered in zip(ready, send(posts), strict=True):
        settle(one.id, Outcome(answered.arrived, answered.problem, answered.status, wanted=not answered.gone))
        _note(one, answered)
    return sum(1 for one in ready if one.status == Delivery.Status.SENT)


def _note(one: Delivery, answered: Answered) -> None:
    if answered.arrived:
        one.status = Delivery.Status.SENT
    if one.webhook_id is not None:
        note(one.webhook_id, answered)


def _post(delivery: Delivery) -> Post:
    """The request, signed now. Raises NarrowgateError."""
    hook = delivery.webhook
    if hook is None or hook.removed_at:
        raise NarrowgateError("Its webhook was removed.")
    now, body, to = db_now(), delivery.body.encode(), address_of(hook.url)
    signed = standard.headers(f"msg_{delivery.id.hex}", now, body, secrets_of(hook, now))
    headers = {"Content-Type": "application/json", **signed}
    return Post(to, headers, body, near=is_near(to.host, hook.tls_ca), own_ca=hook.tls_ca)


def _due() -> QuerySet[Delivery]:
    """What is due to those that are told, each webhook's oldest first."""
    told = Q(webhook__status=Webhook.Status.ACTIVE) | Q(event=TEST)
    rows = Delivery.objects.filter(told, channel=Channel.WEBHOOK, due_at__lte=db_now())
    place = Window(RowNumber(), partition_by=F("webhook_id"), order_by=[F("due_at"), F("id")])
    most = Case(
        When(webhook__failing_since__isnull=False, then=Value(1)), default=Value(TO_ONE), output_field=IntegerField()
    )
    return rows.annotate(place=place, most=most).filter(place__lte=F("most")).order_by("due_at")


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether nobody else sends, until the block ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (mine,) = cursor.fetchone()
    try:
        yield bool(mine)
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
