"""How soon a hold is in front of those who may decide it, and how soon what they approve has left the gate.

A thousand reviewers in 200 groups of five have their queue open over a websocket of their own; an agent of one group's segment asks, 20 times a
second and then 200 times at once, and exactly those five may see it. Four of them are real Chromium pages, in which it is seen when the row is there; the others
hear what is sent, and it is counted whether anybody was sent what is not theirs. Then held statements of a real client are approved over HTTP, as the page
does it, and timed until the client has its answer from the database behind the gate. Last, 5,000 holds wait and the queue's page is asked for.

Console and gateway are one process, as `script/server` has them, beside this one and the browser's on the same machine.

    python bench/approvals.py --json [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psycopg
from playwright.async_api import Browser, Page, async_playwright
from websockets.asyncio.client import connect

from bench.approvals_world import Deployment, deployed, fill_queue
from bench.gateway_world import AGENT, free_port, wait_for_port
from bench.printed import printed

ROOT = str(Path(__file__).resolve().parent.parent)
PAGES = 4
PER_PAGE = 12
"""Holds that each real page is sent in a round: its group's agents may have no more waiting."""
A_SECOND = 20
BURST = 200
WAITING = 5_000
CLICKS = 40
WATCH = """() => {
  window.seen = {};
  const look = () => document.querySelectorAll('#holds .hold-row').forEach(row => (row.dataset.holds ?? row.dataset.hold).split(' ')
    .forEach(hold => { window.seen[hold] ??= Date.now(); }));
  new MutationObserver(look).observe(document.getElementById('holds'), { childList: true, subtree: true, attributes: true });
}"""
"""In a page: notes when the row of a hold is first there."""


@dataclass
class Server:
    """The process under test: where it answers, and how it is asked for holds."""

    console: int
    gate: int
    process: asyncio.subprocess.Process
    asked: dict[str, tuple[int, float]] = field(default_factory=dict)
    """By hold: its group, and when it was committed."""

    def ask(self, groups: Sequence[int]) -> None:
        """Have an agent ask in each of these groups."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps(list(groups)).encode() + b"\n")

    async def hear(self) -> None:
        """Keep what the process says of each hold."""
        assert self.process.stdout
        async for line in self.process.stdout:
            said = json.loads(line)
            self.asked[said["hold"]] = (said["group"], said["at"])


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    """Start it; ended at the end."""
    console, gate = free_port(), free_port()
    environment = {**os.environ, "PYTHONPATH": ROOT}
    os.environ["CONSOLE_URL"] = environment["CONSOLE_URL"] = f"http://localhost:{console}"
    with (folder / "server.log").open("w") as log:
        command = [sys.executable, "-m", "bench.approvals_server", str(console), str(gate)]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=log, env=environment)
        try:
            await asyncio.to_thread(wait_for_port, console)
            await asyncio.to_thread(wait_for_port, gate)
            server = Server(console, gate, process)
            hearing = asyncio.create_task(server.hear())
            yield server
            hearing.cancel()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


class Reviewer:
    """One open queue without a browser: hears, and asks for its list as the page does, a moment after it heard."""

    def __init__(self, server: Server, cookie: str, group: int) -> None:
        self.group, self.heard = group, defaultdict[str, int](int)
        self._server, self._cookie = server, f"narrowgate_session={cookie}"

    async def listen(self, ready: asyncio.Event) -> None:
        """Hear until cancelled."""
        origin: Any = f"http://localhost:{self._server.console}"
        address = f"ws://localhost:{self._server.console}/ws/queue/"
        headers = {"Cookie": self._cookie}
        async with connect(address, origin=origin, additional_headers=headers, compression=None) as socket:
            async for message in socket:
                said = json.loads(message)
                if said["type"] == "hold":
                    self.heard[said["hold"]] += 1
                ready.set()


@asynccontextmanager
async def listening(server: Server, world: Deployment, browsers: Sequence[str]) -> AsyncIterator[list[Reviewer]]:
    """Everybody's queue but those in real browsers, open."""
    reviewers = [
        Reviewer(server, world.cookies[name], group)
        for group, names in enumerate(world.groups)
        for name in names
        if name not in browsers
    ]
    tasks, events = [], []
    for at in range(0, len(reviewers), 50):
        some = [asyncio.Event() for _ in reviewers[at : at + 50]]
        tasks += [
            asyncio.create_task(one.listen(event)) for one, event in zip(reviewers[at : at + 50], some, strict=True)
        ]
        await asyncio.gather(*[event.wait() for event in some])
        events += some
    yield reviewers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def browsing(server: Server, world: Deployment, names: Sequence[str]) -> AsyncIterator[list[Page]]:
    """A real page of each."""
    async with async_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield [await _page(browser, server, world.cookies[name]) for name in names]
        await browser.close()


