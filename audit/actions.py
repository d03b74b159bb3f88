"""Every change of a report: lock, check, change, record, in one transaction. Its making is `audit/reports/making.py`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import User
from audit.models import READERS, Report, ReportFile
from audit.reports.period import Period
from audit.reports.scope import Scope, ScopeKind
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

MAKER: Final = Actor(kind="system", id="reports", name="Reports")
MOST_UNFINISHED: Final = 5
"""Reports that one person may have waiting."""
MOST_BEGUN: Final = 3
"""How often a making begins before it is given up."""
Status = Report.Status


class Wanted(NamedTuple):
    """What somebody asked for, checked."""

    kind: str
    period: Period
    scope: Scope
    formats: Collection[str]
    asked: Mapping[str, str]


def ask(*, kind: str, period: Period, scope: Scope, formats: Collection[str], actor: User) -> Report:
    """Ask for a report; it is made in the background. Raises Invalid, naming the field, and Refused."""
    _require(kind, scope, formats)
    return _ask(Wanted(kind, period, scope, {*formats, Report.Format.JSONL}, {}), actor)


def ask_for_entries(*, asked: Mapping[str, str], period: Period, formats: Collection[str], actor: User) -> Report:
    """Ask for the entries that the filters `asked` find in a period, as files made in the background. Raises as `ask` does."""
    _require_formats(formats, Report.ENTRY_FORMATS)
    return _ask(Wanted(Report.Kind.ENTRIES, period, Scope(ScopeKind.ALL), formats, asked), actor)


def _ask(wanted: Wanted, actor: User) -> Report:
    require_role(actor, *READERS)
    with transaction.atomic():
        User.objects.select_for_update().get(id=actor.id)  # two at once count each other
        if Report.objects.filter(asked_by=actor, status__in=Report.UNFINISHED).count() >= MOST_UNFINISHED:
            raise Refused(
                f"You have {MOST_UNFINISHED} reports waiting.", "Let one finish, or cancel one.", code="too_many"
            )
        report = Report.objects.create(
            kind=wanted.kind, formats=[one for one in Report.Format.values if one in wanted.formats],
            since=wanted.period.since, until=wanted.period.until, asked=dict(wanted.asked), asked_by=actor,
            scope_kind=wanted.scope.kind, scope_id=wanted.scope.id, scope_name=wanted.scope.name,
        )  # fmt: skip
        report.refresh_from_db(fields=["asked_at"])
        details: dict[str, object] = {"kind": report.kind, "formats": report.formats, "scope": report.scope.in_words}
        details |= {"asked": report.asked} if report.asked else {}
        details |= _period(report)
        _record(Event.REPORT_ASKED, report, actor, details)
    return report


def _require(kind: str, scope: Scope, formats: Collection[str]) -> None:
    if kind not in Report.REPORTED:
        raise Invalid("kind", "There is no such report.", f"Use one of: {', '.join(Report.REPORTED)}.")
    _require_formats(formats, Report.REPORT_FORMATS)
    if kind == Report.Kind.INTEGRITY and scope.kind != ScopeKind.ALL:
        raise Invalid("scope", "The log is one: its integrity is not that of a part.", "Choose everything.")


def _require_formats(formats: Collection[str], known: Sequence[str]) -> None:
    if unknown := sorted(set(formats) - set(known)):
        raise Invalid("formats", f"There is no format {unknown[0][:20]}.", f"Use: {', '.join(known)}.")
    if known is Report.ENTRY_FORMATS and not formats:
        raise Invalid("formats", "No format was given.", f"Use: {', '.join(known)}.")


def begin(report_id: UUID) -> Report | None:
    """Begin or take up the making; None where nothing is left to make. Gives up a report that was begun too often."""
    with transaction.atomic():
        report = _locked(report_id)
        if not report.is_unfinished:
            return None
        if report.begun >= MOST_BEGUN:
            _end(
                report,
                Status.FAILED,
                Event.REPORT_FAILED,
                f"Its making began {MOST_BEGUN} times and never ended. Ask for a shorter period.",
            )
            return None
        report.status, report.begun = Status.MAKING, report.begun + 1
        report.save(update_fields=["status", "begun"])
    return report


def keep_file(report_id: UUID, *, format: str, name: str, size: int, sha256: str) -> ReportFile:  # noqa: A002 -- our word for it
    """Note a finished file. Raises AlreadySettled where the report was cancelled meanwhile."""
    with transaction.atomic():
        report = _making(report_id)
        return ReportFile.objects.create(report=report, format=format, name=name, size=size, sha256=sha256)


def keep_summary(report_id: UUID, *, summary: dict[str, Any], entries: int, root: str) -> None:
    """Note what the report came to, and the ledger it is based on."""
    with transaction.atomic():
        report = _making(report_id)
        report.summary, report.entries, report.root = summary, entries, root
        report.save(update_fields=["summary", "entries", "root"])


def keep_basis(report_id: UUID, *, entries: int, root: str) -> None:
    """Note the checkpoint that entries are taken under, before the first file of them."""
    with transaction.atomic():
        report = _making(report_id)
        report.entries, report.root = entries, root
        report.save(update_fields=["entries", "root"])


def state_files(report_id: UUID) -> UUID:
    """Record the files with their hashes; gives the entry's identifier. Said once, whoever asks again."""
    with transaction.atomic():
        report = _making(report_id)
        if report.entry_uid is None:
            files = {file.download_name: f"sha256:{file.sha256}" for file in report.files.select_related("report")}
            details = {
                "kind": report.kind,
                "files": files,
                "entries": report.entries,
                "root": report.root,
                **_period(report),
            }
            report.entry_uid = _record(Event.REPORT_MADE, report, MAKER, {**details, "scope": report.scope.in_words})
            report.save(update_fields=["entry_uid"])
        return report.entry_uid


