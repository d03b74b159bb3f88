"""A worker that begins a report and never ends it: it stops within the spreadsheet, or behind the CSV of entries within the next file, and says so.

Of entries it writes small pages, and stops behind so many of the next file as its second argument says.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import django

django.setup()

from audit import explorer  # noqa: E402 -- Django first
from audit.models import Report  # noqa: E402 -- Django first
from audit.reports import entries, making  # noqa: E402
from ledger import export  # noqa: E402
from ledger.export import Basis  # noqa: E402


def _stay(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    target.write_bytes(b"half a spreadsheet")
    _say_and_wait()


def _say_and_wait() -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(600)


def _stay_at_entries(report: Report, name: str, target: Path, basis: Basis) -> Iterator[float]:
    parts = written(report, name, target, basis)
    if name == "csv":
        yield from parts
    else:
        for _ in range(PAGES):
            yield next(parts)
        _say_and_wait()


PAGES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
written = entries.write
entries.PAUSED_EVERY = 2
export.PAGE = explorer.TAKEN_AT_A_TIME = 3
setattr(entries, "write", _stay_at_entries)  # noqa: B010 -- as the maker finds it
making._WRITERS["xlsx"] = ("Writing the spreadsheet", _stay)
making.make(UUID(sys.argv[1]))
