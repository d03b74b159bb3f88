"""The witness: it cosigns what continues, answers everything else as C2SP tlog-witness says, and forgets nothing."""

from __future__ import annotations

import base64
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from core.errors import NarrowgateError
from ledger import checkpoint, cosignature, merkle
from ledger.checkpoint import COSIGNER, Checkpoint, NoteError, VerifierKey
from ledger.cosignature import cosignatures
from ledger.signer import FileSigner
from ledger.witness import LARGEST_REQUEST, Witness

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(20)]


class Log:
    """A log of up to 20 entries, and the requests that it makes."""

    def __init__(self, signer: FileSigner, leaves: list[bytes] = LEAVES) -> None:
        self.signer, self.leaves = signer, leaves

    def note(self, size: int, root: bytes | None = None) -> str:
        made = Checkpoint(self.signer.key.name, size, root or merkle.root(self.leaves[:size]))
        return checkpoint.sign(made, self.signer.key, self.signer.sign)

    def request(self, old: int, size: int, *, note: str | None = None, proof: list[bytes] | None = None) -> bytes:
        if proof is None:
            spans = merkle.consistency_spans(old, size) if 0 < old <= size else []
            proof = [merkle.span_hash_of(self.leaves)(span) for span in spans]
        lines = "".join(f"{base64.b64encode(part).decode()}\n" for part in proof)
        return f"old {old}\n{lines}\n{note or self.note(size)}".encode()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    return FileSigner.load_or_create(tmp_path_factory.mktemp("w") / "key", "x", "w.example/1")


@pytest.fixture
def log(signer: FileSigner) -> Log:
    return Log(signer)


@pytest.fixture
def witness(tmp_path: Path, own: FileSigner, log: Log) -> Iterator[Witness]:
    with Witness(tmp_path / "w", own, [log.signer.key], clock=lambda: 1_700_000_000.5) as working:
        yield working


def test_it_cosigns_what_continues(witness: Witness, log: Log) -> None:
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 20)):
        answer = witness.add_checkpoint(log.request(old, size))
        assert answer.status == 200
        (found,) = cosignatures(log.note(size) + answer.text, [witness.key])
        assert (found.timestamp, found.line) == (1_700_000_000, answer.text)


def test_its_record_is_the_checkpoint_with_both_signatures(witness: Witness, log: Log) -> None:
    name = sha256(log.signer.key.name.encode()).hexdigest()
    assert witness.checkpoint(name).status == 404
    witness.add_checkpoint(log.request(0, 5))
    answer = witness.checkpoint(name)
    assert answer.status == 200
    assert checkpoint.open_note(answer.text, log.signer.key).size == 5
    assert cosignatures(answer.text, [witness.key])
    assert witness.checkpoint("../" + name).status == witness.checkpoint("").status == 404


def test_an_old_size_that_is_another_is_told_the_right_one(witness: Witness, log: Log) -> None:
    witness.add_checkpoint(log.request(0, 5))
    for old in (0, 4):
        answer = witness.add_checkpoint(log.request(old, 8))
        assert (answer.status, answer.text, answer.kind) == (409, "5\n", "text/x.tlog.size")
    assert witness.add_checkpoint(log.request(5, 8)).status == 200


def forked(log: Log) -> Log:
    return Log(log.signer, [merkle.leaf_hash(b"other"), *LEAVES[1:]])


def test_a_fork_is_not_cosigned_and_its_proof_is_kept(witness: Witness, log: Log, tmp_path: Path) -> None:
    witness.add_checkpoint(log.request(0, 5))
    for size in (5, 8):
        answer = witness.add_checkpoint(forked(log).request(5, size))
        assert (answer.status, len(answer.text.splitlines())) == (422, 1)
    kept = sorted((tmp_path / "w").glob("*/inconsistent/*"))
    assert [checkpoint.open_note(path.read_text(), log.signer.key).size for path in kept] == [5, 8]
    assert witness.add_checkpoint(log.request(5, 8)).status == 200