async def _page(browser: Browser, server: Server, cookie: str) -> Page:
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    address = f"http://localhost:{server.console}"
    await context.add_cookies([{"name": "narrowgate_session", "value": cookie, "url": address}])
    page = await context.new_page()
    await page.goto(f"{address}/queue/")
    await page.get_by_text("Live", exact=True).wait_for()
    await page.evaluate(WATCH)
    return page


async def sustained(server: Server, groups: int) -> None:
    """A_SECOND holds a second, some of them for each real page, the others for everybody else in turn."""
    others = groups - PAGES
    for number in range(PAGES * PER_PAGE * 8):
        group = number // 8 % PAGES if number % 8 == 0 else PAGES + number % others
        server.ask([group])
        await asyncio.sleep(1 / A_SECOND)


async def burst(server: Server, groups: int) -> None:
    """BURST holds at once, one for each group in turn."""
    server.ask([number % groups for number in range(BURST)])


async def round_of(
    how: Callable[[Server, int], Any], server: Server, groups: int, pages: Sequence[Page]
) -> tuple[list[float], set[str]]:
    """Milliseconds from each commit to its row in a real page, and all holds of the round."""
    before = set(server.asked)
    await how(server, groups)
    await _quiet(server)
    await asyncio.sleep(2)
    fresh = set(server.asked) - before
    took = []
    for number, page in enumerate(pages):
        seen = await page.evaluate("() => window.seen")
        for hold in fresh:
            group, at = server.asked[hold]
            if group == number:
                took.append(float(seen.get(hold, math.inf)) - at * 1000)
    await asyncio.to_thread(_settle_all)
    for page in pages:
        await page.reload()
        await page.get_by_text("Live", exact=True).wait_for()
        await page.evaluate(WATCH)
    return took, fresh


async def _quiet(server: Server) -> None:
    """Wait until nothing more is asked."""
    number = -1
    if server.process.returncode is not None:
        raise SystemExit("the server has ended")
    while number != len(server.asked):
        number = len(server.asked)
        await asyncio.sleep(1)


def _settle_all() -> None:
    from django.utils import timezone

    from approvals.models import Hold

    Hold.objects.filter(status="waiting").update(status="withdrawn", settled_at=timezone.now())


def counted(reviewers: Sequence[Reviewer], server: Server, holds: set[str]) -> dict[str, int]:
    """What was on the wire: messages, those about what is not the hearer's, and holds that somebody was not told of."""
    heard = sum(sum(one.heard.values()) for one in reviewers)
    strange = sum(server.asked[hold][0] != one.group for one in reviewers for hold in one.heard if hold in holds)
    missed = sum(hold not in one.heard for one in reviewers for hold in holds if server.asked[hold][0] == one.group)
    return {"messages": heard, "not_theirs": strange, "missed": missed}


def clicks(server: Server, world: Deployment, number: int) -> list[float]:
    """Milliseconds from an approval's click to the client's answer, for one statement after another."""
    cookie = world.cookies[world.groups[0][-1]]
    with _client(world, server.gate) as client:
        return [_approved(server, cookie, client, at) for at in range(number)]


