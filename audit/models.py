"""Reports that people asked for, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from accounts.models import User
from audit.reports.period import in_words
from audit.reports.scope import Scope, ScopeKind
from audit.roles import REPORT_READERS
from core.ids import new_id

READERS = REPORT_READERS


class ReportQuerySet(models.QuerySet["Report"]):
    """Reports."""

    def visible_to(self, user: User) -> ReportQuerySet:
        """All of them for auditors and CISOs; for others reports do not exist."""
        return self if user.has_role(*READERS) else self.none()


class Report(models.Model):
    """What was asked for, how far its making is, and the figures it came to. Every change is a function in `audit/actions.py`."""

    class Kind(models.TextChoices):
        """What it is about."""

        OVERSIGHT = "oversight", "Human oversight"
        ACCESS = "access", "Agent access"
        INCIDENTS = "incidents", "Incidents"
        INTEGRITY = "integrity", "Log integrity"
        ENTRIES = "entries", "Entries of the ledger"  # no report: the entries themselves, as the explorer found them

    class Format(models.TextChoices):
        """A file of it. JSON lines are always made: the others are written from them."""

        PDF = "pdf", "PDF"
        XLSX = "xlsx", "Spreadsheet (XLSX)"
        CSV = "csv", "CSV"
        JSONL = "jsonl", "JSON lines"
        ZIP = "zip", "Package of evidence (ZIP)"
        OCSF = "ocsf", "OCSF 1.9 events"  # of entries alone

    class Status(models.TextChoices):
        """queued → making → ready | failed | cancelled; ready → removed, when its files' time is over."""

        QUEUED = "queued", "Queued"
        MAKING = "making", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        REMOVED = "removed", "Files removed"

    REPORTED: ClassVar = tuple(kind for kind in Kind if kind.value != "entries")
    REPORT_FORMATS: ClassVar = tuple(form for form in Format if form.value != "ocsf")
    ENTRY_FORMATS: ClassVar = (Format.ZIP, Format.OCSF, Format.JSONL, Format.CSV)
    UNFINISHED: ClassVar = (Status.QUEUED, Status.MAKING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    formats = ArrayField(models.CharField(max_length=5, choices=Format.choices))
    since = models.DateTimeField()
    until = models.DateTimeField()
    scope_kind = models.CharField(max_length=8, choices=ScopeKind.choices, default=ScopeKind.ALL)
    scope_id = models.UUIDField(null=True, blank=True)
    scope_name = models.CharField(max_length=100, blank=True)
    asked = models.JSONField(default=dict, blank=True)  # of entries: the filters that found them, as typed
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    progress = models.FloatField(default=0.0)  # 0 to 1
    doing = models.CharField(max_length=120, blank=True)
    begun = models.PositiveSmallIntegerField(default=0)  # how often its making began
    why = models.CharField(max_length=500, blank=True)  # it failed, or a file of it
    finished_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    # What the ledger was when its figures were gathered, and the entry that states the files' hashes.
    entries = models.BigIntegerField(null=True, blank=True)
    root = models.CharField(max_length=64, blank=True)
    entry_uid = models.UUIDField(null=True, blank=True)
    summary = models.JSONField(null=True, blank=True)  # what its page shows

    objects = ReportQuerySet.as_manager()

    class Meta:
        """The newest first."""

        ordering: ClassVar = ["-asked_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["-asked_at", "-id"], name="report_recent"),
            models.Index(
                fields=["asked_at"], condition=models.Q(status__in=["queued", "making"]), name="report_unfinished"
            ),
            models.Index(fields=["finished_at"], condition=models.Q(status="ready"), name="report_ready"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(until__gt=models.F("since")), name="report_has_a_period"),
            models.CheckConstraint(
                condition=models.Q(progress__gte=0) & models.Q(progress__lte=1), name="report_progress_to_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}, {self.period}"

    @property
    def period(self) -> str:
        """From when until when, in words."""
        return in_words(self.since, self.until)

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope(self.scope_kind, self.scope_id, self.scope_name)

    @property
    def is_unfinished(self) -> bool:
        """Whether it is still to be made."""
        return self.status in self.UNFINISHED

    @property
    def percent(self) -> int:
        """How far it is."""
        return int(self.progress * 100)


class ReportFile(models.Model):
    """One file of a report, under a name that says nothing; `sha256` in hexadecimal, as its entry states it."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="files")
    format = models.CharField(max_length=5, choices=Report.Format.choices)
    name = models.CharField(max_length=40, unique=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        """One of a format."""

        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["report", "format"], name="report_file_once")]

    def __str__(self) -> str:
        return self.download_name

    @property
    def path(self) -> Path:
        """Where it lies."""
        return folder() / self.name

    @property
    def download_name(self) -> str:
        """The name that whoever takes it gets."""
        days = f"{self.report.since:%Y-%m-%d}-{self.report.until:%Y-%m-%d}"
        ending = "ocsf.ndjson" if self.format == Report.Format.OCSF else self.format
        return f"narrowgate-{self.report.kind}-{days}-{self.report_id.hex[-6:]}.{ending}"


def folder() -> Path:
    """Where reports' files lie; made where missing, for this account alone."""
    path = Path(settings.STATE_DIR) / "reports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
