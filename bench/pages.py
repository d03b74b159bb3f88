"""How long the console's pages take in a large deployment, and how many queries: each list and the posture page, per role.

10,000 agents, 2 million actions over 90 days, their sessions, holds, 500 incidents and the ledger's entries are built in an
embedded PostgreSQL (`--quick`: 1,000 and 50,000, each page asked by one role). A uvicorn process with the console's own settings answers over HTTP; each
page is asked 20 times one after another by a person who is signed in, and the slowest but one in twenty counts.

    python bench/pages.py --json [--quick]
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.gateway_world import free_port, wait_for_port
from bench.pages_world import Size, World, built

FULL, QUICK = Size(10_000, 2_000_000), Size(1_000, 50_000)
WARM, ROUNDS = 2, 20
MOST_MS, MOST_MS_OF_INVENTORY = 300, 200
MOST_QUERIES = 15
WORDS = {True: "ok", False: "MISSED", None: ""}
DETAILS = ("incident (", "agent (", "session (", "queue, with a hold open (")
"""Pages of one thing: how many queries they take is told, and has no mark."""
INVENTORY = ("agent", "credentials ", "what an agent ", "who can reach ", "segments ", "resources (")
"""Pages of the inventory, which are to be faster than the rest."""
PAGES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("posture", "/posture/", ("ciso",)),
    ("posture, 90 days", "/posture/?period=90d", ("ciso",)),
    ("step of zero trust", "/posture/steps/privilege/", ("ciso",)),
    ("decisions of people", "/posture/decisions/?since={month_ago}", ("ciso", "auditor")),
    ("incidents", "/incidents/", ("ciso", "auditor", "owner")),
    ("incidents, worst first", "/incidents/?sort=-severity", ("ciso",)),
    ("incident", "/incidents/{incident}/", ("ciso",)),
    ("signals", "/incidents/signals/", ("ciso", "owner")),
    ("agents", "/agents/", ("ciso", "engineer", "owner", "reviewer")),
    ("agents, by risk", "/agents/?sort=-risk", ("ciso",)),
    ("agents, found", "/agents/?q=worker-77", ("engineer",)),
    ("credentials about to expire", "/agents/credentials/", ("ciso", "owner", "reviewer")),
    ("agents, of a band", "/agents/?band=4", ("ciso",)),
    ("agent", "/agents/{agent}/", ("ciso", "owner")),
    ("what an agent may do", "/agents/{agent}/permissions/", ("ciso", "owner")),
    ("who can reach a resource", "/resources/r/production-db/reach/", ("engineer",)),
    ("segments drawn", "/resources/segments/map/", ("ciso",)),
    ("actions", "/record/actions/", ("ciso", "auditor", "owner", "reviewer")),
    ("actions, denied in 30 days", "/record/actions/?decision=deny&period=30d", ("ciso",)),
    ("actions, of an agent", "/record/actions/?agent={agent}", ("auditor",)),
    ("sessions", "/record/", ("ciso", "auditor", "owner", "reviewer")),
    ("session", "/record/sessions/{session}/", ("auditor",)),
    ("ledger", "/record/ledger/", ("auditor",)),
    ("reports", "/record/reports/", ("auditor",)),
    ("queue, the list", "/queue/list/", ("reviewer", "owner")),
    ("queue, with a hold open", "/queue/", ("reviewer", "owner")),
    ("resources", "/resources/", ("engineer",)),
    ("people", "/people/", ("administrator",)),
)


@dataclass(frozen=True)
class Sample:
    """What asking a page many times measured: each answer's milliseconds, and the most queries of one."""

    case: str
    milliseconds: tuple[float, ...]
    queries: int

    @property
    def p95(self) -> float:
        """The time that nineteen of twenty answers stay within."""
        ordered = sorted(self.milliseconds)
        return ordered[math.ceil(0.95 * len(ordered)) - 1]