def test_proofs_that_prove_nothing(witness: Witness, log: Log) -> None:
    assert witness.add_checkpoint(log.request(0, 5, proof=[bytes(32)])).status == 422
    assert witness.add_checkpoint(log.request(0, 0, note=log.note(0, bytes(range(32))))).status == 422
    assert witness.add_checkpoint(log.request(0, 0)).status == 200
    assert witness.add_checkpoint(log.request(0, 5)).status == 200
    assert witness.add_checkpoint(log.request(5, 8, proof=[])).status == 422
    assert witness.add_checkpoint(log.request(5, 5, proof=[bytes(32)])).status == 422


def test_who_signed(witness: Witness, log: Log, tmp_path: Path) -> None:
    stranger = Log(FileSigner.load_or_create(tmp_path / "s.key", "x", log.signer.key.name))
    other = Log(FileSigner.load_or_create(tmp_path / "o.key", "x", "other.example/log"))
    assert witness.add_checkpoint(other.request(0, 5)).status == 404
    assert witness.add_checkpoint(stranger.request(0, 5)).status == 403
    spoilt = log.note(5).replace("\n5\n", "\n6\n")
    assert witness.add_checkpoint(log.request(0, 6, note=spoilt)).status == 403
    both = log.note(5) + stranger.note(5).rpartition("\n\n")[2] + "— nobody/x AAAAAAAAAAA=\n"
    assert witness.add_checkpoint(log.request(0, 5, note=both)).status == 200


def test_after_a_change_of_key_both_are_known(tmp_path: Path, own: FileSigner, log: Log) -> None:
    new = Log(FileSigner.load_or_create(tmp_path / "n.key", "x", log.signer.key.name))
    with Witness(tmp_path / "w", own, [log.signer.key, new.signer.key]) as with_both:
        assert with_both.add_checkpoint(log.request(0, 5)).status == 200
        assert with_both.add_checkpoint(new.request(5, 8)).status == 200


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no old line": lambda good: good.partition(b"\n")[2],
    "leading zero": lambda good: good.replace(b"old 0", b"old 00"),
    "negative": lambda good: good.replace(b"old 0", b"old -1"),
    "endless number": lambda good: good.replace(b"old 0", b"old " + b"9" * 5000),
    "not base64": lambda good: good.replace(b"old 0\n", b"old 0\n*\n"),
    "a short hash": lambda good: good.replace(b"old 0\n", b"old 0\nAAAA\n"),
    "64 hashes": lambda good: good.replace(b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64),
    "carriage returns": lambda good: good.replace(b"\n", b"\r\n"),
    "a NUL": lambda good: good.replace(b"old 0\n", b"old 0\x00\n"),
    "not UTF-8": lambda good: good + b"\xff",
    "no signature": lambda good: good.rpartition(b"\n\n")[0] + b"\n",
    "cut": lambda good: good[:-1],
    "oversized": lambda good: good + b"A" * LARGEST_REQUEST,
    "a checkpoint of text": lambda good: good.replace(b"\n5\n", b"\nfive\n"),
    "old above new": lambda good: good.replace(b"old 0", b"old 6"),
    "json": lambda _: b'{"old": 0}' * 100,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_a_bad_request(name: str, witness: Witness, log: Log) -> None:
    answer = witness.add_checkpoint(MALFORMED[name](log.request(0, 5)))
    assert answer.status == 400
    assert len(answer.text.splitlines()) == 1
    assert witness.add_checkpoint(log.request(0, 5)).status == 200


def test_noise_never_breaks_it_and_is_never_cosigned(witness: Witness, log: Log) -> None:
    """3,000 seeded mutations of a good request: each is answered, and only what still says the same is cosigned."""
    chance, good = random.Random(7), log.request(5, 8)
    witness.add_checkpoint(log.request(0, 5))
    for _ in range(3_000):
        at = chance.randrange(len(good))
        end = at + chance.choice((0, 1, 1, 40))
        noisy = good[:at] + bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 1, 9)))) + good[end:]
        answer = witness.add_checkpoint(noisy)
        assert answer.status in {200, 400, 403, 404, 409, 422}
        assert len(answer.text.splitlines()) == 1
        if answer.status == 200:
            assert noisy == good
            assert cosignatures(log.note(8) + answer.text, [witness.key])


