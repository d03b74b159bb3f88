"""The outbox: what is to be delivered, to whom, and what came of it; and the webhooks that hear of entries."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from approvals.notifications.models import Notification
from approvals.outbox.retrying import Channel
from core.ids import new_id

CHANNELS = [(Channel.MAIL.value, "Mail"), (Channel.PUSH.value, "Push"), (Channel.WEBHOOK.value, "Webhook")]
TEST = "test"
"""The event of a delivery that somebody asked for to see whether it arrives."""


class Webhook(models.Model):
    """Another system that is told of entries: signed, by identifiers, words and links."""

    class Status(models.TextChoices):
        """Whether it is told."""

        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped by itself"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    tls_ca = models.TextField(blank=True)  # PEM of its network's own authority; empty for the public ones
    events = ArrayField(models.CharField(max_length=60))
    agents = ArrayField(models.UUIDField(), default=list, blank=True)  # empty: of any
    resources = ArrayField(models.UUIDField(), default=list, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    sealed = models.BinaryField()  # its secret, as the vault keeps one
    sealed_before = models.BinaryField(null=True, blank=True)  # the one before it, which signs too
    before_until = models.DateTimeField(null=True, blank=True)  # until then
    failing_since = models.DateTimeField(null=True, blank=True)  # None: the last try arrived
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """By name, which only one that is not removed has."""

        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(removed_at=None), name="webhook_name_once"),
            models.CheckConstraint(
                condition=models.Q(sealed_before__isnull=True, before_until__isnull=True)
                | models.Q(sealed_before__isnull=False, before_until__isnull=False),
                name="webhook_secret_before_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    """A browser that its person wants to be told by, whatever page is open: its push service's address and its keys (RFC 8291)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices")
    endpoint = models.CharField(max_length=500, unique=True)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    name = models.CharField(max_length=80)
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-made_at", "-id"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One thing to deliver, at least once, under one identifier however often it is tried. Its row is all that is known of it."""

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting", "Waiting"
        SENT = "sent", "Delivered"
        GIVEN_UP = "given_up", "Given up"
        DROPPED = "dropped", "Of no more concern"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    channel = models.CharField(max_length=7, choices=CHANNELS)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    notifications = models.ManyToManyField(Notification, related_name="deliveries", blank=True)
    together = models.BooleanField(default=False)  # it waits for quiet hours to end, and takes what comes meanwhile
    webhook = models.ForeignKey(Webhook, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries")
    device = models.ForeignKey(Device, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries")
    event = models.CharField(max_length=60, blank=True)
    entry_uid = models.UUIDField(null=True, blank=True)
    body = models.TextField(blank=True)  # of a webhook: exactly what is signed
    made_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(
        null=True, blank=True
    )  # None: nothing is to be sent. While it is sent: when it is tried again if nobody says how it went
    until = models.DateTimeField()  # after that it is of no use
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    answered = models.PositiveSmallIntegerField(null=True, blank=True)  # the status of the last HTTP answer
    problem = models.CharField(max_length=300, blank=True)  # of the last try
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """The newest first; an entry is told to a webhook once."""

        ordering: ClassVar = ["-made_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(status="waiting", due_at__isnull=False)
                | (~models.Q(status="waiting") & models.Q(due_at__isnull=True)),
                name="delivery_due_while_waiting",
            ),
            models.CheckConstraint(
                condition=models.Q(channel="webhook", webhook__isnull=False, person__isnull=True)
                | (~models.Q(channel="webhook") & models.Q(webhook__isnull=True, person__isnull=False)),
                name="delivery_to_somebody",
            ),
            models.UniqueConstraint(fields=["webhook", "entry_uid"], name="delivery_once_a_webhook"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["channel", "due_at"], condition=models.Q(due_at__isnull=False), name="delivery_due"),
            models.Index(
                fields=["webhook", "due_at"], condition=models.Q(due_at__isnull=False), name="delivery_due_of"
            ),
            models.Index(fields=["-made_at", "-id"], name="delivery_newest"),
            models.Index(fields=["webhook", "-made_at", "-id"], name="delivery_of_webhook"),
            models.Index(fields=["status", "-made_at", "-id"], name="delivery_by_status"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.id}: {self.status}"
