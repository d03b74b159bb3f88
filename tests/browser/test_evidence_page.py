"""verify.html, opened from disk: it finds what `narrowgate verify` finds, and names the same first entry that fails."""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from console.database import Logins
from ledger import export, export_selected, verify
from ledger.models import Checkpoint, Entry, Timestamp
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.verify_primitives import Unreadable
from tests.browser.people import AXE, RULES, chromium
from tests.ledger.conftest import running, sequenced, signer, write_entries
from tests.ledger.test_cosigned_evidence import cosigned, key_of
from tests.ledger.test_hostile_evidence import Files, files_of, lines, packed, replaced

__all__ = ["signer"]  # the fixture

pytestmark = pytest.mark.browser
WYCHEPROOF = Path(__file__).parents[1] / "ledger" / "vectors" / "wycheproof_ed25519.json"


def _entry(number: int, change: Callable[[dict[str, Any]], object]) -> Callable[[Files], None]:
    """One line of the entries, changed."""

    def changed(found: list[bytes]) -> list[bytes]:
        says = json.loads(found[number])
        change(says)
        found[number] = json.dumps(says, ensure_ascii=False).encode() + b"\n"
        return found

    return lines("entries.ndjson", changed)


def _rehashed(before: str, after: str) -> Callable[[dict[str, Any]], object]:
    def change(says: dict[str, Any]) -> None:
        says["leaf"] = says["leaf"].replace(before, after)
        says["hash"] = b64encode(sha256(b"\x00" + says["leaf"].encode()).digest()).decode()

    return change


def _false(line: bytes) -> bytes:
    """A checkpoint whose last line, the cosignature, has another time."""
    says = json.loads(line)
    *kept, last, end = says["note"].split("\n")
    dash, name, signed = last.split(" ")
    data = bytearray(b64decode(signed))
    data[11] ^= 1
    says["note"] = "\n".join([*kept, f"{dash} {name} {b64encode(data).decode()}", end])
    return json.dumps(says, ensure_ascii=False).encode() + b"\n"


TAMPERINGS: dict[str, Callable[[Files], object]] = {
    "an edited entry": _entry(3, lambda says: says.update(leaf=says["leaf"].replace("shop", "shed"))),
    "edited and hashed anew": _entry(3, _rehashed("shop", "shed")),
    "written another way": _entry(2, _rehashed('"schema":', '"schema": ')),
    "dated back": _entry(5, _rehashed('"recorded":"20', '"recorded":"19')),
    "swapped": lines("entries.ndjson", lambda found: [*found[:2], found[3], found[2], *found[4:]]),
    "cut in the middle": lines("entries.ndjson", lambda found: found[:4] + found[5:]),
    "cut at the end": lines("entries.ndjson", lambda found: found[:-1]),
    "a checkpoint altered": lines("checkpoints.ndjson", lambda found: [*found[:-1], found[-1].replace(b"\\n8\\n", b"\\n9\\n")]),
    "another key": replaced("keys.txt", b"other+12345678+AAAA\n"),
    "a false cosignature": lines("checkpoints.ndjson", lambda found: [*found[:-1], _false(found[-1])]),
    "another name": lines("names.ndjson", lambda found: [found[0].replace(b"ada", b"eve")]),
    "another count": lambda files: files.__setitem__("manifest.json", files["manifest.json"].replace(b'"head": 8', b'"head": 9')),
}  # fmt: skip


def _told(path: Path) -> tuple[bool, str, list[str]]:
    """What the command says: whether it is valid, the first bad entry, each thing that is wrong."""
    try:
        report = verify.verify(path)
    except Unreadable as refusal:
        return False, "", [str(refusal)]
    first = "" if report.first_bad_entry is None else str(report.first_bad_entry)
    return report.ok, first, [f"{problem.check}: {problem.message}" for problem in report.problems]


def _shown(page: Page, path: Path) -> tuple[bool, str, list[str]]:
    """What the page says."""
    page.get_by_label("The package").set_input_files([])
    page.get_by_label("The package").set_input_files(path)
    verdict = page.locator("#verdict[data-valid]")
    verdict.wait_for()
    wrong = (
        page.locator("section", has=page.get_by_role("heading", name="Wrong")).get_by_role("listitem").all_inner_texts()
    )
    said = verdict.inner_text()
    valid = said.startswith("VALID")
    return (
        valid,
        verdict.get_attribute("data-first") or "",
        wrong if valid or wrong else [said.removeprefix("NOT VALID: ")],
    )


