"""People, what they may do, and the groups whose seats they can fill."""

from __future__ import annotations

from collections.abc import Iterator
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
    # Part of every session's proof: counting it up ends them all.
    session_epoch = models.PositiveIntegerField(default=0)

    # Who decides where policy asks for the owner's manager
    manager = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    REQUIRED_FIELDS: ClassVar[list[str]] = ["email", "name"]

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "id"], name="user_by_name")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(is_superuser=False, is_staff=False), name="user_never_superuser"),
        ]

    def __str__(self) -> str:
        return self.name or self.username

    def get_session_auth_hash(self) -> str:
        """What a session must carry to be this person's: it changes with the password and with the epoch."""
        return f"{super().get_session_auth_hash()}.{self.session_epoch}"

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """The same by earlier secret keys."""
        for proof in super().get_session_auth_fallback_hash():
            yield f"{proof}.{self.session_epoch}"

    def has_role(self, *roles: Role) -> bool:
        """Whether this is an active account with any of `roles`."""
        return self.is_active and any(role in self.roles for role in roles)


class Mailed(models.Model):
    """A row that is also its own place in the post: what is due and not sent is found here, whatever was lost."""

    mail_due_at = models.DateTimeField(null=True, blank=True)  # None: nothing is to be sent
    mail_tries = models.PositiveSmallIntegerField(default=0)
    mail_sent_at = models.DateTimeField(null=True, blank=True)
    mail_problem = models.CharField(max_length=300, blank=True)  # of the last try, or why it was given up

    class Meta:
        abstract = True


class Invitation(Mailed):
    """A way to set the first password: single use, expiring. Only the SHA-256 of each of its two links is kept: of the
    one that was shown, and of the one that is mailed, which is made when it is sent.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    digest = models.CharField(max_length=64, unique=True)
    mail_digest = models.CharField(max_length=64, unique=True, null=True, blank=True)
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """One that is open at a time."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(used_at__isnull=True), name="invitation_one_open"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["mail_due_at"],
                condition=models.Q(mail_due_at__isnull=False),
                name="invitation_mail_due",
            ),
        ]

    def __str__(self) -> str:
        return f"Invitation of {self.user}"


class PendingChange(models.Model):
    """A change that one administrator asked for and a second has to confirm."""

    class Kind(models.TextChoices):
        """What would change."""

        APPOINT = "appoint", "Becomes an administrator"
        DISMISS = "dismiss", "Is an administrator no longer"
        UNLINK = "unlink", "Counts as a person of their own"
        RECOVER = "recover", "Loses every passkey and second factor, to add others"
        ERASE = "erase", "Is erased: name and e-mail address are destroyed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="pending_changes")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["asked_at", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "kind"], name="pending_change_once")]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display().lower()}"


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
