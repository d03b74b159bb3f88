"""People, what they may do, and the groups whose seats they can fill."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import new_id


class Role(models.TextChoices):
    """What a person is here for. A person may have several; none is above the rules."""

    REVIEWER = "reviewer", "Reviewer"
    CISO = "ciso", "CISO"
    AUDITOR = "auditor", "Auditor"
    ENGINEER = "engineer", "Platform engineer"
    OWNER = "owner", "Owner"
    ADMINISTRATOR = "administrator", "Administrator"


class User(AbstractUser):
    """A person. Django's superuser flag is refused by the database: nobody walks around the checks."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=120)
    roles = ArrayField(models.CharField(max_length=20, choices=Role.choices), default=list, blank=True)
    # Accounts of one person share this value, so that a quorum counts people.
    person = models.UUIDField(default=new_id, db_index=True)

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email", "name"]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(is_superuser=False, is_staff=False), name="user_never_superuser"),
        ]

    def __str__(self) -> str:
        return self.name or self.username

    def has_role(self, *roles: Role) -> bool:
        """Whether this is an active account with any of `roles`."""
        return self.is_active and any(role in self.roles for role in roles)


class Membership(models.Model):
    """A person's place in a group, with the moment it began: what was gained after the asking does not count
    unless a second administrator confirmed it.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    since = models.DateTimeField(default=timezone.now)
    added_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "group"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(confirmed_by__isnull=True) | ~models.Q(confirmed_by=models.F("added_by")),
                name="membership_second_administrator",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.group.name}"

    def counts_for(self, asked_at: datetime) -> bool:
        """Whether this membership counts for something asked at `asked_at`."""
        return self.since <= asked_at or self.confirmed_by_id is not None


class ApiToken(models.Model):
    """A person's scoped, expiring key to the REST API. Only its SHA-256 is kept."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
