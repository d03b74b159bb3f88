"""How fast the ledger takes entries, signs them and proves them, beside three libraries that keep histories.

All write to the same PostgreSQL, durably: eight processes of Django with a connection each, and for ours also eight tasks of a
gate, which commits together what waits together. The peers write a row and its history, each in its fastest way that
misses none; ours is measured with an entry alone, and with a row and its entry. Ours counts what is committed, in the log and
under a signed checkpoint, so what the sequencer still has to do after the writers stop is on our clock. Proofs are of
random entries of a ledger of ten million, which is built once and kept in `--keep` (`--quick`: a smaller one, not kept); what the
explorer's pages find is found in the same one.

    python bench/ledger.py --json [--quick]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import compared
from bench.ledger_large import built
from bench.ledger_world import (
    ENTRY,
    GATE,
    PEERS,
    ROOT,
    ROW_AND_ENTRY,
    Writers,
    resident_mb,
    sequencing,
    started,
    wait_until_all_is_signed,
)

SAYS = {
    GATE: "a row and its entry, at the gate",
    ENTRY: "an entry, in Django",
    ROW_AND_ENTRY: "a row and its entry, in Django",
}
ROUNDS = 3
WRITERS = 8
BATCH = 50
LARGE, QUICK_LARGE = 10_000_000, 200_000
PROOFS = 2_000
PACED_PAUSE = 0.016  # seconds: eight writers make about 400 entries a second
PAGES = 31
LEAST_SINGLE, LEAST_BATCHED, MOST_CHECKPOINT_MS, MOST_PROOF_MS, MOST_PAGE_MS, MOST_MB = 5_000, 20_000, 100, 1, 100, 64


def rates(metric: str, together: int, seconds: float, least: int, writers: Writers) -> list[dict[str, Any]]:
    """Entries a second, ours and the peers', in turns, so that a slow moment of the machine hits all alike."""
    ours = (GATE, ENTRY, ROW_AND_ENTRY) if together == 1 else (ENTRY, ROW_AND_ENTRY)
    samples: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for what in (*ours, *PEERS):
            began = time.monotonic()
            ran = writers.run(what, together, seconds)
            if what in ours:
                wait_until_all_is_signed()
            samples.setdefault(what, []).append(ran.written / (time.monotonic() - began))
    found = {what: round(statistics.median(rate), 1) for what, rate in samples.items()}
    peers = {name: found[name] for name in PEERS}
    case = f"{WRITERS} writers, {together} a transaction"
    return [
        _figure(metric, f"{case}: {SAYS[what]}", "entries/s", found[what], peers, mark=(">=", least) if what == ours[0] else None)
        for what in ours
    ]  # fmt: skip


def checkpoint_ms(seconds: float, writers: Writers) -> list[dict[str, Any]]:
    """From an entry's commit to a signed checkpoint over it, under a steady load, as its writer sees it."""
    from threading import Thread

    load = Thread(target=writers.run, args=[ENTRY, 1, seconds * ROUNDS + 1, PACED_PAUSE])
    load.start()
    time.sleep(0.5)
    rounds = [sorted(_latencies(seconds)) for _ in range(ROUNDS)]
    load.join()
    wait_until_all_is_signed()
    found = []
    for metric, share in (("checkpoint_p50_ms", 0.5), ("checkpoint_p99_ms", 0.99)):
        value = statistics.median(one[int(len(one) * share)] for one in rounds)
        mark = ("<", MOST_CHECKPOINT_MS) if share == 0.99 else None
        found.append(_figure(metric, "commit to signed checkpoint, under load", "ms", value, {}, mark=mark))
    return found


def _latencies(seconds: float) -> Iterator[float]:
    from django.db import connection, transaction

    from ledger.entries import Actor, Subject
    from ledger.events import Event
    from ledger.write import record

    who, what = Actor("system", "bench", "bench"), Subject("page", "bench", "bench")
    covered = "SELECT EXISTS (SELECT FROM ledger_entry AS e WHERE e.uid = %s AND EXISTS (SELECT FROM ledger_checkpoint AS c WHERE c.size > e.index))"
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with transaction.atomic():
            uid = record(Event.RECORD_READ, actor=who, subject=what)
        committed = time.monotonic()
        with connection.cursor() as cursor:
            while True:
                cursor.execute(covered, [uid])
                if cursor.fetchone()[0]:
                    break
                time.sleep(0.001)
        yield (time.monotonic() - committed) * 1_000


def proofs(size: int) -> list[dict[str, Any]]:
    """The time of an inclusion proof of a random entry, and of a consistency proof between random sizes."""
    from ledger import queries

    chance = random.Random(6962)  # noqa: S311 -- a sample

    def inclusion() -> None:
        queries.inclusion(chance.randrange(size))

    def consistency() -> None:
        queries.consistency(chance.randrange(1, size), size)

    case = f"{size:,} entries"
    return [
        _figure("proof_ms", f"inclusion, {case}", "ms", _median_ms(inclusion), {}, mark=("<", MOST_PROOF_MS)),
        _figure("proof_ms", f"consistency, {case}", "ms", _median_ms(consistency), {}),
    ]


