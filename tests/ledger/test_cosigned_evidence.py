"""Packages with cosignatures: `verify` checks each witness's newest one, and says what no witness has seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.database import Logins
from ledger import checkpoint, export
from ledger.checkpoint import COSIGNER, VerifierKey
from ledger.cosignature import cosign
from ledger.models import Checkpoint, Cosignature
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify import main, verify
from ledger.verify_primitives import Unreadable
from ledger.verify_report import Report
from tests.ledger.conftest import running, sequenced, write_entries

TIME = 1_700_000_000


def cosigned(own: FileSigner, size: int, timestamp: int = TIME) -> None:
    """Keep the cosignature of `own` over the checkpoint of this size, as the publisher does."""
    key = VerifierKey(own.key.name, own.key.public, COSIGNER)
    body = checkpoint.split_note(Checkpoint.objects.get(size=size).note)[0]
    Cosignature.objects.create(
        size=size, name=key.name, key_id=key.key_id.hex(), line=cosign(body, key, own.sign, timestamp),
        cosigned_at=datetime.fromtimestamp(TIME, UTC),
    )  # fmt: skip


@pytest.fixture
def witness(fresh_database: Logins, signer: FileSigner, tmp_path: Path, settings: Any) -> FileSigner:
    """One that is in the file of witnesses, and has cosigned the checkpoints of 3 and 6 of 8 entries."""
    own = FileSigner.load_or_create(tmp_path / "w.key", "x", "w.example/1")
    with running(Sequencer(fresh_database.sequencer, signer)):
        for size in range(1, 9):
            write_entries(1)
            sequenced(size)
    cosigned(own, 3)
    cosigned(own, 6)
    (tmp_path / "witnesses").write_text(f"witness w {key_of(own)}\nquorum w\n")
    settings.LEDGER_WITNESSES = str(tmp_path / "witnesses")
    return own


def key_of(own: FileSigner) -> str:
    return str(VerifierKey(own.key.name, own.key.public, COSIGNER))


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Report]:
    def run(*keys: str, first: int = 0, last: int | None = None) -> Report:
        export.export(tmp_path / "evidence.zip", first, last)
        return verify(tmp_path / "evidence.zip", witnesses=keys)

    return run


def test_what_a_witness_cosigned_is_said(witness: FileSigner, found: Callable[..., Report]) -> None:
    for report in (found(), found(key_of(witness))):
        assert report.problems == []
        said = "the witness w.example/1 cosigned the checkpoint of 6 entries, 2023-11-14 22:13:20 UTC"
        assert said in report.checked
        assert any("entries from 6 on by any witness" in line for line in report.not_checked)
    assert any("whom others run" in line for line in found().not_checked)
    assert not any("whom others run" in line for line in found(key_of(witness)).not_checked)


def test_a_part_has_the_cosignatures_over_it(witness: FileSigner, found: Callable[..., Report]) -> None:
    assert any("of 6 entries" in line for line in found(key_of(witness), first=4, last=7).checked)
    early = found(first=0, last=2)
    assert early.ok
    assert any("by any witness" in line for line in early.not_checked)


def test_a_witness_that_did_not_cosign_is_missed(
    witness: FileSigner, found: Callable[..., Report], tmp_path: Path
) -> None:
    other = FileSigner.load_or_create(tmp_path / "o.key", "x", "other.example/1")
    report = found(key_of(witness), key_of(other))
    assert [one.check for one in report.problems] == ["cosignatures"]
    assert "other.example/1 has cosigned no checkpoint" in report.problems[0].message
    same_name = FileSigner.load_or_create(tmp_path / "s.key", "x", "w.example/1")
    assert not found(key_of(same_name)).ok


@pytest.mark.parametrize("timestamp", [TIME, 0])
def test_a_cosignature_that_does_not_hold_is_named(
    witness: FileSigner, found: Callable[..., Report], tmp_path: Path, timestamp: int
) -> None:
    """Made with another key under its name and key id, or without a time."""
    stranger = FileSigner.load_or_create(tmp_path / "s.key", "x", "w.example/1")
    key = VerifierKey(witness.key.name, witness.key.public, COSIGNER)
    body = checkpoint.split_note(Checkpoint.objects.get(size=8).note)[0]
    sign = stranger.sign if timestamp else witness.sign
    line = cosign(body, key, sign, timestamp)
    Cosignature.objects.create(
        size=8, name=key.name, key_id=key.key_id.hex(), line=line, cosigned_at=datetime.fromtimestamp(TIME, UTC)
    )
    report = found()
    assert [one.check for one in report.problems] == ["cosignatures"]
    assert "the cosignature by the witness w.example/1 does not hold" in report.problems[0].message


def test_a_file_of_witnesses_that_cannot_be_read_takes_no_evidence_away(
    witness: FileSigner, found: Callable[..., Report], tmp_path: Path
) -> None:
    (tmp_path / "witnesses").write_text("noise")
    report = found()
    assert report.ok
    assert any("by any witness" in line for line in report.not_checked)


def test_a_key_that_is_none_is_one_sentence(
    witness: FileSigner, found: Callable[..., Report], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in ("noise", str(witness.key)):  # a log's key is no witness's
        with pytest.raises(Unreadable, match="malformed"):
            found(key)
    assert main([str(tmp_path / "evidence.zip"), "--witness", "noise"]) == 1
    assert capsys.readouterr().out == "NOT VALID: A verifier key is malformed.\n"
