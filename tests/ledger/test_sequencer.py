"""The sequencer: every committed entry once, in a log without a gap, whatever happens to it."""

from __future__ import annotations

import threading
from importlib import import_module

import psycopg
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from console.database import Logins
from ledger import batch, checkpoint, merkle, personal, queries, write
from ledger.events import Event
from ledger.models import Checkpoint, Entry, Head, Key, Outbox, Tile
from ledger.proving import VERIFIED, Prover
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.databases import TestCluster
from tests.ledger.conftest import ADA, SHOP, Hands, admin_dsn, running, sequenced, wait_until, write_entries


def the_log_is_whole(signer: FileSigner) -> None:
    """Indexes without a gap, each outbox row once, each checkpoint signed over the root of its leaves."""
    entries = list(Entry.objects.order_by("index"))
    assert [entry.index for entry in entries] == list(range(len(entries)))
    assert sorted(entry.outbox_id for entry in entries) == sorted(Outbox.objects.values_list("id", flat=True))
    hashes = [merkle.leaf_hash(bytes(entry.leaf)) for entry in entries]
    assert hashes == [bytes(entry.leaf_hash) for entry in entries]
    for kept in Checkpoint.objects.all():
        opened = checkpoint.open_note(kept.note, signer.key)
        assert (opened.size, opened.root) == (kept.size, bytes(kept.root))
        assert opened.root == merkle.root(hashes[: kept.size])
    head = Head.objects.get()
    assert (head.size, bytes(head.root)) == (len(hashes), merkle.root(hashes))


def test_entries_become_a_signed_log(sequencer: Sequencer, signer: FileSigner) -> None:
    write_entries(20)
    sequenced(20)
    the_log_is_whole(signer)
    assert Key.objects.get().verifier == str(signer.key)
    (first,) = personal.reveal([Entry.objects.get(index=0)])
    assert (first.event, first.actor_name, first.subject_name, first.node_seq) == ("record:read", "ada", "shop", 1)


def test_a_transaction_that_commits_late_is_not_forgotten(
    sequencer: Sequencer, signer: FileSigner, fresh_database: Logins
) -> None:
    """Its ids are lower than those of entries that are long in the log."""
    late = write.draft(Event.HOLD_ASKED, actor=ADA, subject=SHOP)
    with psycopg.connect(fresh_database.app) as slow:
        last, recorded = slow.execute(write.TAKE_SQL, ["slow", 1]).fetchone() or (0, None)
        slow.execute(write.INSERT_SQL, write.columns(write.rows([late], "slow", last, recorded)))
        write_entries(5)
        sequenced(5)
        write_entries(5)
        sequenced(10)
        slow.commit()
    sequenced(11)
    the_log_is_whole(signer)
    found = queries.entry(late.id)
    assert found is not None
    assert found.index == 10


def test_what_rolls_back_never_appears(sequencer: Sequencer, signer: FileSigner) -> None:
    with transaction.atomic():
        write.record(Event.HOLD_ASKED, actor=ADA, subject=SHOP)
        transaction.set_rollback(True)
    write_entries(3)
    sequenced(3)
    the_log_is_whole(signer)


def test_many_entries_fill_tiles_and_proofs_hold(fresh_database: Logins, signer: FileSigner) -> None:
    with transaction.atomic():
        for _ in range(600):
            write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(600)
        write_entries(1)
        sequenced(601)
    assert sorted(Tile.objects.values_list("level", "index")) == [(0, 0), (0, 1)]
    sizes = Checkpoint.objects.order_by("size").values_list("size", flat=True)
    for index in (0, 15, 16, 127, 128, 255, 256, 300, 495, 496, 511, 512, 599):
        for size in sizes:  # the edge of the newest is in the head; that of an older one is read
            queries.inclusion(index, size=size).verify()
    with CaptureQueriesContext(connection) as asked:
        for index in (0, 300, 599, 600):
            queries.inclusion(index).verify()
    assert len(asked) == 4  # one a proof, once what it takes of upper tiles is kept
    older, newer = Checkpoint.objects.order_by("size").first(), queries.last_checkpoint()
    assert older is not None
    assert newer is not None
    proof = queries.consistency(older.size, newer.size)
    merkle.verify_consistency(older.size, newer.size, bytes(older.root), bytes(newer.root), proof)


def test_what_is_kept_of_upper_tiles_grows_with_the_log_and_is_no_evidence(
    fresh_database: Logins, signer: FileSigner, hands: Hands
) -> None:
    queries.UPPER.clear()
    with running(Sequencer(fresh_database.sequencer, signer)):
        for size in (300, 600, 1100):
            with transaction.atomic():
                for _ in range(size - queries.state().size):
                    write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
            sequenced(size)
            for index in range(0, size, 37):
                queries.inclusion(index).verify()
    (place,) = (one for one in queries.UPPER.parts._found if one.level == 1)
    assert len(queries.UPPER.parts.get(place) or b"") == 4 * 32
    queries.UPPER.parts.put(place, bytes(4 * 32))
    queries.inclusion(1).verify()
    assert queries.UPPER.parts.get(place) is None  # what did not lead to the root was thrown away
    queries.UPPER.parts.put(place, bytes(4 * 32))
    proofs = Prover().proofs(list(Entry.objects.filter(index__in=[1, 700, 1099])))
    assert [one.state for one in proofs] == [VERIFIED] * 3
    hands("UPDATE ledger_tile SET root = set_byte(root, 3, 255 - get_byte(root, 3)) WHERE index = 2")
    queries.UPPER.clear()
    with pytest.raises(merkle.ProofError):
        queries.inclusion(1).verify()


