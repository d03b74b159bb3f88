"""What was asked and what became of it: sessions, actions, recordings.

The gateway writes most of these rows itself, in batches (`activity/hotpath.py`); identifiers of agents,
resources and credentials are kept with a snapshot of their names and nothing here cascades.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from core.ids import new_id


class GatewayNode(models.Model):
    """A gateway process. One that stopped beating is dead: what it released without an outcome is uncertain."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=100)
    started_at = models.DateTimeField(default=timezone.now)
    beat_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Session(models.Model):
    """One agent at one resource, recorded from connect to disconnect."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    agent_id = models.UUIDField(db_index=True)
    agent_name = models.CharField(max_length=100)
    resource_id = models.UUIDField(db_index=True)
    resource_name = models.CharField(max_length=60)
    credential_id = models.UUIDField(db_index=True)
    on_behalf_of = models.UUIDField(null=True, blank=True)
    node_id = models.UUIDField()
    protocol = models.CharField(max_length=10, default="postgres")
    source = models.GenericIPAddressField()
    client = models.CharField(max_length=64, blank=True)  # application_name: a claim
    purpose = models.CharField(max_length=300, blank=True)  # a claim
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=120, blank=True)
    # A person ended it: the gateway that carries it hears of that, and hangs up.
    cut_at = models.DateTimeField(null=True, blank=True)
    cut_by = models.CharField(max_length=150, blank=True)  # the name they had
    cut_reason = models.CharField(max_length=300, blank=True)
    erasure_id = models.UUIDField(null=True, blank=True)  # by which all that was recorded in it was erased

    class Meta:
        ordering: ClassVar = ["-began_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-began_at", "-id"], name="session_recent"),
            models.Index(
                fields=["node_id"],
                condition=models.Q(cut_at__isnull=False, ended_at__isnull=True),
                name="session_to_cut_by_node",
            ),
            models.Index(fields=["node_id"], condition=models.Q(ended_at__isnull=True), name="session_open_by_node"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name} at {self.resource_name}"


class Action(models.Model):
    """One thing an agent asked for. `shown` has tagged literals masked; the exact text is nowhere but in the digest."""

    class Decision(models.TextChoices):
        """What the gate decided."""

        ALLOW = "allow", "Allowed"
        DENY = "deny", "Denied"
        HOLD = "hold", "Held"

    class Status(models.TextChoices):
        """Where it is: released → done, failed or uncertain; pending until its transaction ends."""

        DENIED = "denied", "Denied"
        HELD = "held", "Held"
        RELEASED = "released", "Released"
        PENDING = "pending", "Pending"
        DONE = "done", "Done"
        ROLLED_BACK = "rolled_back", "Rolled back"
        FAILED = "failed", "Failed"
        UNCERTAIN = "uncertain", "Uncertain"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    session_id = models.UUIDField()
    node_id = models.UUIDField()
    agent_id = models.UUIDField()
    resource_id = models.UUIDField()
    credential_id = models.UUIDField()
    number = models.PositiveIntegerField()  # within the session, from 1
    verb = models.CharField(max_length=20)
    shown = models.TextField()
    summary = models.CharField(max_length=300, blank=True)
    shape = models.CharField(max_length=64, blank=True)
    tables = ArrayField(models.CharField(max_length=140), default=list, blank=True)
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    digest = models.CharField(max_length=80)
    salt = models.BinaryField()
    decision = models.CharField(max_length=5, choices=Decision.choices)
    masked = models.BooleanField(default=False)
    # Whether it could only happen through the gate. False: the agent asked, acts by itself, and reports what came of it.
    enforced = models.BooleanField(default=True, db_default=True)
    reason = models.CharField(max_length=500, blank=True)
    code = models.CharField(max_length=40, blank=True)  # the rule that refused it
    policies = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    policy_version = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=12, choices=Status.choices)
    asked_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rows = models.BigIntegerField(null=True, blank=True)
    bytes = models.BigIntegerField(null=True, blank=True)
    masked_values = models.PositiveIntegerField(default=0)
    detected = models.JSONField(
        null=True, blank=True
    )  # values found in what came back, by detector: {"card_number": 2}
    sqlstate = models.CharField(max_length=5, blank=True)
    message = models.CharField(max_length=500, blank=True)
    question_id = models.UUIDField(null=True, blank=True)  # what it was decided by
    entry_id = models.UUIDField(null=True, blank=True)  # the ledger's outbox entry that recorded the intent
    outcome_entry_id = models.UUIDField(null=True, blank=True)
    erasure_id = models.UUIDField(null=True, blank=True)  # by which its texts, salt and frame were erased

    class Meta:
        ordering: ClassVar = ["-asked_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["session_id", "number"], name="action_in_session"),
            models.Index(fields=["agent_id", "-asked_at"], name="action_by_agent"),
            models.Index(fields=["-asked_at", "-id"], name="action_recent"),
            # No index on what an outcome changes: each outcome is an update in place (HOT) of a row on a page with room.
            models.Index(fields=["node_id"], condition=models.Q(decision="hold"), name="action_held_by_node"),
            models.Index(fields=["shape", "-asked_at"], condition=models.Q(decision="hold"), name="action_held_shape"),
            models.Index(fields=["-asked_at"], condition=~models.Q(tags=[]), name="action_tagged_recent"),
            models.Index(
                fields=["decision", "-asked_at", "-id"], condition=~models.Q(decision="allow"), name="action_stopped"
            ),
            # What must never be: these two are empty, cost an insert nothing, and make looking for it cheap.
            models.Index(
                fields=["asked_at"],
                condition=models.Q(entry_id__isnull=True, released_at__isnull=False),
                name="action_unrecorded",
            ),
            models.Index(
                fields=["asked_at"], condition=models.Q(policy_version=0, decision="allow"), name="action_undecided"
            ),
            models.Index(fields=["asked_at"], condition=models.Q(enforced=False), name="action_not_enforced"),
            models.Index(
                fields=["erasure_id", "-asked_at", "-id"],
                condition=models.Q(erasure_id__isnull=False),
                name="action_erased",
            ),
        ]

    def __str__(self) -> str:
        return self.summary or self.shown[:80]


class Asked(models.Model):
    """An operation that an agent asked for under a key of its own: however often it repeats that, it is one action.

    `canonical` is what the digest covers, so that whichever gateway the agent comes back to can decide it again.
    """

    action_id = models.UUIDField(primary_key=True)
    agent_id = models.UUIDField()
    key = models.CharField(max_length=100)
    canonical = models.BinaryField()
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["agent_id", "key"], name="asked_once")]

    def __str__(self) -> str:
        return str(self.action_id)


class Question(models.Model):
    """Everything an action was decided by but the policies (`policies/question.py`), kept once for all that ask the same."""

    id = models.UUIDField(primary_key=True)
    text = models.TextField()

    def __str__(self) -> str:
        return str(self.id)


class Frame(models.Model):
    """One timed piece of a recording, already masked: what was returned for an action."""

    action_id = models.UUIDField(primary_key=True)
    session_id = models.UUIDField()
    columns = models.JSONField(default=list)  # [{"name": …, "masked": bool}]
    rows = models.JSONField(default=list)  # at most 50 rows, 16 KB
    cut = models.BooleanField(default=False)

    def __str__(self) -> str:
        return str(self.action_id)


class Erasure(models.Model):
    """Recordings that somebody asked to erase, and a second person erased. Every change is a function in `activity/erasing_actions.py`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    sessions = ArrayField(models.UUIDField(), default=list, blank=True)  # chosen as a whole
    actions = ArrayField(models.UUIDField(), default=list, blank=True)  # chosen one by one
    because = models.CharField(max_length=300)
    # None: it went with the person whom it was done for
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    erased_at = models.DateTimeField(null=True, blank=True)
    count = models.PositiveIntegerField(default=0)  # actions that were erased

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-asked_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["-asked_at", "-id"], name="erasure_recent")]

    def __str__(self) -> str:
        return f"{self.count} recordings" if self.erased_at else "recordings"
