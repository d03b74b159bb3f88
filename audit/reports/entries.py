"""Entries of the ledger as files that are kept: what a person asked of the explorer, made in the background like a report.

All of a period is a span, whose package proves itself by the checkpoints within and by the subtrees before and after it; a selection
proves each entry by a path of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from activity.asked import read, window_of
from audit.explorer import EntriesForm, matching
from audit.models import Report
from audit.reports.half_written import HalfWritten, forget
from audit.reports.integrity import span_of
from audit.reports.period import Period
from audit.reports.shape import Summary
from audit.taking import FORMS
from audit.taking import basis_of as basis_of_found
from core.db import db_now
from core.errors import NotFound
from ledger import export
from ledger.export import Basis, newest_basis
from ledger.models import Entry

TIMES = ("period", "since", "until")
PAUSED_EVERY = 50
"""Pages after which what is written is on disk for good: some seconds. Counted, so that a file is the same however often its making died."""


def asked_of(form: EntriesForm) -> tuple[dict[str, str], Period]:
    """The filters of a form as typed, without its times, and the period that those mean now. Raises Invalid, NotFound."""
    window, now = window_of(read(form)), db_now()
    since = window.since or _first_time()
    until = min(window.until or now, now)
    if since >= until:
        raise NotFound("Nothing was recorded in that time.", "Change the filters.")
    typed = {name: str(value).strip() for name, value in form.data.items() if name in form.fields and name not in TIMES}
    return {name: value for name, value in typed.items() if value}, Period(since, until)


def _first_time() -> datetime:
    first = Entry.objects.filter(recorded__isnull=False).order_by("recorded").first()
    if first is None or first.recorded is None:
        raise NotFound("The ledger has no entry yet.", "Record something, and wait a second.")
    return first.recorded


def basis_of(report: Report) -> Basis:
    """What the entries are proved by. Raises NotFound where nothing is signed or found."""
    return basis_of_found(_asked(report)) if report.asked else newest_basis()


def write(report: Report, name: str, target: Path, basis: Basis) -> Iterator[float]:
    """Write one format of the entries; gives from 0 to 1 how far it is. What was half written there is gone on with.

    Raises NotFound where none matches.
    """
    first, last = span_of(Period(report.since, report.until), basis.checkpoint.size)
    if first >= last:
        raise NotFound("No signed entry is of that time.", "Change the filters.")
    half = HalfWritten.of(target)
    taker, pages = _taken(report, name, basis, half)
    with target.open("r+b" if half.state is not None else "wb") as file:
        file.truncate(half.size)
        file.seek(half.size)
        if half.state is None:
            file.writelines(taker.begin())
        for number, (after, page) in enumerate(pages, start=1):
            file.write(taker.page(page))
            yield min(1.0, (after - first) / (last - first))
            if number % PAUSED_EVERY == 0:
                data, state = taker.pause()
                file.write(data)
                HalfWritten(file.tell(), after, state).keep(target, file)
        file.writelines(taker.end())
    forget(target)


def _taken(report: Report, name: str, basis: Basis, half: HalfWritten) -> tuple[Any, Iterator[tuple[int, list[Any]]]]:
    """What writes that format, and the pages that are still to be written, each with the index of its last entry."""
    size = basis.checkpoint.size
    if name == Report.Format.ZIP and not report.asked:
        first, last = span_of(Period(report.since, report.until), size)
        whole = export.pages(max(first, half.after + 1), last)
        return export.packing(export.plan(first, last, basis=basis), half.state), (
            (page[-1][0], page) for page in whole
        )
    (form,) = (form for form in FORMS.values() if form.format == name)
    found = matching(_asked(report), size, half.after)
    return form.taker(basis, half.state), ((page[-1].index, page) for page in found)


def _asked(report: Report) -> dict[str, Any]:
    return read(EntriesForm(report.asked)) | {"since": report.since, "until": report.until}


def summary(report: Report) -> Summary:
    """What its page says."""
    what = f"Entries that match {_in_words(report.asked)}" if report.asked else "Every entry of this time"
    return Summary(f"{what}.")


def _in_words(asked: dict[str, str]) -> str:
    return ", ".join(f"{'words' if name == 'q' else name} “{value}”" for name, value in sorted(asked.items()))
