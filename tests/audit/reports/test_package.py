"""A report's package, checked by the command as an auditor runs it: valid as made; changed anywhere, refused by name."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

from audit import actions
from audit.reports import making
from audit.reports.period import Period
from audit.reports.scope import Scope
from tests.audit.reports.conftest import Room, path_of
from tests.commands import typed

Files = dict[str, bytes]


def check(package: Path, *options: str) -> tuple[int, str]:
    status, out, complaints = typed(package.parent, "verify", str(package), *options)
    return status, out + complaints


def files_of(package: Path) -> Files:
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Files, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def _csv(files: Files) -> str:
    return next(name for name in files if name.endswith(".csv"))


def changed_file(files: Files) -> str:
    name = _csv(files)
    files[name] = files[name].replace(b"approved", b"APPROVED", 1)
    return f"{name} is not the file that was made"


def missing_file(files: Files) -> str:
    del files[name := _csv(files)]
    return f"{name} is missing"


def added_file(files: Files) -> str:
    files["report/narrowgate-other.csv"] = b"of somebody else"
    return "report/narrowgate-other.csv is no file of a report that an entry of this ledger states."


def unbound(files: Files) -> str:
    del files["report.json"]
    return f"{_csv(files)} is no file of a report"


def rewritten_entry(files: Files) -> str:
    """File and entry changed together, as whoever forges one would do it."""
    name = _csv(files)
    files[name] += b"more"
    said = json.loads(files["report.json"])
    leaf = json.loads(said["leaf"])
    leaf["details"]["files"][name.removeprefix("report/")] = f"sha256:{hashlib.sha256(files[name]).hexdigest()}"
    said["leaf"] = json.dumps(leaf, separators=(",", ":"), sort_keys=True)
    files["report.json"] = json.dumps(said).encode()
    return "is not in this ledger"


def another_place(files: Files) -> str:
    said = json.loads(files["report.json"])
    files["report.json"] = json.dumps({**said, "index": said["index"] - 1}).encode()
    return ""  # the path ends too early or leads elsewhere, as the tree's shape will have it


def another_entry(files: Files) -> str:
    """An entry that is in the ledger, but states no report."""
    said = json.loads(files["report.json"])
    first = json.loads(files["entries.ndjson"].splitlines()[0])
    files["report.json"] = json.dumps({**said, "leaf": first["leaf"], "index": first["index"]}).encode()
    return ""


def path_too_long(files: Files) -> str:
    said = json.loads(files["report.json"])
    files["report.json"] = json.dumps({**said, "path": said["path"] * 3}).encode()
    return "A path through the tree is too long."


def changed_record(files: Files) -> str:
    files["entries.ndjson"] = files["entries.ndjson"].replace(b"person:invited", b"person:changed", 1)
    return "its bytes do not give the hash"


def test_a_package_is_valid_as_it_was_made(room: Room, tmp_path: Path) -> None:
    package = path_of(room.made("oversight", "pdf", "xlsx", "csv", "zip"), "zip")
    files = files_of(package)
    (tmp_path / "checkpoint.txt").write_bytes(files["checkpoint.txt"])
    status, said = check(package, "--checkpoint", str(tmp_path / "checkpoint.txt"), "--key", str(room.signer.key))
    assert status == 0, said
    assert said.startswith("VALID")
    assert "the report's 4 files, by the hashes that an entry of the ledger states" in said
    assert [name.rpartition(".")[2] for name in files if name.startswith("report/")] == ["jsonl", "csv", "xlsx", "pdf"]
    (tmp_path / "verify.py").write_bytes(files["verify.py"])
    alone = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(package)]
    done = subprocess.run(alone, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


CHANGES = (
    changed_file, missing_file, added_file, unbound, rewritten_entry, another_place, another_entry, path_too_long,
    changed_record,
)  # fmt: skip


def test_a_changed_package_is_refused_by_name(room: Room, tmp_path: Path) -> None:
    made = files_of(path_of(room.made("oversight", "csv", "zip"), "zip"))
    assert check(packed(made, tmp_path / "same.zip"))[0] == 0
    for change in CHANGES:
        files = dict(made)
        expected = change(files)
        status, said = check(packed(files, tmp_path / "changed.zip"))
        assert (status, said.partition("NOT VALID")[0]) == (1, ""), change.__name__
        assert expected in said, change.__name__


def test_a_period_without_entries_still_has_its_report_proved(room: Room) -> None:
    before = room.period.since - timedelta(days=9)
    period = Period(before, before + timedelta(days=1))
    report = actions.ask(
        kind="access", period=period, scope=Scope("all"), formats=["csv", "zip"], actor=room.cast.auditor
    )
    assert making.make(report.id)
    status, said = check(path_of(report, "zip"))
    assert status == 0, said
    assert "the report's 2 files" in said
