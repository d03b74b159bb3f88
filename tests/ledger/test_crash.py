"""The sequencer's process dies without warning, again and again: no entry lost, none doubled, no gap."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db import connection

from console.database import Logins
from ledger import export, verify
from ledger.models import Checkpoint, Entry
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.ledger.conftest import running, sequenced, wait_until, write_entries

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


def wait_for_progress(before: int, total: int) -> None:
    """Until the log has grown, or has all there will be."""
    wait_until(lambda: Entry.objects.count() > before or before == total)


def write_in_a_thread(count: int) -> None:
    try:
        write_entries(count)
    finally:
        connection.close()


def test_killed_while_it_works_nothing_is_lost(fresh_database: Logins, tmp_path: Path) -> None:
    key, total = tmp_path / "ledger.pem", 400
    FileSigner.load_or_create(key, "x")
    chance = random.Random(4)  # noqa: S311 -- moments to kill at, the same each time
    writer = threading.Thread(target=write_in_a_thread, args=[total])
    writer.start()
    for _ in range(4):
        one = process(fresh_database.sequencer, key)
        wait_for_progress(Entry.objects.count(), total)
        time.sleep(chance.random() / 20)
        kill(one)
    writer.join(30)
    last = process(fresh_database.sequencer, key)
    try:
        sequenced(total)
    finally:
        kill(last)
    assert Checkpoint.objects.order_by("-size").values_list("size", flat=True)[0] == total
    export.export(tmp_path / "evidence.zip")
    assert verify.verify(tmp_path / "evidence.zip").problems == []


def test_a_standby_takes_over_within_two_seconds(fresh_database: Logins, tmp_path: Path) -> None:
    key = tmp_path / "ledger.pem"
    signer = FileSigner.load_or_create(key, "x")
    one = process(fresh_database.sequencer, key)
    try:
        write_entries(1)
        sequenced(1)
        with running(Sequencer(fresh_database.sequencer, signer)) as standby:
            time.sleep(0.1)
            assert not standby.leading.is_set()
            kill(one)
            write_entries(1)
            wait_until(lambda: Entry.objects.count() == 2, within=2)
    finally:
        kill(one)
