"""Published vectors that our code must agree with: RFC 6962 proofs, a C2SP tlog-tiles log, RFC 8785 canonical JSON."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from ledger import checkpoint, merkle, tiles, verify_primitives
from tests.ledger.conftest import SHARED

KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
WORDS = "one two three four five six seven eit nain ten ileven twelf threeten fourten fivten".split()  # noqa: SIM905
LEAVES = [word.encode() for word in WORDS]
LOG = SHARED / "tlog-tiles" / "log"


def cases(folder: str) -> list[Any]:
    """The JSON files of a folder as parameters; where there are none, one that skips, or fails in CI."""
    found = sorted((SHARED / "rfc6962" / folder).rglob("*.json"))
    return [pytest.param(path, id=str(path.relative_to(SHARED / "rfc6962"))) for path in found]


@pytest.fixture(autouse=True, scope="module")
def vectors() -> None:
    if SHARED.is_dir():
        return
    if os.environ.get("CI"):
        pytest.fail(f"the reference vectors are missing: {SHARED}")
    pytest.skip(f"the reference vectors are not here: {SHARED}")


def test_all_196_are_there() -> None:
    assert len(cases("inclusion")) + len(cases("consistency")) == 196


def decoded(case: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(case[name] or "")


def proof_of(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(part) for part in case["proof"] or []]


@pytest.mark.parametrize("path", cases("inclusion"))
def test_inclusion(path: Path) -> None:
    case = json.loads(path.read_text())
    says = (case["leafIdx"], case["treeSize"], decoded(case, "leafHash"), proof_of(case), decoded(case, "root"))
    if case["wantErr"]:
        with pytest.raises(merkle.ProofError):
            merkle.verify_inclusion(*says)
    else:
        merkle.verify_inclusion(*says)


@pytest.mark.parametrize("path", cases("consistency"))
def test_consistency(path: Path) -> None:
    case = json.loads(path.read_text())
    roots = (decoded(case, "root1"), decoded(case, "root2"))
    says = (case["size1"], case["size2"], *roots, proof_of(case))
    if case["wantErr"]:
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(*says)
    else:
        merkle.verify_consistency(*says)


@pytest.mark.parametrize("size", range(1, 16))
def test_the_tiles_of_the_log_are_reproduced(size: int) -> None:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert (LOG / tiles.tile_path(0, 0, size)).read_bytes() == tiles.join(hashes)
    assert (LOG / tiles.tile_path("entries", 0, size)).read_bytes() == tiles.entry_bundle(LEAVES[:size])
    assert tiles.cut(tiles.join(hashes)) == hashes


@pytest.mark.parametrize("name", ["checkpoint", *(f"checkpoint.{size}" for size in range(16))])
def test_the_checkpoints_of_the_log_are_reproduced(name: str) -> None:
    note = (LOG / name).read_text()
    opened = checkpoint.open_note(note, checkpoint.VerifierKey.parse(KEY))
    assert name in {"checkpoint", f"checkpoint.{opened.size}"}
    assert opened.root == merkle.root(merkle.leaf_hash(leaf) for leaf in LEAVES[: opened.size])
    ((_, key_id, signature),) = checkpoint.split_note(note)[1]
    assert checkpoint.sign(opened, checkpoint.VerifierKey.parse(KEY), lambda _: signature) == note
    assert key_id == checkpoint.VerifierKey.parse(KEY).key_id


def test_the_offline_verifier_opens_them_too() -> None:
    keys = dict([verify_primitives.read_key(KEY)])
    for size in range(16):
        opened = verify_primitives.open_note((LOG / f"checkpoint.{size}").read_text(), keys)
        tree = verify_primitives.Tree()
        for leaf in LEAVES[:size]:
            tree.push(0, merkle.leaf_hash(leaf))
        assert (opened.size, opened.root) == (size, tree.root())


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_canonical_json(name: str) -> None:
    value = json.loads((SHARED / "jcs" / "input" / f"{name}.json").read_text())
    wanted = (SHARED / "jcs" / "output" / f"{name}.json").read_bytes()
    assert rfc8785.dumps(value) == wanted
    from ledger.entries import canonical

    assert canonical(value) == wanted
