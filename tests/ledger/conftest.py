"""A ledger that works: a signer, a sequencer in a thread, entries to read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from django.db import connection, transaction

from console.database import Logins
from ledger import write
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.models import Entry
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.databases import TestCluster

SHARED = Path(__file__).parents[2].parent / "shared" / "vectors"
ADA = Actor("person", "1", "ada")
SHOP = Subject("resource", "2", "shop")

Hands = Callable[..., None]


def wait_until(true: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for a condition, or fail."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@contextmanager
def running(sequencer: Sequencer) -> Iterator[Sequencer]:
    """Run a sequencer in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=sequencer.run, args=[stop])
    thread.start()
    try:
        yield sequencer
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def write_entries(count: int) -> None:
    """Commit `count` entries, one a transaction."""
    for number in range(count):
        with transaction.atomic():
            write.record(Event.RECORD_READ, actor=ADA, subject=SHOP, details={"number": number})


def sequenced(count: int) -> None:
    """Wait until the log has `count` entries."""
    wait_until(lambda: Entry.objects.count() == count)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    """A signer with a new key."""
    return FileSigner.load_or_create(tmp_path_factory.mktemp("keys") / "ledger.pem", "a passphrase")


@pytest.fixture
def sequencer(fresh_database: Logins, signer: FileSigner) -> Iterator[Sequencer]:
    """A sequencer at work on a database of its own."""
    with running(Sequencer(fresh_database.sequencer, signer)) as started:
        yield started


def admin_dsn(cluster: TestCluster) -> str:
    """The superuser's way into the database that Django uses now."""
    return psycopg.conninfo.make_conninfo(cluster.admin_dsn, dbname=connection.settings_dict["NAME"])


@pytest.fixture
def hands(fresh_database: Logins, cluster: TestCluster) -> Iterator[Hands]:
    """A superuser's: runs statements with no trigger in the way."""
    with psycopg.connect(admin_dsn(cluster), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")

        def run(statement: LiteralString, *parameters: object) -> None:
            assert admin.execute(statement, parameters).rowcount > 0

        yield run
