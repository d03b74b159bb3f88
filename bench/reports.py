"""How long reports over a large deployment take, and how much memory: each kind over 90 days, in every format.

The world is that of bench/pages.py: 10,000 agents and 2 million actions (`--quick`: 1,000 and 50,000). Each report is made by a
process of its own, as a worker makes it; its memory is what the process grew by, from before the first row to its largest.

    python bench/reports.py --json [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.pages_world import Size, built

FULL, QUICK = Size(10_000, 2_000_000), Size(1_000, 50_000)
KINDS = ("oversight", "access", "incidents", "integrity")
FORMATS = ("csv", "xlsx", "pdf")
MOST_MB = 150
ROWS_PER_SECOND = 1_000


def _ask(kind: str) -> UUID:
    """Ask for the report over the whole 90 days."""
    from datetime import timedelta

    from accounts.models import User
    from audit import actions
    from audit.reports.period import Period
    from audit.reports.scope import Scope
    from core.db import db_now

    now = db_now()
    period = Period(now - timedelta(days=91), now)
    auditor = User.objects.get(username="auditor")
    return actions.ask(kind=kind, period=period, scope=Scope("all"), formats=FORMATS, actor=auditor).id


def make(report_id: UUID) -> dict[str, Any]:
    """Make it here; gives seconds, rows, and megabytes before and at most."""
    import django

    django.setup()
    from audit.models import Report
    from audit.reports import making

    before, began = _largest(), time.monotonic()
    making.make(report_id)
    took = time.monotonic() - began
    report = Report.objects.get(id=report_id)
    if report.status != "ready" or report.summary is None:
        raise SystemExit(f"{report.kind}: {report.status} {report.why}")
    sizes = {file.format: file.size for file in report.files.all()}
    return {"seconds": took, "rows": report.summary["tables"][-1]["total"], "mb": _largest() - before, "bytes": sizes}


def _largest() -> float:
    """Megabytes that this process had at most. `ru_maxrss` begins with what the process had that started this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def _figures(kind: str, made: dict[str, Any]) -> list[dict[str, Any]]:
    rate = made["rows"] / made["seconds"]
    case = f"{kind}, {made['rows']:,} rows"
    measured = [("report_memory_mb", "MB", round(made["mb"], 1), f"<= {MOST_MB}", made["mb"] <= MOST_MB)]
    if kind == "access":
        measured.append(("report_rows_per_s", "rows/s", round(rate), f">= {ROWS_PER_SECOND}", rate >= ROWS_PER_SECOND))
    measured.append(("report_s", "s", round(made["seconds"], 1), "", True))
    return [
        {"metric": metric, "case": case, "unit": unit, "ours": ours, "peers": {}, "ratio": None, "mark": mark, "holds": holds}
        for metric, unit, ours, mark, holds in measured
    ]  # fmt: skip


def _measured() -> list[dict[str, Any]]:
    found = []
    for kind in KINDS:
        command = [sys.executable, __file__, "--make", str(_ask(kind))]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
        found += _figures(kind, json.loads(done.stdout))
    return found


def main() -> None:
    """Build, measure, print; exit status 1 where a mark is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a smaller deployment")
    parser.add_argument("--make", type=UUID, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make:
        print(json.dumps(make(asked.make)))
        return
    folder = Path(tempfile.mkdtemp(prefix="narrowgate-bench-"))
    folder.chmod(0o755)
    try:
        with built(folder, QUICK if asked.quick else FULL):
            found = _measured()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if asked.json:
        print(json.dumps({"bench": "reports", "figures": found}, indent=1))
    else:
        for figure in found:
            print(f"{figure['case']:36} {figure['metric']:20} {figure['ours']:>10} {figure['unit']}")
    sys.exit(0 if all(figure["holds"] for figure in found) else 1)


if __name__ == "__main__":
    main()