def test_the_page_takes_keys_of_witnesses_from_outside(
    fresh_database: Logins, signer: FileSigner, tmp_path: Path, settings: Any
) -> None:
    """As the command does: one that cosigned is named, one that did not is missed; a file of witnesses may be pasted whole."""
    with running(Sequencer(fresh_database.sequencer, signer)):
        write_entries(8)
        sequenced(8)
    other = FileSigner.load_or_create(tmp_path / "other.key", "x", "other.example/w")
    (tmp_path / "witnesses").write_text(f"witness w {key_of(signer)}\nquorum w\n")
    settings.LEDGER_WITNESSES = str(tmp_path / "witnesses")
    cosigned(signer, 8)
    note = Checkpoint.objects.get(size=8).note
    Timestamp.objects.create(size=8, authority="tsa", response=b"a stamp", stamped_at=datetime.now(UTC))
    export.export(tmp_path / "package.zip")
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        assert archive.read("stamps/8.txt").decode() == note
        (tmp_path / "verify.html").write_bytes(archive.read("verify.html"))
    with chromium() as browser:
        page = browser.new_page()
        page.goto((tmp_path / "verify.html").as_uri())
        for typed, keys in (
            (key_of(signer), [key_of(signer)]),
            (f"# ours\nwitness w {key_of(signer)} https://w.example\nquorum w", [key_of(signer)]),
            (key_of(other), [key_of(other)]),
        ):
            page.get_by_label("Keys of witnesses").fill(typed)
            valid, _, wrong = _shown(page, tmp_path / "package.zip")
            told = verify.verify(tmp_path / "package.zip", witnesses=keys)
            assert (valid, wrong) == (told.ok, [f"{one.check}: {one.message}" for one in told.problems])
            lists = page.locator("#found li").all_inner_texts()
            assert set(told.not_checked) <= set(lists)
            assert any("openssl ts -verify -data stamps/8.txt" in line for line in lists)


def test_the_page_finds_what_the_command_finds(
    fresh_database: Logins, signer: FileSigner, tmp_path: Path, settings: Any
) -> None:
    stream = io.BytesIO()
    with running(Sequencer(fresh_database.sequencer, signer)):
        write_entries(8)
        sequenced(8)
    (tmp_path / "witnesses").write_text(f"witness w {key_of(signer)}\nquorum w\n")
    settings.LEDGER_WITNESSES = str(tmp_path / "witnesses")
    cosigned(signer, 8)
    export.export(stream)
    files = files_of(stream.getvalue())
    (tmp_path / "verify.html").write_bytes(files["verify.html"])
    packages = {"untouched": packed(files, tmp_path / "untouched.zip")}
    for name, change in TAMPERINGS.items():
        changed = dict(files)
        change(changed)
        packages[name] = packed(changed, tmp_path / f"{name}.zip")
    export.export(tmp_path / "part.zip", 2, 5)
    packages["a part"] = tmp_path / "part.zip"
    found = Entry.objects.filter(index__in=(1, 4, 6)).order_by("index")
    (tmp_path / "selected.zip").write_bytes(
        b"".join(export_selected.stream(export_selected.pages([list(found)]), export.newest_basis()))
    )
    packages["selected"] = tmp_path / "selected.zip"
    changed = files_of(packages["selected"].read_bytes())
    _entry(1, _rehashed("shop", "shed"))(changed)
    packages["selected, edited"] = packed(changed, tmp_path / "edited.zip")
    told = {name: _told(path) for name, path in packages.items()}
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "verify.html").as_uri())
        shown = {name: _shown(page, path) for name, path in packages.items()}
        page.evaluate(AXE.read_text(encoding="utf-8"))
        axe = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        wrong = page.evaluate(
            """async tests => {
                const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16)), wrong = [];
                for (const [key, message, signature, valid, comment] of tests)
                    if (await ed25519Verifies(bytes(key), bytes(message), bytes(signature)) !== valid) wrong.push(comment);
                return wrong;
            }""",
            json.loads(WYCHEPROOF.read_text(encoding="utf-8"))["tests"],
        )
    assert shown == told
    assert [told[name][0] for name in ("untouched", "a part", "selected", "selected, edited")] == [
        True,
        True,
        True,
        False,
    ]
    assert [name for name in TAMPERINGS if told[name][0]] == []
    assert [violation["id"] for violation in axe["violations"]] == []
    assert wrong == []
    assert {url.partition(":")[0] for url in asked} <= {"file", "blob"}
