"""What somebody was told, and how they want to be told."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from approvals.notifications.choosing import Choice
from approvals.notifications.kinds import Kind, title
from core.ids import new_id

KINDS = [(kind.value, kind.sentence) for kind in Kind]


class Notification(models.Model):
    """One entry told to one person. It says which entry and which thing; the rest is looked up when it is shown."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=10, choices=KINDS)
    event = models.CharField(max_length=60)
    entry = models.BigIntegerField()
    entry_uid = models.UUIDField()
    subject = models.UUIDField()  # the hold, incident, agent, … that the entry is about
    about = models.CharField(max_length=200)  # its name, as the entry has it
    at = models.DateTimeField()
    on_page = models.BooleanField(default=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """The newest first; an entry is told to a person once."""

        ordering: ClassVar = ["-at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "entry_uid", "kind"], name="notification_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["person", "-at", "-id"], condition=models.Q(on_page=True), name="notification_of_person"
            ),
            models.Index(fields=["person"], condition=models.Q(on_page=True, read_at=None), name="notification_unread"),
            models.Index(fields=["at"], name="notification_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.title}: {self.about}"

    @property
    def title(self) -> str:
        """What happened."""
        return title(self.kind, self.event)

    @property
    def icon(self) -> str:
        """The icon of its kind."""
        return Kind.of(self.kind).icon


class NotificationChoices(models.Model):
    """How a person wants to be told; without a row, everything on the page and by mail, at any hour."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="notification_choices"
    )
    unshown = ArrayField(models.CharField(max_length=10), default=list, blank=True)  # kinds not on the page
    unmailed = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    zone = models.CharField(max_length=60, default="UTC")
    unpushed = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    severe = models.BooleanField(default=False)  # what is critical comes in quiet hours all the same
    agents = ArrayField(models.UUIDField(), default=list, blank=True)  # of which alone; empty: of any
    resources = ArrayField(models.UUIDField(), default=list, blank=True)
    policies = ArrayField(models.CharField(max_length=200), default=list, blank=True)

    class Meta:
        """Quiet hours begin and end, or are not."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | models.Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_have_both_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"Choices of {self.person}"

    def as_choice(self) -> Choice:
        """The same for who decides by it."""
        return Choice(**{field.name: getattr(self, field.name) for field in fields(Choice)})


class NotificationCursor(models.Model):
    """How far the ledger has been read: one row, locked by whoever reads."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    next = models.BigIntegerField(default=0)  # the first entry not read yet

    class Meta:
        """One row."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="notification_cursor_one_row"),
        ]

    def __str__(self) -> str:
        return str(self.next)