def test_it_remembers(tmp_path: Path, own: FileSigner, log: Log) -> None:
    with Witness(tmp_path / "w", own, [log.signer.key]) as first:
        first.add_checkpoint(log.request(0, 5))
        with pytest.raises(NarrowgateError, match="Another witness"):
            Witness(tmp_path / "w", own, [log.signer.key])
    with Witness(tmp_path / "w", own, [log.signer.key]) as again:
        assert again.add_checkpoint(log.request(0, 5)).status == 409
        assert again.add_checkpoint(log.request(5, 8)).status == 200


@pytest.mark.parametrize("damage", [b"", b"noise", b"\xff"])
def test_a_damaged_record_is_not_taken_for_an_empty_one(
    damage: bytes, tmp_path: Path, own: FileSigner, log: Log
) -> None:
    with Witness(tmp_path / "w", own, [log.signer.key]) as first:
        first.add_checkpoint(log.request(0, 5))
    (path,) = (tmp_path / "w").glob("*/checkpoint")
    path.write_bytes(damage)
    with pytest.raises(NarrowgateError, match="must not sign"):
        Witness(tmp_path / "w", own, [log.signer.key])


def test_a_cosignature_says_when_and_over_what(own: FileSigner, log: Log) -> None:
    key = VerifierKey(own.key.name, own.key.public, COSIGNER)
    assert VerifierKey.parse(str(key), COSIGNER) == key
    body = checkpoint.split_note(log.note(5))[0]
    line = cosignature.cosign(body, key, own.sign, 1_679_315_147)
    with pytest.raises(NoteError, match="does not hold"):
        cosignatures(log.note(6) + line, [key])
    later = base64.b64encode(key.key_id + (5).to_bytes(8, "big") + bytes(64)).decode()
    with pytest.raises(NoteError, match="does not hold"):
        cosignatures(f"{log.note(5)}— {key.name} {later}\n", [key])
    with pytest.raises(NoteError, match="when it was made"):
        cosignatures(log.note(5) + cosignature.cosign(body, key, own.sign, 0), [key])
    assert cosignatures(log.note(5) + line, []) == []


# ---- as a process ----
def port_free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.fixture
def address(tmp_path: Path, log: Log) -> Iterator[str]:
    port = port_free()
    command = [
        str(Path(sys.executable).with_name("narrowgate")),
        "witness",
        "w.example/1",
        "--folder",
        str(tmp_path / "w"),
    ]
    options = ["--log", str(log.signer.key), "--listen", f"127.0.0.1:{port}"]
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen([*command, *options], env={"WITNESS_PASSPHRASE": "x"}, stdout=said, stderr=said)
    deadline = time.monotonic() + 30
    while "Its key" not in (tmp_path / "said").read_text():
        assert process.poll() is None, (tmp_path / "said").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGKILL)
    process.wait(10)


@pytest.mark.process
def test_it_is_a_process_that_can_be_killed_at_any_time(address: str, tmp_path: Path, log: Log) -> None:
    key = VerifierKey.parse((tmp_path / "said").read_text().split("Its key:\n")[1].split()[0], COSIGNER)
    with httpx.Client(base_url=address) as client:
        first = client.post("/add-checkpoint", content=log.request(0, 5))
        assert first.status_code == 200
        assert cosignatures(log.note(5) + first.text, [key])
        assert client.post("/add-checkpoint", content=log.request(0, 5)).headers["content-type"] == "text/x.tlog.size"
        assert client.post("/add-checkpoint", content=b"A" * 1_000_000).status_code == 400
        assert client.get("/add-checkpoint").status_code == 405
        assert client.get("/").status_code == 404
        name = sha256(log.signer.key.name.encode()).hexdigest()
        assert checkpoint.open_note(client.get(f"/{name}/checkpoint").text, log.signer.key).size == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--log", "noise"], "cannot be used"),
        (["--listen", "nowhere", "--log", "good"], "HOST:PORT"),
        (["--log", "good", "--listen", "256.1.1.1:1"], "cannot be listened on"),
    ],
)
def test_a_start_that_cannot_be_is_one_sentence(
    arguments: list[str], says: str, tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli.witness import witness as command

    monkeypatch.setenv("WITNESS_PASSPHRASE", "x")
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    keys = [str(log.signer.key) if given["--log"] == "good" else given["--log"]]
    with pytest.raises(NarrowgateError, match=says):
        command("w.example/1", keys, tmp_path / "w", given.get("--listen", "127.0.0.1:0"))