def measure(world: World, port: int, *, quick: bool) -> list[Sample]:
    """Ask every page as everybody who has it; quickly as the first of them alone."""
    names = _names()
    return [
        _sample(f"{title} ({role})", port, path.format(**names), world.cookies[role])
        for title, path, roles in PAGES
        for role in (roles[:1] if quick else roles)
    ]


def _names() -> dict[str, str]:
    """An agent, a session and an incident to open, and a moment a month ago."""
    from datetime import timedelta
    from urllib.parse import quote

    from activity.models import Session
    from agents.models import Agent
    from core.db import db_now
    from monitoring.models import Incident

    month_ago = db_now() - timedelta(days=30)
    incident = Incident.objects.filter(status="resolved").order_by("-detected_at")[0]
    owned = Agent.objects.filter(owner__username="owner")
    session = Session.objects.filter(agent_id__in=owned.values("id")).exclude(ended_at=None).order_by("-began_at")[0]
    agent = Agent.objects.get(id=session.agent_id).name
    return {
        "agent": agent, "session": str(session.id), "incident": str(incident.id), "month_ago": quote(month_ago.isoformat())
    }  # fmt: skip


def _sample(case: str, port: int, path: str, cookie: str) -> Sample:
    """Ask one page over one connection. Raises SystemExit for an answer that is not the page."""
    connection = http.client.HTTPConnection("localhost", port, timeout=60)
    took, queries = [], 0
    for number in range(WARM + ROUNDS):
        began = time.perf_counter()
        connection.request("GET", path, headers={"Cookie": f"narrowgate_session={cookie}"})
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{case}: {path} answered {answer.status}")
        if number >= WARM:
            took.append(1000 * (time.perf_counter() - began))
            queries = max(queries, int(answer.headers["X-Queries"]))
    connection.close()
    return Sample(case, tuple(took), queries)


def figures(samples: list[Sample]) -> list[dict[str, Any]]:
    """As the design's contract has them."""
    found: list[dict[str, Any]] = []
    for sample in samples:
        most_ms = MOST_MS_OF_INVENTORY if sample.case.startswith(INVENTORY) else MOST_MS
        measured = (
            ("page_p95_ms", "ms", round(sample.p95, 1), most_ms),
            ("page_queries", "queries", sample.queries, None if sample.case.startswith(DETAILS) else MOST_QUERIES),
        )
        for metric, unit, ours, most in measured:
            found.append({
                "metric": metric, "case": sample.case, "unit": unit, "ours": ours, "peers": {}, "ratio": None,
                "mark": f"<= {most}" if most else None, "holds": ours <= most if most else None,
            })  # fmt: skip
    return found


@contextmanager
def _console(folder: Path) -> Iterator[int]:
    """The console as a process of its own."""
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
    environment["CONSOLE_URL"] = f"http://localhost:{port}"
    with (folder / "console.log").open("w") as log:
        command = [sys.executable, "-m", "bench.pages_server", str(port)]
        process = subprocess.Popen(command, env=environment, stderr=log)
        try:
            wait_for_port(port)
            yield port
        finally:
            process.terminate()
            process.wait(15)


def main() -> None:
    """Build, measure, print; exit status 1 where a mark is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="a smaller deployment, in under a minute")
    asked = parser.parse_args()
    size = QUICK if asked.quick else FULL
    folder = Path(tempfile.mkdtemp(prefix="narrowgate-bench-"))
    folder.chmod(0o755)
    try:
        with built(folder, size) as world, _console(folder) as port:
            found = figures(measure(world, port, quick=asked.quick))
            built_in = round(world.seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    told = f"{size.agents:,} agents, {size.actions:,} actions, 500 incidents{'; quick, smaller than the mark asks' if asked.quick else ''}"
    if asked.json:
        print(json.dumps({"bench": "pages", "world": told, "built_in_s": built_in, "figures": found}, indent=1))
    else:
        print(f"{told}, built in {built_in} s")
        for figure in found:
            print(f"{figure['case']:40} {figure['metric']:14} {figure['ours']:>8} {WORDS[figure['holds']]}")
    sys.exit(0 if all(figure["holds"] is not False for figure in found) else 1)


if __name__ == "__main__":
    main()
