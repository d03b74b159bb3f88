"""The making of a report, step by step. A worker that dies lets go of it, and whoever takes it up keeps what was finished, of entries also what was half written.

1. Gather figures and rows from one snapshot into JSON lines.  2. Write the other formats from those.  3. Record the files'
hashes in the ledger.  4. Pack the evidence, with the files bound by that entry.  5. Ready.

Who makes it holds an advisory lock on a connection of its own, on which progress is written too: it is seen while the
snapshot is still open, it ends with the process, and at each step it notices that somebody cancelled.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.db import connection

from audit import actions
from audit.models import Report, ReportFile, folder
from audit.reports import as_csv, as_pdf, as_xlsx, entries
from audit.reports.as_pdf import NoPango
from audit.reports.gather import gather
from audit.reports.half_written import forget
from audit.reports.integrity import span_of
from audit.reports.period import Period
from audit.reports.shape import for_page
from core.errors import AlreadySettled, NarrowgateError
from ledger import export, queries
from ledger.export import Basis
from ledger.models import Checkpoint

EVERY: Final = 0.5
"""Seconds between two writings of progress."""
SIGNED_WITHIN: Final = 60.0
"""Seconds that the ledger has to sign the entry that states the files."""
Format = Report.Format
_PROGRESS = "UPDATE audit_report SET progress = %s, doing = %s WHERE id = %s AND status = 'making'"
_WRITERS: Final[dict[str, tuple[str, Callable[[Path, Path, Callable[[int], None]], None]]]] = {
    Format.CSV: ("Writing the CSV", as_csv.write),
    Format.XLSX: ("Writing the spreadsheet", as_xlsx.write),
    Format.PDF: ("Laying out the PDF", as_pdf.write),
}
_GATHERED: Final = 0.5
"""Progress once everything is gathered."""
_here = threading.Lock()


class _Stopped(Exception):
    """Somebody cancelled it."""


@dataclass
class Door:
    """The maker's connection: it holds the lock and tells how far the making is."""

    report_id: UUID
    connection: Any
    told: float = field(default=0.0)

    def tell(self, progress: float, doing: str, *, now: bool = False) -> None:
        """Say how far it is, not more often than EVERY seconds. Raises _Stopped when it is no longer to be made."""
        if not now and time.monotonic() - self.told < EVERY:
            return
        self.told = time.monotonic()
        with self.connection.cursor() as cursor:
            cursor.execute(_PROGRESS, [min(progress, 1.0), doing, self.report_id])
            if cursor.rowcount != 1:
                raise _Stopped


def make_unfinished() -> int:
    """Make what is unfinished and in nobody's hands, the oldest first; gives how many. One at a time in this process."""
    if not _here.acquire(blocking=False):
        return 0
    try:
        waiting = Report.objects.filter(status__in=Report.UNFINISHED).order_by("asked_at", "id")
        return sum(make(report_id) for report_id in list(waiting.values_list("id", flat=True)))
    finally:
        _here.release()


def make(report_id: UUID) -> bool:
    """Make the report unless somebody else does; False where there was nothing to do. What goes wrong, its page says."""
    with _door(report_id) as door:
        report = actions.begin(report_id) if door else None
        if door is None or report is None:
            return False
        try:
            _make(report, door)
        except (_Stopped, AlreadySettled):
            return False
        except NarrowgateError as error:
            actions.fail(report_id, why=str(error))
        except OSError as error:
            actions.fail(
                report_id,
                why=f"A file could not be written: {error.strerror or error}. Free some space, then ask again.",
            )
    return True


