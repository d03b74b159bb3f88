"""A superuser with the triggers off changes the record: `verify` names what is wrong each time."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from console.database import Logins
from ledger import checkpoint, export, merkle, queries, tiles
from ledger.models import Checkpoint, Entry
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify import verify
from ledger.verify_report import Report
from tests.databases import TestCluster
from tests.ledger.conftest import Hands, admin_dsn, running, sequenced, write_entries


@pytest.fixture
def ledger(fresh_database: Logins, signer: FileSigner) -> FileSigner:
    """20 entries, a checkpoint for each."""
    with running(Sequencer(fresh_database.sequencer, signer)):
        for number in range(20):
            write_entries(1)
            sequenced(number + 1)
    return signer


@pytest.fixture
def hands(ledger: FileSigner, hands: Hands) -> Hands:
    """At work on that log."""
    return hands


@pytest.fixture
def held(ledger: FileSigner, tmp_path: Path) -> Path:
    """A checkpoint that somebody outside keeps."""
    newest = queries.last_checkpoint()
    assert newest is not None
    (tmp_path / "held.txt").write_text(newest.note)
    return tmp_path / "held.txt"


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Report]:
    """What verify finds in an export made now."""

    def run(against: Path | None = None) -> Report:
        export.export(tmp_path / "evidence.zip")
        return verify(tmp_path / "evidence.zip", against)

    return run


def checks(report: Report) -> set[str]:
    """The checks that found something; what is printed names each."""
    said = list(report.lines())
    assert all(f"  wrong ({one.check}): {one.message}" in said for one in report.problems)
    return {problem.check for problem in report.problems}


EDIT: LiteralString = "UPDATE ledger_entry SET leaf = convert_to(replace(convert_from(leaf, 'utf8'), 'shop', 'shed'), 'utf8') WHERE index = 7"
REHASH: LiteralString = "UPDATE ledger_entry SET leaf_hash = sha256('\\x00'::bytea || leaf)"


def test_untouched_it_is_valid(ledger: FileSigner, held: Path, found: Callable[..., Report]) -> None:
    assert found(held).problems == []


def test_an_edited_entry_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands(EDIT)
    report = found()
    assert report.first_bad_entry == 7
    assert checks(report) == {"bytes", "root"}


def test_an_edited_entry_with_its_hash_made_anew_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands(EDIT)
    hands(REHASH)
    report = found()
    assert report.first_bad_entry == 7
    assert checks(report) == {"root"}


def test_three_deleted_entries_are_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands("DELETE FROM ledger_entry WHERE index >= 17")
    report = found()
    assert report.first_bad_entry == 17
    assert "Entry 17 is missing" in report.problems[0].message


def test_three_deleted_with_their_checkpoints_are_missed(hands: Hands, found: Callable[..., Report]) -> None:
    hands("DELETE FROM ledger_entry WHERE index >= 17")
    hands("DELETE FROM ledger_checkpoint WHERE size > 17")
    report = found()
    assert checks(report) == {"head", "numbers"}
    assert report.first_bad_entry == 17


def _cut(hands: Hands, size: int) -> None:
    """Delete from `size` on everywhere, and set the head back to what it was."""
    frontier = queries.hashes(merkle.perfect_spans(0, size))
    root = bytes(Checkpoint.objects.get(size=size).root)
    hands("DELETE FROM ledger_outbox WHERE id IN (SELECT outbox_id FROM ledger_entry WHERE index >= %s)", size)
    hands("DELETE FROM ledger_entry WHERE index >= %s", size)
    hands("DELETE FROM ledger_checkpoint WHERE size > %s", size)
    hands("UPDATE ledger_head SET size = %s, root = %s, frontier = %s", size, root, tiles.join(frontier))


def test_a_cut_tail_shows_in_the_numbers_of_the_nodes(hands: Hands, found: Callable[..., Report]) -> None:
    _cut(hands, 17)
    report = found()
    assert checks(report) == {"numbers"}
    assert "up to 20; its last entry here has 17" in report.problems[0].message


def test_a_perfect_cut_shows_against_a_checkpoint_held_outside(
    hands: Hands, held: Path, found: Callable[..., Report]
) -> None:
    _cut(hands, 17)
    hands("UPDATE ledger_node SET seq = 17")
    assert found().ok  # nothing inside can tell, and it says so
    assert any("give a checkpoint you hold" in line for line in found().not_checked)
    report = found(held)
    assert checks(report) == {"outside"}
    assert "covers 20 entries, this package 17" in report.problems[0].message


def _restore(hands: Hands, size: int) -> None:
    """Everything as it was at this size, as an old backup brings it back."""
    _cut(hands, size)
    hands("UPDATE ledger_node SET seq = %s", size)


def test_an_old_backup_that_was_restored_is_shorter_than_what_is_held(
    hands: Hands, held: Path, found: Callable[..., Report]
) -> None:
    _restore(hands, 12)
    report = found(held)
    assert checks(report) == {"outside"}
    assert "covers 20 entries, this package 12" in report.problems[0].message


def test_a_log_that_went_on_from_an_old_backup_is_another_one(
    fresh_database: Logins, hands: Hands, held: Path, found: Callable[..., Report], ledger: FileSigner
) -> None:
    _restore(hands, 12)
    with running(Sequencer(fresh_database.sequencer, ledger)):
        for number in range(13, 26):  # a checkpoint for each, that of 20 included
            write_entries(1)
            sequenced(number)
    assert found().ok
    report = found(held)
    assert checks(report) == {"outside"}
    assert "The checkpoint you hold for 20 entries has another root" in report.problems[0].message


def test_a_fork_shows_when_its_two_readers_compare(
    fresh_database: Logins, hands: Hands, held: Path, found: Callable[..., Report], ledger: FileSigner, tmp_path: Path
) -> None:
    """Each was given a package that is valid by itself, of the same size, signed by the same key."""
    assert found().ok
    (tmp_path / "evidence.zip").rename(tmp_path / "one.zip")
    _restore(hands, 17)
    with running(Sequencer(fresh_database.sequencer, ledger)):
        for number in range(18, 21):
            write_entries(1)
            sequenced(number)
    assert found().ok
    assert checks(verify(tmp_path / "evidence.zip", held)) == {"outside"}
    (tmp_path / "other.txt").write_text(Checkpoint.objects.get(size=20).note)
    assert checks(verify(tmp_path / "one.zip", tmp_path / "other.txt")) == {"outside"}


def test_a_log_made_anew_with_the_stolen_key_is_another_one(
    hands: Hands, held: Path, found: Callable[..., Report], ledger: FileSigner
) -> None:
    """Edited, re-hashed and re-signed throughout: only what is held outside can tell, and it does."""
    hands(EDIT)
    hands(REHASH)
    hashes = [bytes(value) for value in Entry.objects.order_by("index").values_list("leaf_hash", flat=True)]
    for size in range(1, 21):
        root = merkle.root(hashes[:size])
        note = checkpoint.sign(checkpoint.Checkpoint(ledger.key.name, size, root), ledger.key, ledger.sign)
        hands("UPDATE ledger_checkpoint SET root = %s, note = %s WHERE size = %s", root, note, size)
    assert found().ok
    assert checks(found(held)) == {"outside"}


def test_a_log_signed_by_a_stranger_is_not_ours(hands: Hands, held: Path, ledger: FileSigner, tmp_path: Path) -> None:
    stranger = FileSigner.load_or_create(tmp_path / "stranger.pem", "x")
    for kept in Checkpoint.objects.all():
        made = checkpoint.Checkpoint(stranger.key.name, kept.size, bytes(kept.root))
        hands(
            "UPDATE ledger_checkpoint SET note = %s WHERE size = %s",
            checkpoint.sign(made, stranger.key, stranger.sign),
            kept.size,
        )
    export.export(tmp_path / "evidence.zip")
    assert checks(verify(tmp_path / "evidence.zip")) == {"signatures"}
    hands("UPDATE ledger_key SET verifier = %s", str(stranger.key))
    export.export(tmp_path / "evidence.zip")
    assert verify(tmp_path / "evidence.zip").ok
    assert checks(verify(tmp_path / "evidence.zip", key=str(ledger.key))) == {"signatures"}


def test_two_swapped_entries_are_named(hands: Hands, found: Callable[..., Report]) -> None:
    for old, new in ((9, -1), (11, 9), (-1, 11)):
        hands("UPDATE ledger_entry SET index = %s WHERE index = %s", new, old)
    report = found()
    assert report.first_bad_entry == 9
    assert checks(report) == {"numbers", "root", "time"}


def test_a_deleted_entry_in_the_middle_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands("DELETE FROM ledger_entry WHERE index = 5")
    assert found().first_bad_entry == 5


def test_a_deleted_entry_whose_place_was_closed_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands("DELETE FROM ledger_entry WHERE index = 5")
    hands("UPDATE ledger_entry SET index = -index WHERE index > 5")
    hands("UPDATE ledger_entry SET index = -index - 1 WHERE index < 0")
    report = found()
    assert report.first_bad_entry == 5
    assert {"numbers", "root"} <= checks(report)


def test_an_entry_slipped_in_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    hands(
        "INSERT INTO ledger_entry SELECT 20, 0, leaf_hash, leaf, uid, event, actor_kind, actor_id, actor_name, subject_kind,"
        " subject_id, subject_name, session, action, node, node_seq, recorded FROM ledger_entry WHERE index = 3"
    )
    hands("DELETE FROM ledger_entry WHERE index = 19")
    hands("UPDATE ledger_entry SET index = 19 WHERE index = 20")
    report = found()
    assert report.first_bad_entry == 19
    assert "numbers" in checks(report)


def test_a_back_dated_entry_is_named(hands: Hands, found: Callable[..., Report]) -> None:
    dated = "jsonb_set(convert_from(leaf, 'utf8')::jsonb, '{recorded}', %s)::text"
    hands(
        f"UPDATE ledger_entry SET leaf = convert_to({dated}, 'utf8') WHERE index = 15",
        Jsonb("2020-01-01T00:00:00.000000Z"),
    )
    hands(REHASH)
    report = found()
    assert report.first_bad_entry == 15
    assert "time" in checks(report)


def test_entries_deleted_before_they_were_signed_leave_a_gap(
    fresh_database: Logins, hands: Hands, found: Callable[..., Report], ledger: FileSigner
) -> None:
    write_entries(3)
    hands("DELETE FROM ledger_outbox WHERE node_seq = 22")
    with running(Sequencer(fresh_database.sequencer, ledger)):
        sequenced(22)
    report = found()
    assert checks(report) == {"numbers"}
    assert report.first_bad_entry == 21


def test_the_sequencer_goes_on_after_a_cut_and_the_hole_stays(
    fresh_database: Logins, hands: Hands, found: Callable[..., Report], ledger: FileSigner
) -> None:
    hands("DELETE FROM ledger_entry WHERE index >= 17")
    hands("DELETE FROM ledger_checkpoint WHERE size > 17")
    with running(Sequencer(fresh_database.sequencer, ledger)):
        write_entries(1)
        sequenced(18)
    assert found().first_bad_entry == 17


def test_a_tile_that_was_edited_gives_no_valid_proof(
    fresh_database: Logins, signer: FileSigner, cluster: TestCluster
) -> None:
    write_entries(260)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(260)
    with psycopg.connect(admin_dsn(cluster), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE ledger_tile SET hashes = set_byte(hashes, 40, 255 - get_byte(hashes, 40))")
    with pytest.raises(merkle.ProofError):
        queries.inclusion(0).verify()


def test_the_hash_that_the_test_remakes_is_the_leaf_s() -> None:
    assert merkle.leaf_hash(b"x") == sha256(b"\x00x").digest()
