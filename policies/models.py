"""Policy as code: versions. Exactly one is active."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from core.ids import new_id

SIGNED = ("author_id", "commit", "created_at", "digest", "number", "repository", "schema", "signature", "tests", "text")
"""Fields of a version that its signature is over, and that."""


class PolicyVersion(models.Model):
    """One immutable text of all policies; only its status moves."""

    class Status(models.TextChoices):
        """draft → proposed → approved → active → retired."""

        DRAFT = "draft", "Draft"
        PROPOSED = "proposed", "Proposed"
        APPROVED = "approved", "Approved"
        ACTIVE = "active", "Active"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveIntegerField(unique=True)
    text = models.TextField()
    tests = models.TextField(blank=True)  # test cases, as `policies/cases.py` reads them
    schema = models.TextField(blank=True)  # Cedar's schema that it was checked against
    repository = models.CharField(
        max_length=300, blank=True
    )  # the repository and commit that it comes from: a claim of
    commit = models.CharField(max_length=64, blank=True)  # whoever pushed it, unless the console fetched it itself
    digest = models.CharField(max_length=80)  # sha256: of what is signed (`policies/sealing.py`)
    signature = models.TextField(blank=True)  # the signed note over all of the above, the author and the plan
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    note = models.CharField(max_length=300, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    approval = models.TextField(blank=True)  # the signed note that it was approved, and by whom
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first; one active at most; nobody approves their own."""

        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["status"], condition=models.Q(status="active"), name="one_active_policy_version"
            ),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True) | ~models.Q(approved_by=models.F("author")),
                name="policy_approved_by_another",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="versions_are_final",
                operation=pgtrigger.Update,
                condition=~pgtrigger.Q(old__signature="")
                & pgtrigger.Q(*((f"new__{name}__df", pgtrigger.F(f"old__{name}")) for name in SIGNED), _connector="OR"),
            ),
            pgtrigger.Protect(name="versions_stay", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"


class PolicyPlan(models.Model):
    """A version's policies as they were read when it was checked (`policies/plan.py`), which its signature covers."""

    version = models.OneToOneField(PolicyVersion, on_delete=models.PROTECT, primary_key=True, related_name="plan")
    packed = models.BinaryField()

    class Meta:
        """Never another."""

        triggers: ClassVar = [
            pgtrigger.Protect(name="plans_are_final", operation=pgtrigger.Update | pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"The plan of {self.version}"


class PolicyRollback(models.Model):
    """One person put an earlier version back in force; another looks at it afterwards. Every change is in `rollback_actions.py`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="rollbacks")
    replaced = models.ForeignKey(PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()
    due_at = models.DateTimeField()
    chased_at = models.DateTimeField(null=True, blank=True)  # when people were last told that it is overdue
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    found = models.CharField(max_length=300, blank=True)

    class Meta:
        """Oldest first; nobody reviews their own."""

        ordering: ClassVar = ["at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=models.Q(reviewed_at=None), name="rollback_unreviewed"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(reviewed_by__isnull=True) | ~models.Q(reviewed_by=models.F("by")),
                name="rollback_reviewed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"Roll-back to {self.version}"


class PolicyIntake(models.Model):
    """A text of many policies that is read to become a draft. Every change is in `intake_actions.py`."""

    class Status(models.TextChoices):
        """queued → reading → ready | failed."""

        QUEUED = "queued", "Queued"
        READING = "reading", "Being read"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    UNFINISHED: ClassVar = (Status.QUEUED, Status.READING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    text = models.TextField()  # these two are empty once they are a version
    tests = models.TextField(blank=True)
    note = models.CharField(max_length=300, blank=True)
    repository = models.CharField(max_length=300, blank=True)
    commit = models.CharField(max_length=64, blank=True)
    propose = models.BooleanField(default=False)  # at once, as a draft that its author has read
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    # Whoever reads it says so again and again; silence leaves it to another.
    holder = models.UUIDField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    begun = models.PositiveSmallIntegerField(default=0)
    read = models.PositiveIntegerField(default=0)  # policies so far
    of = models.PositiveIntegerField(default=0)  # that nobody has read before
    version = models.ForeignKey(PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=500, blank=True)
    remedy = models.CharField(max_length=300, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Oldest first."""

        ordering: ClassVar = ["asked_at", "id"]
        indexes: ClassVar = [
            models.Index(
                fields=["asked_at", "id"],
                condition=models.Q(status__in=["queued", "reading"]),
                name="intake_unfinished",
            ),
        ]

    def __str__(self) -> str:
        return f"A text of {self.asked_by_id}"

    @property
    def is_unfinished(self) -> bool:
        """Whether it is still to be read."""
        return self.status in self.UNFINISHED

    @property
    def percent(self) -> int:
        """How far it is."""
        return int(100 * self.read / self.of) if self.of else 0


class PolicyTrial(models.Model):
    """A version tried on what happened in a period, beside the version that was in force. Every change is in `trial_actions.py`."""

    class Status(models.TextChoices):
        """queued → making → ready | failed."""

        QUEUED = "queued", "Queued"
        MAKING = "making", "Being tried"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    UNFINISHED: ClassVar = (Status.QUEUED, Status.MAKING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="trials")
    against = models.ForeignKey(PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.QUEUED)
    # Whoever makes it says so again and again; silence leaves it to another.
    holder = models.UUIDField(null=True, blank=True)
    beat_at = models.DateTimeField(null=True, blank=True)
    begun = models.PositiveSmallIntegerField(default=0)
    tried = models.BigIntegerField(default=0)  # actions so far
    actions = models.BigIntegerField(default=0)  # to be tried
    untried = models.BigIntegerField(default=0)  # refused before any policy was asked: no policy changes that
    found = models.JSONField(null=True, blank=True)  # as `trial.Trial.as_json` has it
    why = models.CharField(max_length=500, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # A shadow goes on: it is made again and again over all since it began, until somebody stops it or its time is over.
    shadow = models.BooleanField(default=False)
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        """Newest first; a version has one shadow at a time."""

        ordering: ClassVar = ["-asked_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["version"], condition=models.Q(shadow=True, stopped_at=None), name="trial_one_shadow"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["asked_at", "id"], condition=models.Q(status__in=["queued", "making"]), name="trial_unfinished"
            ),
            models.Index(fields=["version", "-asked_at"], name="trial_of_version"),
        ]

    def __str__(self) -> str:
        return f"{self.version} on what happened"

    @property
    def is_unfinished(self) -> bool:
        """Whether it is still to be made."""
        return self.status in self.UNFINISHED

    @property
    def is_live(self) -> bool:
        """Whether it is a shadow that goes on."""
        return self.shadow and self.stopped_at is None

    @property
    def days(self) -> int:
        """How long the period is."""
        return (self.until - self.since).days

    @property
    def percent(self) -> int:
        """How far it is."""
        return int(100 * self.tried / self.actions) if self.actions else 0
