"""A worker that begins a report and never ends it: it stops where the spreadsheet, or the CSV of entries, would be written, and says so."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import django

django.setup()

from audit.models import Report  # noqa: E402 -- Django first
from audit.reports import entries, making  # noqa: E402
from ledger.models import Checkpoint  # noqa: E402


def _stay(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    target.write_bytes(b"half a spreadsheet")
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(600)


def _stay_at_entries(report: Report, name: str, target: Path, newest: Checkpoint) -> Iterator[float]:
    if name == "csv":
        yield from written(report, name, target, newest)
    else:
        _stay(target, target, lambda _: None)


written = entries.write
setattr(entries, "write", _stay_at_entries)  # noqa: B010 -- as the maker finds it
making._WRITERS["xlsx"] = ("Writing the spreadsheet", _stay)
making.make(UUID(sys.argv[1]))
