"""What goes on around a hold while it waits: questions to the agent's owner, and who is away meanwhile."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models

from core.ids import new_id


class HoldQuestion(models.Model):
    """What a reviewer asked those who answer for the agent, and what they said."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    hold = models.ForeignKey("approvals.Hold", on_delete=models.PROTECT, related_name="questions")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=500)
    asked_at = models.DateTimeField()
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    answer = models.CharField(max_length=500, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """In the order they were asked."""

        ordering: ClassVar = ["asked_at", "id"]

    def __str__(self) -> str:
        return f"{self.asked_by}: {self.text}"


class Absence(models.Model):
    """That somebody is away for a time, and who is asked in their place. It lends no right: the delegate decides what they may anyway."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="absence"
    )
    delegate = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    begins = models.DateTimeField()
    ends = models.DateTimeField()

    class Meta:
        """It ends after it begins."""

        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(ends__gt=models.F("begins")), name="absence_ends"),
        ]

    def __str__(self) -> str:
        return f"{self.person} is away"

    def is_on(self, now: datetime) -> bool:
        """Whether they are away now."""
        return self.begins <= now < self.ends
