"""The log goes on under another key: an entry says so, both keys signed it, and `verify` follows it and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from console.database import Logins
from core.errors import NarrowgateError
from ledger import checkpoint, export, handover, keys, merkle, write
from ledger.checkpoint import NoteError
from ledger.events import Event
from ledger.handover import Handover
from ledger.models import Checkpoint, Entry, Outbox
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify import verify
from ledger.verify_report import Report
from tests.ledger.conftest import ADA, SHOP, Hands, running, sequenced, wait_until, write_entries


@dataclass
class Changed:
    """A log of 12 entries whose key changed with entry 5."""

    old: FileSigner
    new: FileSigner
    logins: Logins


def note_of(old: FileSigner, new: FileSigner) -> str:
    return Handover(old.key, new.key).note(old.sign, new.sign)


def hand_over(note: str) -> None:
    with transaction.atomic():
        write.record(Event.LEDGER_KEY_CHANGED, actor=ADA, subject=SHOP, details={"note": note})


@pytest.fixture
def second(tmp_path: Path) -> FileSigner:
    return FileSigner.load_or_create(tmp_path / "second.key", "x")


@pytest.fixture
def changed(fresh_database: Logins, signer: FileSigner, second: FileSigner) -> Changed:
    with running(Sequencer(fresh_database.sequencer, signer, lambda: second)):
        write_entries(5)
        sequenced(5)
        hand_over(note_of(signer, second))
        for number in range(7, 13):
            write_entries(1)
            sequenced(number)
    return Changed(signer, second, fresh_database)


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Report]:
    def run(first: int = 0, last: int | None = None, key: str | None = None) -> Report:
        export.export(tmp_path / "evidence.zip", first, last)
        return verify(tmp_path / "evidence.zip", key=key)

    return run


def test_the_new_key_signs_everything_after_the_entry(changed: Changed) -> None:
    for kept in Checkpoint.objects.all():
        checkpoint.open_note(kept.note, changed.old.key if kept.size <= 6 else changed.new.key)
    assert Checkpoint.objects.filter(size=6).exists()


@pytest.mark.parametrize(("first", "last"), [(0, None), (0, 3), (3, 8), (8, 12), (6, 7)])
def test_a_package_of_any_part_verifies(
    changed: Changed, found: Callable[..., Report], first: int, last: int | None
) -> None:
    report = found(first, last)
    assert report.problems == []
    assert any("1 change of the log's key" in line for line in report.checked)


def test_each_key_of_the_log_vouches_for_it(changed: Changed, found: Callable[..., Report], tmp_path: Path) -> None:
    assert not any("newest key" in line for line in found(key=str(changed.new.key)).not_checked)
    report = found(key=str(changed.old.key))
    assert report.ok
    assert any("newest key" in line for line in report.not_checked)
    stranger = FileSigner.load_or_create(tmp_path / "stranger.key", "x")
    assert {problem.check for problem in found(key=str(stranger.key)).problems} == {"signatures"}


def test_the_old_key_signs_no_more(changed: Changed) -> None:
    with running(Sequencer(changed.logins.sequencer, changed.old)) as late:
        wait_until(lambda: "last checkpoint is not by the key" in late.failure)
        write_entries(1)
        assert not late.leading.is_set()
    assert Entry.objects.count() == 12


def test_after_the_handing_over_itself_the_old_key_signs_no_more(
    fresh_database: Logins, signer: FileSigner, second: FileSigner
) -> None:
    """It has signed the last checkpoint, and is refused all the same."""
    hand_over(note_of(signer, second))
    with running(Sequencer(fresh_database.sequencer, signer)) as late:
        sequenced(1)
        write_entries(1)
        wait_until(lambda: str(second.key) in late.failure)
        assert not late.leading.is_set()
    assert Entry.objects.count() == 1


def test_what_waited_behind_the_change_is_not_forgotten(
    fresh_database: Logins, signer: FileSigner, second: FileSigner, found: Callable[..., Report]
) -> None:
    write_entries(3)
    hand_over(note_of(signer, second))
    write_entries(3)
    with running(Sequencer(fresh_database.sequencer, signer, lambda: second)):
        sequenced(7)
    assert Checkpoint.objects.filter(size=4).exists()
    assert found().problems == []


def test_a_change_that_the_log_s_key_has_not_signed_changes_nothing(
    fresh_database: Logins, signer: FileSigner, second: FileSigner, tmp_path: Path, found: Callable[..., Report]
) -> None:
    stranger = FileSigner.load_or_create(tmp_path / "stranger.key", "x")
    with running(Sequencer(fresh_database.sequencer, signer)) as sequencer:
        hand_over(note_of(stranger, second))
        hand_over(Handover(signer.key, second.key).note(stranger.sign, second.sign))
        hand_over("noise")
        sequenced(3)
        assert sequencer.leading.is_set()
    with running(Sequencer(fresh_database.sequencer, signer)):  # nor at a start
        write_entries(1)
        sequenced(4)
    assert found().problems == []


def test_a_stolen_old_key_makes_no_checkpoint_that_verifies(
    changed: Changed, found: Callable[..., Report], hands: Hands
) -> None:
    """A superuser edits, hashes anew, and signs all of it with the key that was replaced."""
    hands("UPDATE ledger_entry SET leaf = convert_to(replace(convert_from(leaf, 'utf8'), 'shop', 'shed'), 'utf8')")
    hands("UPDATE ledger_entry SET leaf_hash = sha256('\\x00'::bytea || leaf)")
    hashes = [bytes(value) for value in Entry.objects.order_by("index").values_list("leaf_hash", flat=True)]
    for size in Checkpoint.objects.values_list("size", flat=True):
        new = checkpoint.Checkpoint(changed.old.key.name, size, merkle.root(hashes[:size]))
        note = checkpoint.sign(new, changed.old.key, changed.old.sign)
        hands("UPDATE ledger_checkpoint SET root = %s, note = %s WHERE size = %s", new.root, note, size)
    report = found()
    assert [problem.check for problem in report.problems] == ["signatures"]
    assert "it is by a key that had been replaced" in report.problems[0].message
    assert not found(8, 12).ok


def test_a_key_that_nobody_introduced_is_not_trusted(
    changed: Changed, found: Callable[..., Report], hands: Hands, tmp_path: Path
) -> None:
    stranger = FileSigner.load_or_create(tmp_path / "stranger.key", "x")
    hands("INSERT INTO ledger_key (key_id, verifier, first_size) VALUES (%s, %s, 9)", "deadbeef", str(stranger.key))
    for kept in Checkpoint.objects.filter(size__gt=9):
        made = checkpoint.Checkpoint(stranger.key.name, kept.size, bytes(kept.root))
        note = checkpoint.sign(made, stranger.key, stranger.sign)
        hands("UPDATE ledger_checkpoint SET note = %s WHERE size = %s", note, kept.size)
    assert {problem.check for problem in found().problems} == {"signatures", "keys"}


@pytest.mark.parametrize(
    ("old", "new"), [("narrowgate ledger key\n", "x\n"), ("\n\n", "\nmore\n\n"), ("+", "-"), ("—", "-"), ("\n", "")]
)
def test_a_malformed_handover_is_refused(signer: FileSigner, second: FileSigner, old: str, new: str) -> None:
    note = note_of(signer, second)
    assert handover.read_note(note) == Handover(signer.key, second.key)
    with pytest.raises(NoteError):
        handover.read_note(note.replace(old, new, 1))


def test_a_key_hands_over_to_another_of_its_name(signer: FileSigner, second: FileSigner) -> None:
    with pytest.raises(NoteError, match="another key"):
        handover.read_note(note_of(signer, signer))
    other = FileSigner(second._private, "other.log")
    with pytest.raises(NoteError, match="same name"):
        handover.read_note(note_of(signer, other))


def command() -> str:
    said = io.StringIO()
    call_command("change_ledger_key", stdout=said)
    return said.getvalue().strip().splitlines()[-1]


@pytest.fixture
def own_folder(tmp_path: Path, settings: object) -> Path:
    settings.STATE_DIR = tmp_path  # type: ignore[attr-defined]  # pytest-django's
    return tmp_path / "keys"


def test_the_command_changes_the_key_while_the_log_goes_on(
    fresh_database: Logins, own_folder: Path, found: Callable[..., Report]
) -> None:
    first = keys.signer()
    with running(Sequencer(fresh_database.sequencer, first, keys.signer)):
        write_entries(2)
        said = command()
        write_entries(2)
        sequenced(5)
    assert said == str(keys.signer().key) != str(first.key)
    assert [path.name for path in own_folder.iterdir()] == ["ledger.key"]
    assert found(key=said).problems == []


def test_an_interrupted_change_is_finished(
    fresh_database: Logins, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.1)
    with pytest.raises(CommandError, match="No sequencer"):
        command()
    assert sorted(path.name for path in own_folder.iterdir()) == ["ledger.key", "ledger.next"]
    with running(Sequencer(fresh_database.sequencer, keys.signer(), keys.signer)):
        sequenced(1)
        said = command()
        write_entries(1)
        sequenced(2)
    assert said == str(keys.signer().key)
    assert Outbox.objects.count() == 2


def test_without_a_passphrase_there_is_no_key(own_folder: Path, settings: object) -> None:
    settings.KEY_PASSPHRASE = ""  # type: ignore[attr-defined]  # pytest-django's
    with pytest.raises(NarrowgateError, match="passphrase"):
        keys.signer()