def test_tiles_of_before_get_what_proofs_need(
    fresh_database: Logins, cluster: TestCluster, hands: Hands, signer: FileSigner
) -> None:
    """The migration makes of a tile's hashes what the sequencer stores beside them."""
    with transaction.atomic():
        for _ in range(300):
            write.record(Event.RECORD_READ, actor=ADA, subject=SHOP)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(300)
    stored = bytes(Tile.objects.get().middles)
    assert len(stored) == 512
    hands("UPDATE ledger_tile SET middles = ''")
    with psycopg.connect(admin_dsn(cluster), autocommit=True) as admin:
        admin.execute(import_module("ledger.migrations.0007_strips_of_tiles").MIDDLES)
    assert bytes(Tile.objects.get().middles) == stored


def test_of_two_one_works_and_the_other_takes_over(fresh_database: Logins, signer: FileSigner) -> None:
    stop = threading.Event()
    first = Sequencer(fresh_database.sequencer, signer)
    leading = threading.Thread(target=first.run, args=[stop])
    leading.start()
    wait_until(first.leading.is_set)
    with running(Sequencer(fresh_database.sequencer, signer)) as second:
        write_entries(3)
        sequenced(3)
        assert not second.leading.is_set()
        stop.set()
        leading.join(5)
        wait_until(second.leading.is_set, within=2)
        write_entries(3)
        sequenced(6)
    the_log_is_whole(signer)


def test_its_connection_may_die(sequencer: Sequencer, signer: FileSigner, fresh_database: Logins) -> None:
    write_entries(3)
    sequenced(3)
    with psycopg.connect(fresh_database.sequencer, autocommit=True) as other:
        killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'narrowgate sequencer' AND datname = current_database()"
        other.execute(killed)
        write_entries(3)
        sequenced(6)
    the_log_is_whole(signer)


def waits_for_a_lock(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = %s", [pid])
        return bool(cursor.fetchone()[0])


def test_a_second_writer_cannot_move_the_head(fresh_database: Logins, signer: FileSigner) -> None:
    """Even without the lock: the compare-and-set lets one of them through, and the other changes nothing."""
    write_entries(2)
    ids = list(Outbox.objects.order_by("id").values_list("id", flat=True))
    with (
        psycopg.connect(fresh_database.sequencer, autocommit=True) as one,
        psycopg.connect(fresh_database.sequencer, autocommit=True) as two,
    ):
        failures: list[BaseException] = []

        def other() -> None:
            try:
                batch.sequence(two, signer, ids[1:], seen=None)
            except (psycopg.errors.UniqueViolation, batch.HeadMovedError) as error:
                failures.append(error)

        thread = threading.Thread(target=other)
        with one.transaction():
            batch.sequence(one, signer, ids[:1], seen=None)
            thread.start()
            wait_until(lambda: waits_for_a_lock(two.info.backend_pid))
        thread.join(5)
        assert len(failures) == 1
        assert Entry.objects.count() == 1
        batch.sequence(two, signer, ids, seen=None)
    the_log_is_whole(signer)


def test_another_key_does_not_continue_the_log(fresh_database: Logins, signer: FileSigner, tmp_path: object) -> None:
    with running(Sequencer(fresh_database.sequencer, signer)):
        write_entries(1)
        sequenced(1)
    renamed = FileSigner(signer._private, "somebody.else/ledger")
    with running(Sequencer(fresh_database.sequencer, renamed)) as stranger:
        wait_until(lambda: "last checkpoint" in stranger.failure)
        write_entries(1)
        assert not stranger.leading.is_set()
    assert Entry.objects.count() == 1


def test_a_snapshot_of_another_server_is_not_believed(fresh_database: Logins, signer: FileSigner) -> None:
    """After a dump and restore transaction numbers start again: whatever is unsequenced is found all the same."""
    write_entries(3)
    with psycopg.connect(fresh_database.sequencer) as editor:
        editor.execute("UPDATE ledger_head SET snapshot = '9000000000:9000000000:'")
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(3)
    the_log_is_whole(signer)


def test_a_leaf_that_cannot_be_read_is_kept_like_any_other(
    sequencer: Sequencer, signer: FileSigner, fresh_database: Logins
) -> None:
    with psycopg.connect(fresh_database.app) as app:
        for number, leaf in enumerate([b"", b"\xff\x00", b'{"actor":[],"id":7,"event":"a\\u0000b"}', b"[" * 5000]):
            app.execute(write.INSERT_SQL, [["odd"], [number + 1], ["odd"], [leaf]])
    sequenced(4)
    the_log_is_whole(signer)


def test_state_says_what_waits(fresh_database: Logins, signer: FileSigner) -> None:
    write_entries(2)
    before = queries.state()
    assert (before.size, before.pending, before.checkpoint) == (0, 2, None)
    assert before.waiting is not None
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(2)
    after = queries.state()
    assert (after.size, after.pending, after.waiting) == (2, 0, None)
    assert after.checkpoint is not None
    assert after.checkpoint.size == 2
    assert queries.first_checkpoint_over(1) == after.checkpoint
    assert queries.first_checkpoint_over(2) is None