@contextmanager
def _door(report_id: UUID) -> Iterator[Door | None]:
    """The report's lock; None where another process holds it. PostgreSQL frees it when this connection ends, however."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [report_id.int & (1 << 63) - 1])
            (ours,) = cursor.fetchone()
        yield Door(report_id, own) if ours else None
    finally:
        own.close()


def _make(report: Report, door: Door) -> None:
    if report.kind == Report.Kind.ENTRIES:
        _take(report, door)
        return
    lines = _gathered(report, door)  # 1
    asked = [name for name in _WRITERS if name in report.formats]
    lacking = ""
    for number, name in enumerate(asked):  # 2
        try:
            _written(report, door, name, lines, (number, len(asked)))
        except NoPango as error:
            lacking = f"The PDF was not made. {error}"
    entry = actions.state_files(report.id)  # 3
    if Format.ZIP in report.formats:
        _packed(report, door, entry)  # 4
    actions.finish(report.id, lacking=lacking)  # 5


def _take(report: Report, door: Door) -> None:
    """Entries as files, each format by itself; those that were finished before are kept. Steps 2, 3 and 5."""
    basis = _basis(report)
    for number, name in enumerate(report.formats):
        if _kept(report, name) is not None:
            continue
        doing = f"Writing {Format(name).label}"
        with _growing(report, name) as part:
            for share in entries.write(report, name, part, basis):
                door.tell(0.95 * (number + share) / len(report.formats), doing)
            _keep(report, name, part)
    summary, newest = entries.summary(report).as_json(), basis.checkpoint
    actions.keep_summary(report.id, summary=summary, entries=newest.size, root=bytes(newest.root).hex())
    actions.state_files(report.id)
    actions.finish(report.id)


def _basis(report: Report) -> Basis:
    """What the entries are proved by: chosen once, so that whoever takes up the making of the dead makes the same files, bit by bit."""
    if report.entries is None:
        newest = entries.basis_of(report).checkpoint
        actions.keep_basis(report.id, entries=newest.size, root=bytes(newest.root).hex())
        report.entries = newest.size
    return Basis(Checkpoint.objects.get(size=report.entries), report.asked_at)


def _gathered(report: Report, door: Door) -> Path:
    """The JSON lines, as kept from an earlier making or gathered now."""
    kept = _kept(report, Format.JSONL)
    if kept is not None and report.summary is not None:
        return kept.path
    doing = "Reading the record"
    door.tell(0.0, doing, now=True)

    def passed(done: int, of: int) -> None:
        if done % 256 == 0:
            door.tell(_GATHERED * done / max(of, 1), doing)

    with _part() as part:
        head = gather(report, part, passed)
        with part.open("rb") as lines:
            report.summary = for_page(lines).as_json()
        actions.keep_summary(report.id, summary=report.summary, entries=head.entries, root=head.root)
        return kept.path if kept else _keep(report, Format.JSONL, part).path


def _written(report: Report, door: Door, name: str, lines: Path, place: tuple[int, int]) -> None:
    """One format, unless it was finished before."""
    if _kept(report, name) is not None:
        return
    doing, write = _WRITERS[name]
    number, of = place
    rows = max(1, sum(table["total"] for table in (report.summary or {}).get("tables", [])))
    share = (0.95 - _GATHERED) / of
    begun = _GATHERED + share * number
    door.tell(begun, doing, now=True)

    def passed(done: int) -> None:
        if done % 256 == 0:
            door.tell(begun + share * done / rows, doing)

    with _part() as part:
        write(lines, part, passed)
        _keep(report, name, part)


def _packed(report: Report, door: Door, entry: UUID) -> None:
    """The package of evidence: the period's entries, and the files under the entry that states them."""
    if _kept(report, Format.ZIP) is not None:
        return
    index = _signed(door, entry)
    door.tell(0.97, "Packing the evidence", now=True)
    files = {file.download_name: file.path for file in report.files.select_related("report")}
    first, last = span_of(Period(report.since, report.until), index + 1)
    first, last = (first, last) if first < last else (index, index + 1)
    with _part() as part:
        export.export(part, first, last, export.Attached(index, files))
        _keep(report, Format.ZIP, part)


def _signed(door: Door, entry: UUID) -> int:
    """The place of the entry in the ledger, once a checkpoint holds it."""
    give_up = time.monotonic() + SIGNED_WITHIN
    while time.monotonic() < give_up:
        found = queries.entry(entry)
        if found is not None and queries.first_checkpoint_over(found.index) is not None:
            return found.index
        door.tell(0.95, "Waiting for the ledger to sign")
        time.sleep(0.1)
    raise NarrowgateError(
        f"The ledger did not sign the report's entry within {SIGNED_WITHIN:.0f} seconds.",
        "See that the sequencer runs, then ask again.",
    )


def _kept(report: Report, name: str) -> ReportFile | None:
    """The finished file of that format, if it is there."""
    found = report.files.select_related("report").filter(format=name).first()
    return found if found and found.path.is_file() else None


@contextmanager
def _part() -> Iterator[Path]:
    """A file to write to, gone afterwards unless it was kept."""
    part = folder() / f"{secrets.token_hex(16)}.part"
    part.touch(mode=0o600)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _growing(report: Report, name: str) -> Iterator[Path]:
    """A file to write to that another making goes on with where this one dies; gone where the report is given up."""
    part = folder() / f"{report.id.hex}-{name}.part"
    part.touch(mode=0o600)
    try:
        yield part
    except (_Stopped, NarrowgateError, OSError):
        forget(part)
        part.unlink(missing_ok=True)
        raise


def _keep(report: Report, name: str, part: Path) -> ReportFile:
    """Put a finished file in its place and note it. Raises AlreadySettled where the report was cancelled meanwhile."""
    digest, size = hashlib.sha256(), 0
    with part.open("rb") as file:
        os.fsync(file.fileno())
        while data := file.read(1 << 20):
            digest.update(data)
            size += len(data)
    final = part.with_suffix("")
    part.replace(final)
    report.files.filter(format=name).delete()
    try:
        return actions.keep_file(report.id, format=name, name=final.name, size=size, sha256=digest.hexdigest())
    except AlreadySettled:
        final.unlink(missing_ok=True)
        raise


def sweep(older_than: float = 86_400.0) -> int:
    """Remove what interrupted makings left in the folder; gives how many files."""
    known = set(ReportFile.objects.values_list("name", flat=True))
    now, swept = time.time(), 0
    for path in folder().iterdir():
        if path.name not in known and now - path.stat().st_mtime > older_than:
            path.unlink(missing_ok=True)
            swept += 1
    return swept