def _approved(server: Server, cookie: str, client: psycopg.Connection[Any], at: int) -> float:
    from threading import Thread

    done: list[float] = []

    def run() -> None:
        client.execute(f"UPDATE orders SET status = 'sent' WHERE id = {at + 1}")
        done.append(time.perf_counter())

    asking = Thread(target=run, daemon=True)
    asking.start()
    hold, digest = _waiting()
    connection = http.client.HTTPConnection("localhost", server.console, timeout=30)
    headers = {"Cookie": f"narrowgate_session={cookie}; narrowgate_csrf={'a' * 32}", "HX-Request": "true"}
    headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://localhost:{server.console}"}
    body = urlencode({"digest": digest, "csrfmiddlewaretoken": "a" * 32})
    began = time.perf_counter()
    connection.request("POST", f"/queue/{hold}/approve/", body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != http.client.OK:
        raise SystemExit(f"an approval was answered {answer.status}")
    asking.join(30)
    connection.close()
    if not done:
        raise SystemExit("what was approved did not run within 30 s")
    return (done[0] - began) * 1000


def _waiting() -> tuple[str, str]:
    from approvals.models import Hold

    for _ in range(500):
        hold = Hold.objects.filter(status="waiting", agent__name=AGENT).exclude(estimate=None).first()
        if hold:
            return str(hold.id), hold.digest
        time.sleep(0.02)
    raise SystemExit("a statement was not held")


def _client(world: Deployment, port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host="localhost", port=port, dbname="shop", user=AGENT, password=world.gate.token(), sslmode="verify-full",
        sslrootcert=str(world.gate.ca), autocommit=True,
    )  # fmt: skip


def queued(server: Server, world: Deployment, waiting: int, rounds: int) -> list[tuple[str, float, int]]:
    """The queue's page with so many waiting, of a reviewer who may decide all of them and of who sees the whole: p95 and queries."""
    fill_queue(waiting)
    found = []
    for title, name in (("reviewer", world.groups[0][-1]), ("ciso", world.overseer)):
        connection = http.client.HTTPConnection("localhost", server.console, timeout=60)
        took, queries = [], 0
        for at in range(rounds + 2):
            began = time.perf_counter()
            connection.request("GET", "/queue/", headers={"Cookie": f"narrowgate_session={world.cookies[name]}"})
            answer = connection.getresponse()
            answer.read()
            if at >= 2:
                took.append((time.perf_counter() - began) * 1000)
                queries = int(answer.headers["X-Queries"])
        found.append((title, p95(took), queries))
    return found


def p95(milliseconds: Sequence[float]) -> float:
    """The time that nineteen of twenty stay within."""
    ordered = sorted(milliseconds)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


async def measure(folder: Path, world: Deployment, *, quick: bool) -> dict[str, Any]:
    """All of it, one after another."""
    names = [names[0] for names in world.groups[:PAGES]]
    rounds, groups = 1 if quick else 3, len(world.groups)
    dom: dict[str, list[float]] = {"20 holds/s": [], f"burst of {BURST}": []}
    async with serving(folder) as server, listening(server, world, names) as reviewers:
        holds: set[str] = set()
        async with browsing(server, world, names) as pages:
            for _ in range(rounds):
                for case, how in zip(dom, (sustained, burst), strict=True):
                    took, fresh = await round_of(how, server, groups, pages)
                    dom[case].append(p95(took))
                    holds |= fresh
        wire = counted(reviewers, server, holds)
        clicked = [p95(await asyncio.to_thread(clicks, server, world, 10 if quick else CLICKS)) for _ in range(rounds)]
        pages_of = await asyncio.to_thread(queued, server, world, WAITING, 5 if quick else 20)
    return {"dom": dom, "wire": wire, "clicked": clicked, "queued": pages_of, "holds": len(holds)}


def figures(found: dict[str, Any], reviewers: int) -> list[dict[str, Any]]:
    """As the design's contract has them."""
    told = f"{reviewers:,} reviewers"
    return [
        *(_figure("hold_to_dom_p95_ms", f"{told}, {case}", "ms", statistics.median(took), 150) for case, took in found["dom"].items()),
        _figure("click_to_release_p95_ms", told, "ms", statistics.median(found["clicked"]), 100),
        *(_figure("queue_ms", f"{WAITING:,} waiting, {who}", "ms", took, 200) for who, took, _ in found["queued"]),
        *(_figure("queue_queries", f"{WAITING:,} waiting, {who}", "queries", queries, 12) for who, _, queries in found["queued"]),
        _figure("sent_not_theirs", f"{told}, {found['holds']:,} holds", "messages", found["wire"]["not_theirs"], 0),
        _figure("not_told", f"{told}, {found['holds']:,} holds", "messages", found["wire"]["missed"], 0),
    ]  # fmt: skip


def _figure(metric: str, case: str, unit: str, ours: float, most: float) -> dict[str, Any]:
    return {
        "metric": metric, "case": case, "unit": unit, "ours": round(ours, 1), "peers": {}, "ratio": None, "mark": f"<= {most}",
        "holds": ours <= most,
    }  # fmt: skip


def measured(quick: bool) -> list[dict[str, Any]]:
    """The figures of a deployment of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="narrowgate-bench-"))
    folder.chmod(0o755)
    groups = 40 if quick else 200
    try:
        with deployed(folder, groups) as world:
            return figures(asyncio.run(measure(folder, world, quick=quick)), groups * 5)
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.write((folder / "server.log").read_text()[-2000:])
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Measure, and print; exit status 1 where a mark is missed."""
    found = printed("approvals", __doc__, measured)
    sys.exit(0 if all(figure["holds"] is not False for figure in found) else 1)


if __name__ == "__main__":
    main()
