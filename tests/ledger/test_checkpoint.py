"""Signed notes and the signer: what is signed opens, anything else is refused with a reason."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NarrowgateError
from ledger import checkpoint
from ledger.checkpoint import Checkpoint, NoteError, VerifierKey
from ledger.signer import FileSigner

ROOT = bytes(range(32))


def note_by(signer: FileSigner, size: int = 3) -> str:
    return checkpoint.sign(Checkpoint(signer.key.name, size, ROOT), signer.key, signer.sign)


def test_a_signed_checkpoint_opens(signer: FileSigner) -> None:
    opened = checkpoint.open_note(note_by(signer), signer.key)
    assert opened == Checkpoint(signer.key.name, 3, ROOT)
    assert VerifierKey.parse(str(signer.key)) == signer.key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n3\n", "\n4\n"),
        ("\n3\n", "\n03\n"),
        ("—", "-"),
        ("\n\n", "\n"),
        ("narrowgate", "narrowgato"),
        ("\n3\n", "\n"),
    ],
)
def test_a_changed_note_is_refused(signer: FileSigner, old: str, new: str) -> None:
    with pytest.raises(NoteError):
        checkpoint.open_note(note_by(signer).replace(old, new), signer.key)


def test_another_key_is_refused(signer: FileSigner, tmp_path: Path) -> None:
    other = FileSigner.load_or_create(tmp_path / "other.pem", "x")
    with pytest.raises(NoteError, match="no signature"):
        checkpoint.open_note(note_by(signer), other.key)


def test_a_second_signature_by_a_witness_is_let_be(signer: FileSigner, tmp_path: Path) -> None:
    witness = FileSigner.load_or_create(tmp_path / "witness.pem", "x", "witness.example")
    line = note_by(witness).splitlines()[-1]
    assert checkpoint.open_note(f"{note_by(signer)}{line}\n", signer.key).size == 3


@given(st.text(max_size=80))
def test_any_text_is_a_note_or_refused(text: str) -> None:
    with pytest.raises(NoteError):
        checkpoint.parse_body(checkpoint.split_note(text)[0])


@pytest.mark.parametrize("text", ["", "a+b", "a+00000000+AAAA", "a b+00000000+AQ==", "+00000000+AQ=="])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ledger.pem"
    first = FileSigner.load_or_create(path, "a passphrase")
    second = FileSigner.load_or_create(path, "a passphrase")
    assert first.key == second.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    assert [kept.name for kept in path.parent.iterdir()] == ["ledger.pem"]


@pytest.mark.parametrize("passphrase", ["", "another"])
def test_a_wrong_passphrase_is_one_sentence(tmp_path: Path, passphrase: str) -> None:
    FileSigner.load_or_create(tmp_path / "ledger.pem", "a passphrase")
    with pytest.raises(NarrowgateError, match=r"passphrase"):
        FileSigner.load_or_create(tmp_path / "ledger.pem", passphrase)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    rsa = generate_private_key(65537, 2048)
    pem = rsa.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (tmp_path / "rsa.pem").write_bytes(pem)
    with pytest.raises(NarrowgateError, match="not an Ed25519 key"):
        FileSigner.load_or_create(tmp_path / "rsa.pem", "x")
    (tmp_path / "noise.pem").write_bytes(b"noise")
    with pytest.raises(NarrowgateError, match="does not open"):
        FileSigner.load_or_create(tmp_path / "noise.pem", "x")
    with pytest.raises(NarrowgateError, match="cannot be used"):
        FileSigner.load_or_create(tmp_path, "x")
