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
    """Write one format of the entries; gives from 0 to 1 how far it is. Raises NotFound where none matches."""
    (made,) = (form for form in FORMS.values() if form.format == name)
    size = basis.checkpoint.size
    first, last = span_of(Period(report.since, report.until), size)
    if first >= last:
        raise NotFound("No signed entry is of that time.", "Change the filters.")
    if name == Report.Format.ZIP and not report.asked:
        parts, at = _span(first, last, basis)
    else:
        at = [first]
        parts = made.parts(_followed(report, size, at), basis)
    with target.open("wb") as file:
        for part in parts:
            file.write(part)
            yield min(1.0, (at[0] - first) / (last - first))


def _span(first: int, last: int, basis: Basis) -> tuple[Iterator[bytes], list[int]]:
    """A package of all entries of a span, and how far it is: a part of it is a page of them, but for a few."""
    at = [first]

    def counted() -> Iterator[bytes]:
        for part in export.stream(export.plan(first, last, basis=basis)):
            at[0] += export.PAGE
            yield part

    return counted(), at


def _followed(report: Report, size: int, at: list[int]) -> Iterator[list[Entry]]:
    """The pages of what was asked for; `at` follows the last entry read."""
    for page in matching(_asked(report), size):
        at[0] = page[-1].index
        yield page


def _asked(report: Report) -> dict[str, Any]:
    return read(EntriesForm(report.asked)) | {"since": report.since, "until": report.until}


def summary(report: Report) -> Summary:
    """What its page says."""
    what = f"Entries that match {_in_words(report.asked)}" if report.asked else "Every entry of this time"
    return Summary(f"{what}.")


def _in_words(asked: dict[str, str]) -> str:
    return ", ".join(f"{'words' if name == 'q' else name} “{value}”" for name, value in sorted(asked.items()))
