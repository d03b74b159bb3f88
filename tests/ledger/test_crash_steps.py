"""kill -9 at every step of sequencer and writer, and of the database: no entry lost, none doubled, no gap."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from console import database, embedded
from console.database import Logins
from ledger import export, write
from ledger.events import Event
from ledger.models import Checkpoint, Entry, Outbox
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify import verify
from tests.databases import point_at
from tests.ledger.conftest import ADA, SHOP, running, sequenced, wait_until

pytestmark = pytest.mark.process
ROOT = Path(__file__).parents[2]

SEQUENCER = """
import os, signal, sys, threading
from pathlib import Path
from ledger import batch, sequencer
from ledger.signer import FileSigner

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

step, moment = sys.argv[3].split(":")
inside = batch if hasattr(batch, step) else sequencer
real = getattr(inside, step)

def dying(*given, **named):
    if moment == "before":
        die()
    found = real(*given, **named)
    die()

if step == "sequence":
    batch.sequence = dying
else:
    setattr(inside, step, dying)
sequencer.Sequencer(sys.argv[1], FileSigner.load_or_create(Path(sys.argv[2]), "x")).run(threading.Event())
"""

STEPS = [
    "_claim:after", "read_head:after", "_insert_entries:before", "_insert_entries:after", "_store_tiles:after",
    "_sign:after", "_move:after", "sequence:after",
]  # fmt: skip

WRITER = """
import os, signal, sys
import django
django.setup()
from django.db import transaction
from ledger import write
from ledger.entries import Actor, Subject
from ledger.events import Event

def die():
    os.kill(os.getpid(), signal.SIGKILL)

actor, subject = Actor("system", "1", "x"), Subject("resource", "2", "shop")
with transaction.atomic():
    write.record(Event.SESSION_OPENED, actor=actor, subject=subject)
moment = sys.argv[1]
with transaction.atomic():
    if moment == "begun":
        die()
    if moment == "numbered":
        write.columns = lambda rows: die()
    write.record(Event.SESSION_OPENED, actor=actor, subject=subject)
    if moment == "written":
        die()
die()
"""


def write_many(count: int) -> None:
    with transaction.atomic():
        write.record_all([write.draft(Event.SESSION_OPENED, actor=ADA, subject=SHOP) for _ in range(count)])


def the_log_is_whole(folder: Path, entries: int) -> None:
    """The outbox's rows are in the log once each, and a package of all of it verifies."""
    sequenced(entries)
    assert sorted(Entry.objects.values_list("outbox_id", flat=True)) == sorted(
        Outbox.objects.values_list("id", flat=True)
    )
    export.export(folder / "evidence.zip")
    report = verify(folder / "evidence.zip")
    assert report.problems == []
    assert report.entries == entries


def test_a_sequencer_killed_at_each_step_leaves_the_log_whole(fresh_database: Logins, tmp_path: Path) -> None:
    key = tmp_path / "ledger.pem"
    signer = FileSigner.load_or_create(key, "x")
    for number, step in enumerate(STEPS, start=1):
        write_many(100)  # tiles become full on the way
        before = Entry.objects.count()
        command = [sys.executable, "-c", SEQUENCER, fresh_database.sequencer, str(key), step]
        died = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, timeout=60)
        assert died.returncode == -signal.SIGKILL, died.stderr
        committed = step == "sequence:after"
        assert Entry.objects.count() == (number * 100 if committed else before), step
        assert Checkpoint.objects.count() == int(committed)
    write_many(1)
    with running(Sequencer(fresh_database.sequencer, signer)):
        the_log_is_whole(tmp_path, len(STEPS) * 100 + 1)


@pytest.mark.parametrize(("moment", "stays"), [("begun", 1), ("numbered", 1), ("written", 1), ("committed", 2)])
def test_a_writer_killed_at_each_step_leaves_no_gap(
    fresh_database: Logins, signer: FileSigner, tmp_path: Path, moment: str, stays: int
) -> None:
    died = subprocess.run(
        [sys.executable, "-c", WRITER, moment], cwd=ROOT, check=False, capture_output=True, timeout=60,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr
    wait_until(lambda: writers() == 0)
    write_many(1)
    with running(Sequencer(fresh_database.sequencer, signer)):
        the_log_is_whole(tmp_path, stays + 1)


def writers() -> int:
    """Connections to this database besides ours."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


# ---- the database itself ----
@contextmanager
def own_cluster() -> Iterator[Path]:
    """A state folder for a PostgreSQL that may be killed; Django is pointed back where it was afterwards."""
    with tempfile.TemporaryDirectory(prefix="narrowgate-tests-") as folder:
        state = Path(folder)
        state.chmod(0o755)
        before = {
            name: getattr(settings, name) for name in ("DATABASE_URL", "DATABASE_GATEWAY_URL", "DATABASE_SEQUENCER_URL")
        }
        try:
            yield state
        finally:
            point_at(Logins("", *before.values()))
            embedded.destroy(state, "own")


def test_a_database_killed_while_it_works_loses_nothing_that_it_acknowledged(
    django_db_setup: None, django_db_blocker: object, signer: FileSigner, tmp_path: Path
) -> None:
    """Its process dies with kill -9 between two commits of a writer, and in the middle of the sequencer's work, three times."""
    passwords = {role: role for role in database.ROLES}
    with django_db_blocker.unblock(), own_cluster() as state:  # type: ignore[attr-defined]  # pytest-django's
        cluster = embedded.start(state, "own")
        try:
            logins = database.prepare(cluster, passwords)
            with database.django_on(logins.owner):
                call_command("migrate", "ledger", verbosity=0)
            with psycopg.connect(logins.owner) as owner:
                database.grant(owner)
            point_at(logins)
            acknowledged: list[object] = []
            with running(Sequencer(logins.sequencer, signer)):
                for _ in range(3):
                    stop = threading.Event()
                    writer = threading.Thread(target=write_on, args=[stop, acknowledged])
                    writer.start()
                    goal = len(acknowledged) + 50
                    wait_until(lambda goal=goal: len(acknowledged) >= goal)  # type: ignore[misc]
                    cluster.process.kill()
                    cluster.stop()
                    stop.set()
                    writer.join()
                    cluster = embedded.start(state, "own")
                write_many(1)
                wait_until(lambda: Entry.objects.count() == Outbox.objects.count())
                the_log_is_whole(tmp_path, Outbox.objects.count())
            kept = set(Entry.objects.values_list("uid", flat=True))
            assert len(acknowledged) >= 150
            assert kept.issuperset(acknowledged)
        finally:
            cluster.stop()


def write_on(stop: threading.Event, acknowledged: list[object]) -> None:
    """Commit entries one by one and note which the database has acknowledged, until it is gone."""
    try:
        while not stop.is_set():
            with transaction.atomic():
                uid = write.record(Event.SESSION_OPENED, actor=ADA, subject=SHOP)
            acknowledged.append(uid)
    except DatabaseError:
        pass
    finally:
        connection.close()
