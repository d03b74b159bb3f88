"""Evidence: what an export holds, and that its own copy of verify.py finds it valid with nothing else at hand."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.db import transaction
from typer.testing import CliRunner

from cli.verify import verify as command
from console.database import Logins
from core.errors import NotFound
from ledger import export, personal, queries, verify, write
from ledger.events import Event
from ledger.models import Checkpoint
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.ledger.conftest import ADA, SHOP, running, sequenced, write_entries


@pytest.fixture
def ledger(fresh_database: Logins, signer: FileSigner) -> FileSigner:
    """A log of 20 entries in several batches."""
    with running(Sequencer(fresh_database.sequencer, signer)):
        for count in (3, 9, 20):
            write_entries(count - queries.state().size)
            sequenced(count)
    return signer


def test_a_whole_export_is_valid(ledger: FileSigner, tmp_path: Path) -> None:
    package = export.export(tmp_path / "evidence.zip")
    report = verify.verify(tmp_path / "evidence.zip")
    assert report.problems == []
    assert (report.entries, package.first, package.last, package.size) == (20, 0, 20, 20)
    assert report.checkpoints == Checkpoint.objects.count() >= 3
    assert any("hold" in line for line in report.not_checked)


def test_its_copy_of_the_verifier_needs_nothing_else(ledger: FileSigner, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.zip"
    export.export(evidence)
    with zipfile.ZipFile(evidence) as archive:
        archive.extract("verify.py", tmp_path)
        archive.extract("checkpoint.txt", tmp_path)
    run = [
        sys.executable,
        "-I",
        "-S",
        str(tmp_path / "verify.py"),
        str(evidence),
        "--checkpoint",
        str(tmp_path / "checkpoint.txt"),
    ]
    done = subprocess.run([*run, "--key", str(ledger.key)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("VALID\n")


@pytest.mark.parametrize(("first", "last"), [(0, 7), (5, 13), (19, 20), (7, None), (0, None), (1, 2)])
def test_a_part_is_valid_by_itself(ledger: FileSigner, tmp_path: Path, first: int, last: int | None) -> None:
    export.export(tmp_path / "part.zip", first, last)
    report = verify.verify(tmp_path / "part.zip")
    assert report.problems == []
    assert report.entries == (20 if last is None else last) - first
    assert (first, last) == (0, None) or any("not in this package" in line for line in report.not_checked)


@pytest.mark.parametrize(("first", "last"), [(-1, 3), (3, 3), (0, 21), (20, None)])
def test_entries_that_are_not_signed_cannot_be_exported(ledger: FileSigner, first: int, last: int | None) -> None:
    with pytest.raises(NotFound):
        export.export(io.BytesIO(), first, last)


def test_an_empty_ledger_has_no_evidence(fresh_database: Logins) -> None:
    with pytest.raises(NotFound):
        export.plan()


def test_it_streams_the_same(ledger: FileSigner, tmp_path: Path) -> None:
    (tmp_path / "streamed.zip").write_bytes(b"".join(export.stream(export.plan())))
    assert verify.verify(tmp_path / "streamed.zip").problems == []


def test_an_export_while_entries_arrive_is_valid(fresh_database: Logins, signer: FileSigner, tmp_path: Path) -> None:
    """What is not signed yet, and what was signed since, is not taken for missing."""
    write_entries(2)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(2)
    planned = export.plan()
    write_entries(2)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(4)
    write_entries(3)
    (tmp_path / "evidence.zip").write_bytes(b"".join(export.stream(planned)))
    assert verify.verify(tmp_path / "evidence.zip").problems == []


def test_many_checkpoints_are_thinned_and_it_says_so(
    ledger: FileSigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_CHECKPOINTS", 2)
    export.export(tmp_path / "evidence.zip")
    report = verify.verify(tmp_path / "evidence.zip")
    assert report.problems == []
    assert report.checkpoints == 2
    assert any("checkpoints beyond these" in line for line in report.not_checked)


def test_a_line_says_the_leaf_as_text(ledger: FileSigner, tmp_path: Path) -> None:
    export.export(tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        first = json.loads(archive.read("entries.ndjson").splitlines()[0])
        assert "20 entries" not in archive.read("README.txt").decode()
        assert ledger.key.name in archive.read("README.txt").decode()
    assert json.loads(first["leaf"])["event"] == "record:read"


def test_the_command_says_valid_or_not(ledger: FileSigner, tmp_path: Path) -> None:
    import typer

    app = typer.Typer()
    app.command()(command)
    export.export(tmp_path / "evidence.zip")
    good = CliRunner().invoke(app, [str(tmp_path / "evidence.zip"), "--key", str(ledger.key)])
    assert good.exit_code == 0
    assert good.output.startswith("VALID")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "evidence.zip").read_bytes()[:-100])
    bad = CliRunner().invoke(app, [str(tmp_path / "cut.zip")])
    assert bad.exit_code == 1
    assert bad.output.startswith("NOT VALID: ")
    assert len(bad.output.splitlines()) == 1


def test_erasing_somebody_changes_no_proof_and_no_export_made_before(ledger: FileSigner, tmp_path: Path) -> None:
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    export.export(before)
    kept = before.read_bytes()
    with transaction.atomic():
        personal.destroy_key(ADA.id)
    export.export(after)
    assert before.read_bytes() == kept
    reports = [verify.verify(path) for path in (before, after)]
    assert [report.problems for report in reports] == [[], []]
    assert any("names and reasons of people that it opens: 1" in line for line in reports[0].checked)
    assert any("names of people that it does not open: 1" in line for line in reports[1].not_checked)
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        assert json.loads(old.read("names.ndjson"))["name"] == "ada"
        assert new.read("names.ndjson") == b""
        assert old.read("entries.ndjson") == new.read("entries.ndjson")


def test_a_reason_travels_with_its_salt_until_its_writer_is_erased(
    fresh_database: Logins, signer: FileSigner, tmp_path: Path
) -> None:
    details = {"agent": "1", "reason": "Too risky", "resource": "2"}
    with transaction.atomic():
        write.record(Event.SESSION_CUT, actor=ADA, subject=SHOP, details=details)
    with running(Sequencer(fresh_database.sequencer, signer)):
        sequenced(1)
    before, after = tmp_path / "before.zip", tmp_path / "after.zip"
    export.export(before)
    with transaction.atomic():
        personal.destroy_key(ADA.id)
    export.export(after)
    assert [verify.verify(path).problems for path in (before, after)] == [[], []]
    with zipfile.ZipFile(before) as old, zipfile.ZipFile(after) as new:
        opened = [json.loads(line) for line in old.read("names.ndjson").splitlines()]
        assert {one["name"] for one in opened} == {"ada", "Too risky"}
        assert b"risky" not in old.read("entries.ndjson") == new.read("entries.ndjson")
        assert new.read("names.ndjson") == b""


def test_a_name_that_no_entry_committed_to_is_refused(ledger: FileSigner, tmp_path: Path) -> None:
    export.export(tmp_path / "evidence.zip")
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name).replace(b'"name": "ada"', b'"name": "eve"'))
    assert [problem.check for problem in verify.verify(tmp_path / "other.zip").problems] == ["names"]
