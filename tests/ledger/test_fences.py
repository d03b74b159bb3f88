"""The fences: no login of ours can change the record, and a start without them is refused."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from console.database import Logins, django_on
from core.errors import NarrowgateError
from ledger.checks import require_fences
from ledger.models import FENCED, Cosignature, Timestamp
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.databases import TestCluster
from tests.ledger.conftest import admin_dsn, running, sequenced, write_entries

CHANGES: list[LiteralString] = ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {}"]
COLUMN = {
    "ledger_outbox": "event = 'x'",
    "ledger_entry": "event = 'x'",
    "ledger_checkpoint": "note = 'x'",
    "ledger_tile": "level = 1",
    "ledger_key": "verifier = 'x'",
    "ledger_name": "box = 'x'",
    "ledger_cosignature": "line = 'x'",
    "ledger_timestamp": "authority = 'x'",
}


@pytest.fixture
def logins(cluster: TestCluster, django_db_setup: None, worker: str) -> Logins:
    """The worker's database: what is refused leaves nothing behind, so it needs no copy of its own."""
    return cluster.logins(f"narrowgate_{worker}")


@pytest.mark.parametrize("login", ["app", "gateway", "sequencer"])
@pytest.mark.parametrize("table", FENCED)
def test_no_login_may_change_the_record(logins: Logins, login: str, table: str) -> None:
    with psycopg.connect(getattr(logins, login), autocommit=True) as other:
        for change in CHANGES:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute(change.format(table, COLUMN[table]))


def test_the_triggers_hold_the_owner_and_a_superuser(
    fresh_database: Logins, cluster: TestCluster, signer: FileSigner
) -> None:
    write_entries(300)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(300)
    Cosignature.objects.create(size=300, name="w", key_id="00", line="x", cosigned_at=timezone.now())
    Timestamp.objects.create(size=300, authority="t", response=b"", stamped_at=timezone.now())
    for dsn in (fresh_database.owner, admin_dsn(cluster)):
        with psycopg.connect(dsn, autocommit=True) as other:
            for table in FENCED:
                for change in CHANGES:
                    with pytest.raises(psycopg.errors.RaiseException):
                        other.execute(change.format(table, COLUMN[table]))


@pytest.mark.parametrize("login", ["app", "gateway"])
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO ledger_entry (index, outbox_id) VALUES (0, 1)",
        "INSERT INTO ledger_checkpoint (size, root, note) VALUES (1, '', '')",
        "INSERT INTO ledger_outbox (node, node_seq, event, leaf, xid) VALUES ('n', 1, 'x', '', 1)",
        "INSERT INTO ledger_outbox (id, node, node_seq, event, leaf) VALUES (1, 'n', 1, 'x', '')",
        "INSERT INTO ledger_outbox (node, node_seq, event, leaf, recorded_at) VALUES ('n', 1, 'x', '', now())",
        "UPDATE ledger_head SET size = 0",
        "UPDATE ledger_node SET name = 'x'",
        "DELETE FROM ledger_node",
        "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ],
)
def test_writers_may_write_and_no_more(logins: Logins, login: str, statement: LiteralString) -> None:
    with psycopg.connect(getattr(logins, login)) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute(statement)


def test_the_sequencer_may_not_invent_what_was_asked(logins: Logins) -> None:
    with psycopg.connect(logins.sequencer) as other, pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute("INSERT INTO ledger_outbox (node, node_seq, event, leaf) VALUES ('n', 1, 'x', '')")


def test_numbers_only_grow(fresh_database: Logins) -> None:
    write_entries(3)
    with psycopg.connect(fresh_database.app) as other, pytest.raises(psycopg.errors.RaiseException):
        other.execute("UPDATE ledger_node SET seq = 1")


@pytest.mark.parametrize("login", ["app", "gateway", "sequencer"])
def test_our_logins_start(fresh_database: Logins, login: str) -> None:
    with django_on(getattr(fresh_database, login)):
        require_fences(connection)


def test_a_superuser_and_the_owner_do_not_start(fresh_database: Logins, cluster: TestCluster) -> None:
    with django_on(admin_dsn(cluster)), pytest.raises(NarrowgateError, match="superuser"):
        require_fences(connection)
    with django_on(fresh_database.owner), pytest.raises(NarrowgateError, match="owns"):
        require_fences(connection)


@pytest.mark.parametrize(
    ("weakened", "says"),
    [
        ("ALTER TABLE ledger_entry DISABLE TRIGGER ALL", "ledger_entry lacks its fence"),
        ("ALTER TABLE ledger_node DISABLE TRIGGER ALL", "ledger_node lacks its fence"),
        ("GRANT UPDATE (leaf) ON ledger_outbox TO narrowgate_app", "may UPDATE ledger_outbox"),
        ("GRANT DELETE ON ledger_checkpoint TO PUBLIC", "may DELETE ledger_checkpoint"),
        ("REVOKE INSERT ON ledger_outbox FROM narrowgate_app", "may not write"),
        ("ALTER TABLE ledger_tile RENAME TO other", "no table ledger_tile"),
    ],
)
def test_a_missing_fence_stops_the_start(
    fresh_database: Logins, cluster: TestCluster, weakened: LiteralString, says: str
) -> None:
    with psycopg.connect(admin_dsn(cluster), autocommit=True) as admin:
        admin.execute(weakened)
    with pytest.raises(NarrowgateError, match=says):
        require_fences(connection)


def test_the_database_lets_a_key_be_destroyed_and_nothing_else(fresh_database: Logins) -> None:
    with psycopg.connect(fresh_database.app, autocommit=True) as app:
        app.execute("INSERT INTO ledger_person (person, key) VALUES ('1', 'k')")
        app.execute("INSERT INTO ledger_name (commitment, person, box) VALUES ('c', '1', 'b')")
        for refused in (
            "UPDATE ledger_person SET key = 'other' WHERE person = '1'",
            "DELETE FROM ledger_person",
            "TRUNCATE ledger_person",
            "UPDATE ledger_name SET box = 'x'",
            "DELETE FROM ledger_name",
        ):
            with pytest.raises(psycopg.Error):
                app.execute(refused.encode())
        app.execute("UPDATE ledger_person SET key = NULL WHERE person = '1'")
        with pytest.raises(psycopg.Error):
            app.execute("UPDATE ledger_person SET key = 'back' WHERE person = '1'")