def finish(report_id: UUID, *, lacking: str = "") -> None:
    """It is ready: its files are there and the ledger states them; `lacking` says what could not be made, and why."""
    with transaction.atomic():
        report = _making(report_id)
        report.status, report.progress, report.doing, report.finished_at = Status.READY, 1.0, "", db_now()
        report.why = lacking[:500]
        report.save(update_fields=["status", "progress", "doing", "finished_at", "why"])


def fail(report_id: UUID, *, why: str) -> None:
    """It cannot be made, and why; nothing where it ended already."""
    with transaction.atomic():
        report = _locked(report_id)
        if report.is_unfinished:
            _end(report, Status.FAILED, Event.REPORT_FAILED, why)


def cancel(report_id: UUID, *, actor: User) -> Report:
    """Stop the making; whoever makes it notices at its next step. Raises AlreadySettled, NotFound, Refused."""
    require_role(actor, *READERS)
    with transaction.atomic():
        report = _locked(report_id)
        if not report.is_unfinished:
            raise AlreadySettled("This report is not being made.", "Its page says what became of it.")
        _end(report, Status.CANCELLED, Event.REPORT_CANCELLED, "", actor)
    return report


def note_download(file: ReportFile, *, actor: User) -> None:
    """Record that `actor` takes a file away. Raises NotFound where it is not there as it was made."""
    if not file.path.is_file() or file.path.stat().st_size != file.size:
        raise NotFound("The file is no longer there as it was made.", "Ask for the report again.")
    with transaction.atomic():
        details = {"file": file.download_name, "format": file.format, "sha256": file.sha256, "size": file.size}
        _record(Event.EXPORT_MADE, file.report, actor, details)


def remove_old() -> int:
    """Remove the files of reports whose time is over; the reports stay, with their figures and hashes. Gives how many."""
    before = db_now() - timedelta(days=settings.REPORT_DAYS)
    old = list(Report.objects.filter(status=Status.READY, finished_at__lt=before).values_list("id", flat=True)[:100])
    for report_id in old:
        _remove(report_id)
    return len(old)


def _remove(report_id: UUID) -> None:
    with transaction.atomic():
        report = _locked(report_id)
        if report.status != Status.READY:
            return
        report.status, report.removed_at = Status.REMOVED, db_now()
        report.save(update_fields=["status", "removed_at"])
        _record(Event.REPORT_REMOVED, report, MAKER, {"after_days": settings.REPORT_DAYS})
        _unlink(report)


def withdraw(report_id: UUID, *, erasure: UUID) -> None:
    """Take back a report that states what is erased: its files and the rows on its page; its figures and hashes stay."""
    with transaction.atomic():
        report = _locked(report_id)
        if report.summary is not None:
            report.summary = {**report.summary, "tables": []}
            report.save(update_fields=["summary"])
        if report.is_unfinished:
            _end(report, Status.FAILED, Event.REPORT_FAILED, "What it states was erased meanwhile. Ask for it again.")
        if report.status != Status.READY:
            return
        report.status, report.removed_at, report.why = Status.REMOVED, db_now(), "What it stated was erased."
        report.save(update_fields=["status", "removed_at", "why"])
        _record(Event.REPORT_REMOVED, report, MAKER, {"erasure": str(erasure)})
        _unlink(report)


def _end(report: Report, status: Status, event: Event, why: str, actor: User | Actor = MAKER) -> None:
    report.status, report.why, report.doing, report.finished_at = status, why[:500], "", db_now()
    report.save(update_fields=["status", "why", "doing", "finished_at"])
    _record(event, report, actor, {"why": report.why} if why else {})
    _unlink(report)
    report.files.all().delete()


def _unlink(report: Report) -> None:
    for file in report.files.all():
        after_commit(file.path.unlink, missing_ok=True)


def _locked(report_id: UUID) -> Report:
    report = Report.objects.select_for_update(of=("self",)).select_related("asked_by").filter(id=report_id).first()
    if report is None:
        raise NotFound("There is no such report, or none that you may see.")
    return report


def _making(report_id: UUID) -> Report:
    report = _locked(report_id)
    if report.status != Status.MAKING:
        raise AlreadySettled("This report is not being made any more.")
    return report


def _period(report: Report) -> dict[str, str]:
    return {"since": report.since.isoformat(), "until": report.until.isoformat()}


def _record(event: Event, report: Report, actor: User | Actor, details: Mapping[str, object]) -> UUID:
    subject = Subject(kind="report", id=str(report.id), name=str(report))
    asker = actor_of(report.asked_by) if actor is MAKER else None
    return record(event, actor=actor_of(actor), subject=subject, details=details, on_behalf_of=asker)
