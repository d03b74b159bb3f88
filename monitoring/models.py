"""Signals, incidents and risk, as read from the ledger; nothing here is asked by whatever decides."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from core.errors import AlreadySettled
from core.ids import new_id
from monitoring.rules import Kind


def new_salt() -> bytes:
    """16 random bytes."""
    return secrets.token_bytes(16)


class Incident(models.Model):
    """A chain of signals that needs an answer. Every change is a function in `monitoring/actions.py`."""

    class Kind(models.TextChoices):
        """Which detection opened it."""

        DENIALS = "denials", "Five denials in a minute"
        REVOKED_CREDENTIAL = "revoked_credential", "A revoked credential was used"
        TAGGED_READS = "tagged_reads", "Burst of reads over tagged columns"
        RISK = "risk", "Risk reached 80"
        UNPROVEN = "unproven", "Unproven identities at the door"

    class Severity(models.TextChoices):
        """How bad it is, before anybody has looked."""

        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"

    class Status(models.TextChoices):
        """open → acknowledged → resolved, or open → resolved."""

        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        RESOLVED = "resolved", "Resolved"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    severity = models.CharField(max_length=6, choices=Severity.choices)
    agent = models.ForeignKey("agents.Agent", null=True, blank=True, on_delete=models.PROTECT, related_name="incidents")
    source = models.GenericIPAddressField(null=True, blank=True)  # where nobody's identity was proven
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.OPEN)
    # Times as entries tell them: of the first signal, of the detection, of the suspension, of the resolution.
    began_at = models.DateTimeField()
    detected_at = models.DateTimeField()
    contained_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    suspended_at = models.DateTimeField(null=True, blank=True)  # by itself, without a person
    withheld_at = models.DateTimeField(null=True, blank=True)  # due, and left to a person: the budget was used up
    resolution = models.CharField(max_length=1000, blank=True)
    salt = models.BinaryField(default=new_salt)  # of the commitment to `resolution` that the ledger holds

    class Meta:
        """The newest first; one of a kind for each agent or address is open at a time."""

        ordering: ClassVar = ["-detected_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-detected_at", "-id"], name="incident_recent"),
            models.Index(fields=["agent", "-detected_at"], name="incident_by_agent"),
            models.Index(fields=["-detected_at"], condition=~models.Q(status="resolved"), name="incident_unresolved"),
            models.Index(
                fields=["suspended_at"], condition=models.Q(suspended_at__isnull=False), name="incident_suspended"
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "agent"], condition=~models.Q(status="resolved"), name="incident_one_open_per_agent"
            ),
            models.UniqueConstraint(
                fields=["kind", "source"],
                condition=~models.Q(status="resolved") & models.Q(agent__isnull=True),
                name="incident_one_open_per_source",
            ),
            models.CheckConstraint(
                condition=models.Q(agent__isnull=False) | models.Q(source__isnull=False), name="incident_of_somebody"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.whose}"

    @property
    def whose(self) -> str:
        """The agent's name, or the address where nobody was proven."""
        return self.agent.name if self.agent else str(self.source)

    @property
    def band(self) -> int:
        """The risk band that draws its severity, 1 to 5."""
        return {"low": 2, "medium": 3, "high": 5}[self.severity]

    @property
    def detected_in(self) -> timedelta:
        """From its beginning to its detection."""
        return self.detected_at - self.began_at

    @property
    def contained_in(self) -> timedelta | None:
        """From its detection to its containment."""
        return self.contained_at - self.detected_at if self.contained_at else None

    @property
    def resolved_in(self) -> timedelta | None:
        """From its detection to its resolution."""
        return self.resolved_at - self.detected_at if self.resolved_at else None

    @property
    def needs_person(self) -> bool:
        """Whether it waits for somebody to contain it: suspension was due and the budget forbade it."""
        return self.withheld_at is not None and self.contained_at is None and self.status != self.Status.RESOLVED

    def require_unresolved(self) -> None:
        """Raise AlreadySettled where it is resolved."""
        if self.status == self.Status.RESOLVED:
            raise AlreadySettled("This incident is resolved.", "A new one opens by itself if it happens again.")