def explored(size: int) -> list[dict[str, Any]]:
    """The time that a page of the explorer takes to find its entries, by each way of asking."""
    from audit.explorer import entries_page

    agent, person = (hashlib.md5(who, usedforsecurity=False).hexdigest() for who in (b"a7", b"p7"))
    uid = str(UUID(hashlib.md5(f"u{size // 3}".encode(), usedforsecurity=False).hexdigest()))
    since = datetime.now(UTC) - timedelta(days=45)
    asked: dict[str, tuple[dict[str, Any], str]] = {
        "the newest": ({}, ""),
        "half way back": ({}, str(size // 2)),
        "an event": ({"event": "hold:asked"}, ""),
        "an agent": ({"agent": agent}, ""),
        "a person, and an event that they never did": ({"actor": person, "event": "incident:opened"}, ""),
        "an agent at a resource, half way back": ({"agent": agent, "resource": "db-3"}, str(size // 2)),
        "an identifier": ({"q": uid}, ""),
        "words that are nowhere": ({"q": "no such words"}, ""),
        "an hour of 45 days ago": ({"since": since, "until": since + timedelta(hours=1)}, ""),
    }
    return [
        _figure("explorer_ms", f"{name}, {size:,} entries", "ms", _median_ms(partial(entries_page, *one), PAGES), {}, mark=("<", MOST_PAGE_MS))
        for name, one in asked.items()
    ]  # fmt: skip


def _median_ms(prove: Callable[[], object], times: int = PROOFS) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        prove()
        taken.append((time.perf_counter() - began) * 1_000)
    return statistics.median(taken)


def _figure(
    metric: str, case: str, unit: str, ours: float, peers: dict[str, float], *, mark: tuple[str, float] | None = None
) -> dict[str, Any]:
    holds = None if mark is None else (ours >= mark[1] if mark[0] == ">=" else ours < mark[1])
    return {
        "metric": metric,
        "case": case,
        "unit": unit,
        "ours": round(ours, 3),
        "peers": peers,
        "ratio": round(ours / max(peers.values()), 3) if peers else None,
        "mark": None if mark is None else f"{mark[0]} {mark[1]}",
        "holds": holds,
    }


def writing(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The figures of a ledger that is written to."""
    from django.db import connections

    with started(folder), sequencing() as sequencer:
        connections.close_all()  # each writer makes its own
        with Writers(WRITERS) as writers:
            return _written(writers, sequencer.pid, 1.0 if quick else 5.0)


def _written(writers: Writers, sequencer: int, seconds: float) -> list[dict[str, Any]]:
    for what in (ENTRY, ROW_AND_ENTRY, *PEERS):
        writers.run(what, BATCH, 0.3)  # warm
    wait_until_all_is_signed()
    before = resident_mb(sequencer)
    found = rates("single_rate", 1, seconds, LEAST_SINGLE, writers)
    found += rates("batched_rate", BATCH, seconds, LEAST_BATCHED, writers)
    found += checkpoint_ms(seconds, writers)
    grown = max(0.0, resident_mb(sequencer) - before)
    found.append(_figure("memory_growth_mb", "the sequencer, over all of this", "MB", grown, {}, mark=("<", MOST_MB)))
    return found


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder that the database's account can reach, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="narrowgate-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def proving(keep: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The figures of proofs, in a process of its own: Django is set up once in a process."""
    command = [sys.executable, __file__, "--prove", str(keep), *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def prove(keep: Path, size: int) -> list[dict[str, Any]]:
    """Build the large ledger where it is not there, and prove entries of it."""
    from console import embedded

    keep.mkdir(parents=True, exist_ok=True)
    with built(keep, size):
        found = proofs(size) + explored(size)
    if size != LARGE:
        embedded.destroy(keep, "large")
    return found


def main() -> None:
    """Measure, and print; exit status 1 where a mark is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument(
        "--keep", type=Path, default=ROOT / ".narrowgate" / "bench", help="where the large ledger stays"
    )
    parser.add_argument("--prove", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.prove:
        print(json.dumps(prove(asked.prove, QUICK_LARGE if asked.quick else LARGE)))
        return
    compared.require("auditlog", "simple_history", "pghistory")
    began = time.monotonic()
    with temporary() as folder:
        found = writing(folder, quick=asked.quick)
        found += proving(folder / "quick" if asked.quick else asked.keep.resolve(), quick=asked.quick)
    if asked.json:
        print(json.dumps({"bench": "ledger", "figures": found, "seconds": round(time.monotonic() - began, 1)}))
    else:
        for figure in found:
            print(
                f"{figure['metric']:18} {figure['case']:48} {figure['ours']:>10} {figure['unit']:10} {figure['mark'] or '':10} {figure['peers'] or ''}"
            )
    sys.exit(0 if all(figure["holds"] is not False for figure in found) else 1)


if __name__ == "__main__":
    main()
