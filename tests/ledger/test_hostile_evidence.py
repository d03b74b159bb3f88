"""Whatever is given to `verify`: one clear sentence and exit status 1, never a traceback, never "VALID"."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.database import Logins
from ledger import export, verify, verify_package
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify_primitives import Unreadable
from ledger.verify_report import Report
from tests.ledger.conftest import running, sequenced, write_entries

Files = dict[str, bytes]


class Package(bytes):
    """A package's bytes, which hypothesis need not write out to say what it tried."""

    def __repr__(self) -> str:
        return f"<a package of {len(self)} bytes>"


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """Filled by the first test that needs it: a valid package's bytes, made once."""
    return {}


@pytest.fixture
def evidence(good: dict[str, bytes], request: pytest.FixtureRequest) -> bytes:
    if "zip" not in good:
        logins: Logins = request.getfixturevalue("fresh_database")
        signer: FileSigner = request.getfixturevalue("signer")
        with running(Sequencer(logins.sequencer, signer)):
            write_entries(4)
            sequenced(4)
        stream = io.BytesIO()
        export.export(stream)
        good["zip"] = Package(stream.getvalue())
    return good["zip"]


def files_of(data: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def report_on(path: Path) -> Report | None:
    """What verify reports; None when it refuses, which it does in one line."""
    try:
        return verify.verify(path)
    except Unreadable as refusal:
        one_line = len(str(refusal).splitlines()) == 1
    assert one_line
    return None


def verdict(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What the command line says; it must refuse in lines of its own."""
    assert verify.main([str(path), *more]) == 1
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.startswith("NOT VALID")
    assert "Traceback" not in said.out
    return said.out


def manifest(**changed: object) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        says = json.loads(files["manifest.json"]) | changed
        files["manifest.json"] = json.dumps(says).encode()

    return change


def replaced(name: str, data: bytes) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(name, data)


def lines(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Files], None]:
    return lambda files: files.__setitem__(name, b"".join(change(files[name].splitlines(keepends=True))))


HOSTILE: dict[str, Callable[[Files], object]] = {
    "no manifest": lambda files: files.pop("manifest.json"),
    "no keys": replaced("keys.txt", b""),
    "bad keys": replaced("keys.txt", b"\xff\xfe"),
    "a malformed key": replaced("keys.txt", b"a+b+c\n"),
    "manifest is a list": replaced("manifest.json", b"[]"),
    "manifest is deep": replaced("manifest.json", b"[" * 100_000),
    "manifest has huge numbers": replaced("manifest.json", b'{"first":' + b"9" * 5000 + b"}"),
    "another format": manifest(format="x"),
    "negative first": manifest(first=-1),
    "first is text": manifest(first="0"),
    "first is true": manifest(first=True),
    "more than there is": manifest(last=9, size=9),
    "beyond any size": manifest(size=2**62),
    "left is not a list": manifest(left=7),
    "right has noise": manifest(right=["*"]),
    "right has more": manifest(right=["AAAA"]),
    "another origin": manifest(origin="somebody.else"),
    "the head differs": manifest(head=5),
    "nodes differ": manifest(nodes={"other": 3}),
    "nodes are not said": manifest(nodes=None),
    "entries are noise": replaced("entries.ndjson", b"\x00\xff\n" * 10),
    "entries are empty": replaced("entries.ndjson", b""),
    "an entry is deep": replaced("entries.ndjson", b'{"index":' + b"[" * 100_000),
    "a line is endless": replaced("entries.ndjson", b" " * 3_000_000),
    "entries twice": lines("entries.ndjson", lambda found: found + found),
    "one entry less": lines("entries.ndjson", lambda found: found[:-1]),
    "reversed": lines("entries.ndjson", lambda found: found[::-1]),
    "a half surrogate": lines("entries.ndjson", lambda found: [found[0].replace(b"record", b"\\ud800"), *found[1:]]),
    "leaf is a number": lines("entries.ndjson", lambda found: [b'{"index":0,"hash":"","leaf":1}\n', *found[1:]]),
    "no checkpoints": replaced("checkpoints.ndjson", b""),
    "checkpoints twice": lines("checkpoints.ndjson", lambda found: found + found),
    "a checkpoint without signature": replaced("checkpoints.ndjson", b'{"size":4,"note":"x\\n4\\nAAAA\\n"}\n'),
    "a checkpoint of nothing": replaced("checkpoints.ndjson", b'{"size":0,"note":""}\n'),
    "a checkpoint beyond": lines("checkpoints.ndjson", lambda found: [*found, b'{"size":9,"note":""}\n']),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_package_is_refused(
    name: str, evidence: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = files_of(evidence)
    HOSTILE[name](files)
    verdict(packed(files, tmp_path / "hostile.zip"), capsys)


def test_as_made_it_is_valid(evidence: bytes, tmp_path: Path) -> None:
    assert verify.verify(packed(files_of(evidence), tmp_path / "good.zip")).ok


def test_what_is_added_is_named_but_harmless(evidence: bytes, tmp_path: Path) -> None:
    report = verify.verify(packed(files_of(evidence) | {"../x": b"x"}, tmp_path / "more.zip"))
    assert report.ok
    assert any("../x" in line for line in report.not_checked)


def test_unknown_compression_and_doubled_names_are_refused(
    evidence: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unknown way" in verdict(packed(files_of(evidence), tmp_path / "lzma.zip", zipfile.ZIP_LZMA), capsys)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "lzma.zip", "a") as archive:
        archive.writestr("keys.txt", b"")
    assert "two files" in verdict(tmp_path / "lzma.zip", capsys)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x00" * 1000, b"not a zip"])
def test_what_is_no_zip_is_refused(data: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "noise.zip").write_bytes(data)
    assert len(verdict(tmp_path / "noise.zip", capsys).splitlines()) == 1


def test_what_is_not_there_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No such file" in verdict(tmp_path / "absent.zip", capsys)
    verdict(tmp_path, capsys)


@pytest.mark.parametrize("held", [b"", b"\xff", b"noise\n\n", b"x\n4\nAAAA\n\n\xe2\x80\x94 x AAAAAAAA\n"])
def test_a_held_checkpoint_that_is_none_is_refused(
    held: bytes, evidence: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.zip").write_bytes(evidence)
    (tmp_path / "held").write_bytes(held)
    verdict(tmp_path / "good.zip", capsys, "--checkpoint", str(tmp_path / "held"))
    verdict(tmp_path / "good.zip", capsys, "--checkpoint", str(tmp_path / "absent"))
    verdict(tmp_path / "good.zip", capsys, "--key", "a+b+c")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255), cut=st.booleans())
def test_one_changed_byte_or_a_cut_anywhere(
    evidence: bytes, tmp_path: Path, place: float, value: int, cut: bool
) -> None:
    """Refused, or valid because the byte says nothing: never any other exception."""
    at = int(place * len(evidence))
    changed = evidence[:at] if cut else evidence[:at] + bytes([evidence[at] ^ value]) + evidence[at + 1 :]
    (tmp_path / "fuzzed.zip").write_bytes(changed)
    report = report_on(tmp_path / "fuzzed.zip")
    assert report is None or not cut or not report.ok


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(sorted(verify_package.FILES - {"keys.txt"})),
    place=st.floats(0, 1, exclude_max=True),
    value=st.integers(1, 255),
)
def test_one_changed_byte_inside(evidence: bytes, tmp_path: Path, name: str, place: float, value: int) -> None:
    """As a forger would change it, with the archive's checksums made anew."""
    files = files_of(evidence)
    at = int(place * len(files[name]))
    files[name] = files[name][:at] + bytes([files[name][at] ^ value]) + files[name][at + 1 :]
    report = report_on(packed(files, tmp_path / "forged.zip"))
    same = [json.loads(line) for line in files_of(evidence)[name].splitlines() if name != "manifest.json"]
    if report is not None and report.ok:
        assert [json.loads(line) for line in files[name].splitlines() if same] == same
