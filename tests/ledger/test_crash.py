"""The sequencer's process dies without warning, again and again: no entry lost, none doubled, no gap."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection

from console.database import Logins
from ledger import export, verify
from ledger.models import Checkpoint, Entry, Outbox
from ledger.signer import FileSigner
from tests.ledger.conftest import sequenced, wait_until, write_entries

PROGRAM = """
import sys, threading
from pathlib import Path
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
Sequencer(sys.argv[1], FileSigner.load_or_create(Path(sys.argv[2]), "x")).run(threading.Event())
"""

pytestmark = pytest.mark.process


def process(dsn: str, key: Path) -> subprocess.Popen[bytes]:
    """A sequencer in a process of its own."""
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, dsn, str(key)], cwd=root, stdout=subprocess.DEVNULL)


def kill(one: subprocess.Popen[bytes]) -> None:
    one.kill()
    one.wait(5)


def write_until(done: threading.Event) -> None:
    """Commit entries one after another, for as long as the test kills."""
    try:
        while not done.is_set():
            write_entries(1)
    finally:
        connection.close()


def wait_for_growth(by: int) -> None:
    """Until the log has so many more entries."""
    goal = Entry.objects.count() + by
    wait_until(lambda: Entry.objects.count() >= goal)


def test_killed_while_it_works_nothing_is_lost(fresh_database: Logins, tmp_path: Path) -> None:
    key, done = tmp_path / "ledger.pem", threading.Event()
    FileSigner.load_or_create(key, "x")
    chance = random.Random(4)
    writer = threading.Thread(target=write_until, args=[done])
    writer.start()
    for _ in range(6):
        one = process(fresh_database.sequencer, key)
        wait_for_growth(10)
        time.sleep(chance.random() / 50)
        kill(one)
    done.set()
    writer.join(30)
    last = process(fresh_database.sequencer, key)
    try:
        sequenced(Outbox.objects.count())
    finally:
        kill(last)
    export.export(tmp_path / "evidence.zip")
    report = verify.verify(tmp_path / "evidence.zip")
    assert report.problems == []
    assert report.entries == Outbox.objects.count() >= 60


def test_a_checkpoint_is_signed_each_second_while_entries_arrive(fresh_database: Logins, tmp_path: Path) -> None:
    """By a sequencer in a process of its own. What the machine itself was late, as the writer saw it, is not the sequencer's."""
    one = process(fresh_database.sequencer, tmp_path / "ledger.key")
    try:
        write_entries(1)
        sequenced(1)
        late, number = 0.0, 0
        until = time.monotonic() + 4
        while (began := time.monotonic()) < until:
            time.sleep(0.05)
            write_entries(1)
            number += 1
            late = max(late, time.monotonic() - began - 0.05)
        sequenced(number + 1)
    finally:
        kill(one)
    signed = list(Checkpoint.objects.order_by("size").values_list("signed_at", flat=True))
    pauses = [(after - before).total_seconds() for before, after in pairwise(signed)]
    assert len(pauses) >= 3
    assert max(pauses) <= 1 + late


@pytest.fixture
def pair(fresh_database: Logins, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """Two sequencers: the first works, the second stands by."""
    key = tmp_path / "ledger.pem"
    FileSigner.load_or_create(key, "x")
    write_entries(1)
    one = process(fresh_database.sequencer, key)
    sequenced(1)
    other = process(fresh_database.sequencer, key)
    wait_until(lambda: connected() == 2)
    yield one, other
    kill(one)
    kill(other)


def connected() -> int:
    """How many sequencers the database knows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'narrowgate sequencer' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("how", "within"), [(signal.SIGKILL, 2), (signal.SIGSTOP, 5)], ids=["dies", "hangs"])
def test_a_standby_takes_over(
    pair: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]], how: signal.Signals, within: float
) -> None:
    """From one that dies within two seconds; also from one that hangs: PostgreSQL ends a session that is silent for a second."""
    one, _ = pair
    one.send_signal(how)
    write_entries(1)
    wait_until(lambda: Entry.objects.count() == 2, within=within)
