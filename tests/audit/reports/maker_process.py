"""A worker that begins a report and never ends it: it stops where the spreadsheet would be written, and says so."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import django

django.setup()

from audit.reports import making  # noqa: E402 -- Django first


def _stay(source: Path, target: Path, passed: Callable[[int], None]) -> None:
    target.write_bytes(b"half a spreadsheet")
    sys.stdout.write("here\n")
    sys.stdout.flush()
    time.sleep(600)


making._WRITERS["xlsx"] = ("Writing the spreadsheet", _stay)
making.make(UUID(sys.argv[1]))
