"""Entries of the ledger as files that are kept: what a person asked of the explorer, made in the background like a report.

All of a period is a span, whose package proves itself by the checkpoints within and by the subtrees before and after it; a selection
proves each entry by a path of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from activity.asked import read, window_of
from audit.explorer import EntriesForm, matching
from audit.models import Report
from audit.reports.integrity import span_of
from audit.reports.period import Period
from audit.reports.shape import Summary
from audit.taking import FORMS
from core.db import db_now
from core.errors import NotFound
from ledger import export
from ledger.models import Checkpoint, Entry

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


def write(report: Report, name: str, target: Path, newest: Checkpoint) -> Iterator[float]:
    """Write one format of the entries; gives from 0 to 1 how far it is. Raises NotFound where none matches."""
    (made,) = (form for form in FORMS.values() if form.format == name)
    first, last = span_of(Period(report.since, report.until), newest.size)
    if first >= last:
        raise NotFound("No signed entry is of that time.", "Change the filters.")
    if name == Report.Format.ZIP and not report.asked:
        parts, at = _span(first, last)
    else:
        at = [first]
        parts = made.parts(_followed(report, newest.size, at), newest)
    with target.open("wb") as file:
        for part in parts:
            file.write(part)
            yield min(1.0, (at[0] - first) / (last - first))


def _span(first: int, last: int) -> tuple[Iterator[bytes], list[int]]:
    """A package of all entries of a span, and how far it is: a part of it is a page of them, but for a few."""
    at = [first]

    def counted() -> Iterator[bytes]:
        for part in export.stream(export.plan(first, last)):
            at[0] += export.PAGE
            yield part

    return counted(), at


def _followed(report: Report, size: int, at: list[int]) -> Iterator[list[Entry]]:
    """The pages of what was asked for; `at` follows the last entry read."""
    asked: dict[str, Any] = read(EntriesForm(report.asked)) | {"since": report.since, "until": report.until}
    pages = matching(asked, size)
    first = next(pages, None)
    if first is None:
        raise NotFound("No signed entry matches.", "Change the filters.")
    for page in chain([first], pages):
        at[0] = page[-1].index
        yield page


def summary(report: Report) -> Summary:
    """What its page says."""
    what = f"Entries that match {_in_words(report.asked)}" if report.asked else "Every entry of this time"
    return Summary(f"{what}.")


def _in_words(asked: dict[str, str]) -> str:
    return ", ".join(f"{'words' if name == 'q' else name} “{value}”" for name, value in sorted(asked.items()))
