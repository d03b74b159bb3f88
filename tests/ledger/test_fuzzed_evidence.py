"""10,000 packages with seeded damage: each is refused in one sentence with exit status 1, and none that was changed is valid."""

from __future__ import annotations

import base64
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import checkpoint, merkle, verify
from ledger.signer import FileSigner

HOW_MANY = 10_000
MEANT = ("manifest.json", "keys.txt", "entries.ndjson", "checkpoints.ndjson")
"""The files that say something; the others are for people."""
NOISE = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"{",
    b"[" * 3_000,
    b"null",
    b"-1",
    b"9" * 400,
    b"1e999",
    b'"',
    b"\\ud800",
    b"\n",
    b"\r\n",
)
Files = dict[str, bytes]


LEAF = (
    '{"actor":{"id":"1","kind":"system","name":"x"},"event":"session:opened","id":"%s","node":"n/lane-1","node_seq":%d,'
    '"occurred":"2026-11-25T12:00:00.000000Z","recorded":"2026-11-25T12:00:0%d.000000Z","schema":1,'
    '"subject":{"id":"2","kind":"resource","name":"shöp"}}'
)


@pytest.fixture
def files() -> Files:
    """A package of two entries, the same in each run: its key, its times and so its damages are."""
    signer = FileSigner(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "a.log")
    leaves = [(LEAF % (f"0000000{number}-0000-4000-8000-000000000000", number, number)) for number in (1, 2)]
    hashes = [merkle.leaf_hash(leaf.encode()) for leaf in leaves]
    lines = [
        {"index": index, "hash": base64.b64encode(hashes[index]).decode(), "leaf": leaf}
        for index, leaf in enumerate(leaves)
    ]
    root = checkpoint.Checkpoint("a.log", 2, merkle.root(hashes))
    note = checkpoint.sign(root, signer.key, signer.sign)
    manifest = {
        "format": "narrowgate-evidence-1", "origin": "a.log", "made": "2026-11-25T12:00:00+00:00", "first": 0, "last": 2,
        "size": 2, "left": [], "right": [], "existing_checkpoints": 1, "head": 2, "nodes": {"n/lane-1": 2},
    }  # fmt: skip
    return {
        "manifest.json": json.dumps(manifest, indent=1).encode(),
        "keys.txt": f"{signer.key}\n".encode(),
        "entries.ndjson": "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode(),
        "checkpoints.ndjson": json.dumps({"size": 2, "note": note}).encode() + b"\n",
    }


def flipped(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: chance.randrange(len(data))]


def without(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + data[at + chance.randrange(1, 60) :]


def with_noise(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(NOISE) + data[at + chance.choice((0, 0, 1, 5)) :]


def doubled(chance: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


def another_value(chance: random.Random, data: bytes) -> bytes:
    """One value of a JSON object becomes another of any kind; where there is none, noise."""
    lines = data.splitlines(keepends=True) if data.count(b"\n{") else [data]
    at = chance.randrange(len(lines))
    try:
        says = json.loads(lines[at])
    except ValueError:
        return with_noise(chance, data)
    odd: list[object] = [None, True, -1, 0, 2**63, 1.5, "", "AAAA", [], {}, [[]], {"a": 1}, "x" * 5_000, "\ud800"]
    says[chance.choice(sorted(says))] = chance.choice(odd)
    lines[at] = json.dumps(says).encode() + b"\n"
    return b"".join(lines)


WAYS: list[Callable[[random.Random, bytes], bytes]] = [flipped, cut, without, with_noise, doubled, another_value]


def packed(files: Files, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def fuzzed(files: Files, chance: random.Random) -> Iterator[tuple[str, Files]]:
    """Packages whose files were damaged, the archive's own checksums made anew, with what was done to them."""
    while True:
        name, way = chance.choice(MEANT), chance.choice(WAYS)
        yield f"{way.__name__} {name}", files | {name: way(chance, files[name])}


def says_the_same(files: Files, other: Files) -> bool:
    """Whether JSON and keys read the same: blanks between values, say, change nothing."""
    try:
        return all(_read(files[name]) == _read(other[name]) for name in MEANT)
    except ValueError:
        return False


def _read(data: bytes) -> object:
    text = data.decode()
    if not text.startswith("{"):
        return {line.strip() for line in text.splitlines() if line}
    return (
        json.loads(text) if text.startswith("{\n") else [json.loads(line) for line in text.split("\n") if line.strip()]
    )


UNSAID = {"made", "existing_checkpoints"}
"""What a manifest may say differently without being wrong: when it was made; how many more checkpoints there are."""


def is_harmless(files: Files, other: Files) -> bool:
    """Whether a package that was changed may still be valid."""
    if says_the_same(files, other):
        return True
    try:
        one, two = json.loads(files["manifest.json"]), json.loads(other["manifest.json"])
    except ValueError:
        return False
    same = {name: files[name] == other[name] for name in MEANT if name != "manifest.json"}
    known = set(one) - UNSAID
    return all(same.values()) and {k: one[k] for k in known} == {k: two.get(k) for k in known}


def test_no_damage_is_valid_and_none_is_a_traceback(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, path, valid = random.Random(2026), tmp_path / "fuzzed.zip", 0
    assert verify.main([str(packed(files, path))]) == 0
    capsys.readouterr()
    packages = fuzzed(files, chance)
    for _ in range(HOW_MANY):
        what, changed = next(packages)
        status = verify.say(packed(changed, path))  # what the command does once it has read its arguments
        said = capsys.readouterr()
        assert said.err == "", what
        assert status == (0 if said.out.startswith("VALID") else 1), what
        if status == 0:
            assert is_harmless(files, changed), (
                what,
                [(files[name], changed[name]) for name in MEANT if files[name] != changed[name]],
            )
            valid += 1
        else:
            assert said.out.startswith("NOT VALID"), what
            assert "Traceback" not in said.out, what
    assert valid < HOW_MANY / 5  # blanks, doubled keys: the same said otherwise