class IncidentNote(models.Model):
    """What a person wrote about an incident. The ledger holds a commitment to it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)
    salt = models.BinaryField(default=new_salt)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        """In the order they were written."""

        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return self.text[:80]


class Signal(models.Model):
    """One observation that moves an agent's risk; where no identity was proven, it is of an address alone.

    `entry` is the place in the ledger of what it was read from: read again it counts once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=14, choices=[(kind.value, kind.rule.one) for kind in Kind])
    agent = models.ForeignKey("agents.Agent", null=True, blank=True, on_delete=models.PROTECT, related_name="signals")
    source = models.GenericIPAddressField(null=True, blank=True)
    points = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    entry = models.BigIntegerField()
    entry_uid = models.UUIDField(null=True, blank=True)
    action_id = models.UUIDField(null=True, blank=True)
    session_id = models.UUIDField(null=True, blank=True)
    resource_id = models.UUIDField(null=True, blank=True)
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.PROTECT, related_name="signals")
    settled_at = models.DateTimeField(null=True, blank=True)  # a person has answered for it: it counts no longer

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["agent", "-at"], name="signal_by_agent"),
            models.Index(fields=["-at", "-id"], name="signal_recent"),
            models.Index(fields=["source", "-at"], condition=models.Q(agent__isnull=True), name="signal_by_source"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "entry", "agent", "source"], nulls_distinct=False, name="signal_once_per_evidence"
            ),
            models.CheckConstraint(
                condition=models.Q(agent__isnull=False) | models.Q(source__isnull=False), name="signal_of_somebody"
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class AgentScore(models.Model):
    """The explained risk of an agent: the lines add up to `Agent.risk`. `due_at` says when to add up again."""

    agent = models.OneToOneField("agents.Agent", primary_key=True, on_delete=models.PROTECT, related_name="scored")
    score = models.PositiveSmallIntegerField(default=0)
    lines = models.JSONField(default=list)  # [{"because": …, "points": 30, "kind": …}]
    scored_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    granted = models.PositiveIntegerField(default=0)  # permissions it holds, and those of them it used
    used = models.PositiveIntegerField(default=0)
    bearer = models.BooleanField(default=False)  # whether it used a bearer token lately
    measured_at = models.DateTimeField(null=True, blank=True)
    policy_version = models.PositiveIntegerField(default=0)  # by which it was measured

    def __str__(self) -> str:
        return f"{self.agent_id} {self.score}"

    @property
    def unused(self) -> int:
        """The least-privilege gap."""
        return self.granted - self.used

    def is_measured(self, *, version: int, now: datetime, for_long: timedelta) -> bool:
        """Whether its permissions were counted under policy `version` within `for_long`."""
        return self.measured_at is not None and self.policy_version == version and now - self.measured_at < for_long


class MinuteCount(models.Model):
    """How many actions were asked in one minute, by decision: what the chart and the figures add up."""

    at = models.DateTimeField(primary_key=True)  # the minute's beginning
    allow = models.PositiveIntegerField(default=0)  # allowed, and nothing masked
    mask = models.PositiveIntegerField(default=0)
    hold = models.PositiveIntegerField(default=0)
    deny = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class AgentHourCount(models.Model):
    """How many actions one agent asked in one hour, by decision."""

    agent_id = models.UUIDField()  # as its actions have it: nothing cascades into counts
    hour = models.DateTimeField()
    allow = models.PositiveIntegerField(default=0)
    mask = models.PositiveIntegerField(default=0)
    hold = models.PositiveIntegerField(default=0)
    deny = models.PositiveIntegerField(default=0)

    class Meta:
        """Found by agent and time."""

        constraints: ClassVar = [models.UniqueConstraint(fields=["agent_id", "hour"], name="agenthourcount_once")]
        indexes: ClassVar = [models.Index(fields=["hour"], name="agenthourcount_by_hour")]

    def __str__(self) -> str:
        return f"{self.agent_id} {self.hour:%Y-%m-%d %H}"


class Cursor(models.Model):
    """How far the ledger has been read, a row for each reader, locked by whoever reads."""

    DETECTOR: ClassVar = 1
    COUNTER: ClassVar = 2

    id = models.PositiveSmallIntegerField(primary_key=True, default=DETECTOR)
    next = models.BigIntegerField(default=0)  # the first entry not read yet
    reads_until = models.DateTimeField(null=True, blank=True)  # up to when reads of tagged columns were looked at
    beat_at = models.DateTimeField(null=True, blank=True)
    # Of the counter: up to when its counts were compared with a recount, and how many of them differed.
    checked_until = models.DateTimeField(null=True, blank=True)
    differing = models.PositiveIntegerField(default=0)

    class Meta:
        """A row for each reader."""

        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id__in=[1, 2]), name="cursor_of_a_reader")]

    def __str__(self) -> str:
        return str(self.next)


class Mark(models.Model):
    """What a mean is held against: how long it took before Narrowgate, and how long it may take. A row for each mean."""

    class Figure(models.TextChoices):
        """Which mean."""

        DETECT = "detect", "Mean time to detect"
        CONTAIN = "contain", "Mean time to contain"
        RESOLVE = "resolve", "Mean time to resolve"

    figure = models.CharField(max_length=7, choices=Figure.choices, primary_key=True)
    baseline = models.DurationField(null=True, blank=True)
    target = models.DurationField()

    def __str__(self) -> str:
        return self.get_figure_display()


class LedgerCheck(models.Model):
    """How the ledger stood when it was last checked, its newest signed entry included: one row, for pages to read."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    checked_at = models.DateTimeField(null=True, blank=True)
    size = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)  # entries that are not in the log yet
    oldest_at = models.DateTimeField(null=True, blank=True)  # since when the oldest of them waits
    signed_size = models.BigIntegerField(default=0)
    signed_at = models.DateTimeField(null=True, blank=True)  # None: no checkpoint yet
    proof = models.CharField(max_length=8, blank=True)  # as ledger.proving says, of the newest signed entry
    why = models.CharField(max_length=300, blank=True)

    class Meta:
        """One row."""

        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="ledgercheck_one_row")]

    def __str__(self) -> str:
        return f"{self.signed_size} {self.proof}"
