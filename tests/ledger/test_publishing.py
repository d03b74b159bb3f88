"""Checkpoints on their way out: to witnesses, a folder, a locked store, a time-stamp authority. Nothing waits for them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.db import connection
from moto.server import ThreadedMotoServer

from core.errors import Invalid
from ledger import checkpoint, merkle
from ledger.checkpoint import COSIGNER, VerifierKey
from ledger.cosignature import cosignatures
from ledger.models import Checkpoint, Cosignature, Delivery
from ledger.publishing import configured
from ledger.publishing.destinations import DeliveryError, Parcel, Receipt
from ledger.publishing.folder import Folder
from ledger.publishing.publisher import Publisher
from ledger.publishing.standing import standing
from ledger.publishing.store import Store
from ledger.publishing.tile_files import TileFiles
from ledger.signer import FileSigner
from ledger.witness import Witness
from tests.bring.callers import browser
from tests.cast import Cast
from tests.ledger.conftest import Hands, wait_until
from tests.ledger.publishing import answering, grow, log, publish, publisher, turned

__all__ = ["grow", "log", "publisher"]  # fixtures


@pytest.fixture
def witnesses(log: FileSigner, tmp_path: Path, settings: Any) -> Iterator[dict[str, Witness]]:
    """Two witnesses of two organisations, both of which make a checkpoint final."""
    found, lines = {}, []
    with ExitStack() as stack:
        for name in ("ada", "bob"):
            signer = FileSigner.load_or_create(tmp_path / f"{name}.key", "x", f"{name}.example/w")
            own = stack.enter_context(Witness(tmp_path / name, signer, [log.key]))

            def answer(_: str, body: bytes, own: Witness = own) -> tuple[int, str, bytes]:
                said = own.add_checkpoint(body)
                return said.status, said.kind, said.text.encode()

            found[name] = own
            lines.append(f"witness {name} {own.key} {stack.enter_context(answering(answer))}")
        (tmp_path / "witnesses").write_text("\n".join([*lines, "group all all ada bob", "quorum all", ""]))
        settings.LEDGER_WITNESSES = str(tmp_path / "witnesses")
        yield found


def is_final(size: int) -> bool:
    return final_size() == size


def final_size() -> int:
    found = standing().final
    return found.size if found else 0


# ---- witnesses ----
def test_a_checkpoint_becomes_final_when_both_witnesses_have_cosigned(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], grow: Callable[[int], None]
) -> None:
    assert (standing().final, standing().asked) == (None, 2)
    own = publisher()
    for size in (10, 25, 300):
        grow(size)
        Delivery.objects.update(next_at=datetime.now(UTC))
        publish(own, until=partial(is_final, size))
        found = standing().final
        assert found is not None
        assert sorted(found.witnesses) == ["ada", "bob"]
        assert abs(datetime.now(UTC) - found.at) < timedelta(minutes=1)
    lines = "".join(Cosignature.objects.filter(size=300).values_list("line", flat=True))
    note = Checkpoint.objects.get(size=300).note
    assert len(cosignatures(note + lines, [one.key for one in witnesses.values()])) == 2


def test_one_witness_that_is_away_makes_nothing_final_and_holds_nobody_up(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], settings: Any, tmp_path: Path
) -> None:
    policy = Path(settings.LEDGER_WITNESSES)
    policy.write_text(policy.read_text().replace("http://127.0.0.1:", "http://127.0.0.1:1", 1))
    publish(publisher(), until=lambda: Cosignature.objects.exists() and bool(standing().failing))
    (failing,) = standing().failing
    assert failing.name == "witness ada"
    assert failing.problem.startswith("It does not answer")
    assert standing().final is None


def test_a_witness_that_knows_more_than_we_remember_is_asked_from_there(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], grow: Callable[[int], None]
) -> None:
    publish(publisher(), until=lambda: final_size() == 10)
    Delivery.objects.update(size=0, next_at=datetime.now(UTC))
    grow(14)
    publish(publisher(), until=lambda: final_size() == 14)


def test_a_ledger_that_was_set_back_is_found_by_its_witnesses(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], log: FileSigner
) -> None:
    """They have seen more than it has: whatever the database forgot, its deliveries included."""
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(20)]
    root = checkpoint.Checkpoint(log.key.name, 20, merkle.root(leaves))
    note = checkpoint.sign(root, log.key, log.sign)
    for one in witnesses.values():
        assert one.add_checkpoint(f"old 0\n\n{note}".encode()).status == 200
    publish(publisher(), until=lambda: len(standing().failing) == 2)
    assert all("the ledger was set back" in one.problem for one in standing().failing)


def test_a_forked_ledger_is_found_by_its_witnesses(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], log: FileSigner
) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(5)]
    root = checkpoint.Checkpoint(log.key.name, 5, merkle.root(leaves))
    for one in witnesses.values():
        one.add_checkpoint(f"old 0\n\n{checkpoint.sign(root, log.key, log.sign)}".encode())
    publish(publisher(), until=lambda: len(standing().failing) == 2)
    assert all("set back, or forked" in one.problem for one in standing().failing)


def test_a_cosignature_that_somebody_put_into_the_table_makes_nothing_final(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], hands: Hands
) -> None:
    publish(publisher(), until=lambda: final_size() == 10)
    hands("UPDATE ledger_cosignature SET line = replace(line, 'A', 'B') WHERE name = 'bob.example/w'")
    assert standing().final is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((500, "text/plain", b"oops"), "status 500"),
        ((404, "text/plain", b""), "does not know this ledger"),
        ((403, "text/plain", b""), "does not know the key"),
        ((200, "text/plain", b""), "no cosignature"),
        ((200, "text/plain", b"\xff\x00"), "no cosignature"),
        ((200, "text/plain", b"A" * 100_000), "too long"),
        ((409, "text/x.tlog.size", b"many\n"), "status 409"),
        ((409, "text/x.tlog.size", b"99\n"), "set back"),
        ((302, "text/plain", b""), "status 302"),
    ],
)
def test_a_witness_that_answers_oddly_is_an_error_in_words(
    answer: tuple[int, str, bytes], says: str, log: FileSigner, publisher: Callable[..., Publisher],
    settings: Any, tmp_path: Path,
) -> None:  # fmt: skip
    key = VerifierKey("w", log.key.public, COSIGNER)
    with answering(lambda *_: answer) as address:
        (tmp_path / "witnesses").write_text(f"witness w {key} {address}\nquorum w\n")
        settings.LEDGER_WITNESSES = str(tmp_path / "witnesses")
        publish(publisher(), until=lambda: bool(standing().failing))
    assert says in standing().failing[0].problem
    assert standing().failing[0].next_at > datetime.now(UTC)


# ---- the publisher ----
class Slow:
    """A destination that does not come back."""

    every, asks_proof, name = timedelta(0), False, "slow"

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def send(self, _: Parcel) -> Receipt:
        self.let_go.wait(30)
        raise DeliveryError("It took long.")


def test_a_destination_that_hangs_holds_up_nothing(
    log: FileSigner, publisher: Callable[..., Publisher], tmp_path: Path, grow: Callable[[int], None]
) -> None:
    slow, folder = Slow(), Folder(tmp_path / "out")
    folder.every = timedelta(0)
    own = publisher(slow, folder)
    try:
        for size in (10, 12):
            grow(size)
            wait_until(partial(turned, own, (tmp_path / "out" / f"{size:020}.txt").exists))
        assert "slow" in own._busy
    finally:
        slow.let_go.set()


def test_of_two_publishers_one_works(log: FileSigner, publisher: Callable[..., Publisher], tmp_path: Path) -> None:
    stop = threading.Event()
    other = threading.Thread(target=publisher(Folder(tmp_path / "one")).run, args=[stop])
    other.start()
    wait_until((tmp_path / "one" / "checkpoint").exists)
    own = publisher(Folder(tmp_path / "two"))
    own.turn()
    assert not own._busy
    stop.set()
    other.join()
    publish(own, until=(tmp_path / "two" / "checkpoint").exists)


# ---- a folder ----
def test_checkpoints_are_written_into_a_folder(
    log: FileSigner, publisher: Callable[..., Publisher], settings: Any, tmp_path: Path, grow: Callable[[int], None]
) -> None:
    settings.LEDGER_FOLDER = str(tmp_path / "out")
    own = publisher()
    for size in (10, 12):
        grow(size)
        Delivery.objects.update(next_at=datetime.now(UTC))
        publish(own, until=Delivery.objects.filter(size=size).exists)
        for name in ("checkpoint", f"{size:020}.txt"):
            assert checkpoint.open_note((tmp_path / "out" / name).read_text(), log.key).size == size
    assert standing().failing == []


@pytest.mark.parametrize(("held", "says"), [(None, "is none"), (99, "set back")])
def test_a_folder_that_knows_more_is_left_alone(
    held: int | None, says: str, log: FileSigner, publisher: Callable[..., Publisher], tmp_path: Path
) -> None:
    made = checkpoint.Checkpoint(log.key.name, held or 0, bytes(32))
    text = checkpoint.sign(made, log.key, log.sign) if held else "noise"
    (tmp_path / "checkpoint").write_text(text)
    publish(publisher(Folder(tmp_path)), until=lambda: Delivery.objects.exclude(problem="").exists())
    assert says in Delivery.objects.get().problem
    assert (tmp_path / "checkpoint").read_text() == text


def test_what_goes_elsewhere_has_been_cosigned(
    witnesses: dict[str, Witness],
    publisher: Callable[..., Publisher],
    settings: Any,
    tmp_path: Path,
    grow: Callable[[int], None],
) -> None:
    """The folder and the tiles get the newest checkpoint that is final, which takes both witnesses, with what came back."""
    folder = Folder(tmp_path / "out")
    folder.every = timedelta(0)
    own = Publisher([*configured.destinations(), folder], TileFiles(tmp_path / "ledger"))
    publish(own, until=partial(is_final, 10))
    grow(11)
    Delivery.objects.update(next_at=datetime.now(UTC))
    publish(own, until=(tmp_path / "out" / f"{11:020}.txt").exists)
    own.turn()
    for path in (tmp_path / "out" / f"{11:020}.txt", tmp_path / "ledger" / "checkpoint"):
        assert len(cosignatures(path.read_text(), [one.key for one in witnesses.values()])) == 2
    own._pool.shutdown()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock_all()")


# ---- a store with object lock ----
@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """An S3 server, its address, and a client of it; `evidence` is a bucket with object lock."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3 = boto3.client("s3", endpoint_url=f"http://{host}:{port}")
    s3.create_bucket(Bucket="evidence", ObjectLockEnabledForBucket=True)
    yield f"http://{host}:{port}", s3
    server.stop()


def test_checkpoints_are_locked_in_a_store(
    log: FileSigner, publisher: Callable[..., Publisher], settings: Any, bucket: tuple[str, Any]
) -> None:
    address, s3 = bucket
    settings.LEDGER_STORE, settings.LEDGER_STORE_ENDPOINT = "s3://evidence/gate/", address
    publish(publisher(), until=lambda: Delivery.objects.filter(name="store", size=10).exists())
    key = f"gate/{10:020}.txt"
    got = s3.get_object(Bucket="evidence", Key=key)
    assert checkpoint.open_note(got["Body"].read().decode(), log.key).size == 10
    assert got["ObjectLockMode"] == "COMPLIANCE"
    assert got["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=3_600)
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="evidence", Key=key, VersionId=got["VersionId"])


def test_a_store_that_refuses_or_is_away_is_an_error_in_words(
    log: FileSigner, publisher: Callable[..., Publisher], bucket: tuple[str, Any]
) -> None:
    address, s3 = bucket
    s3.create_bucket(Bucket="unlocked")
    parcel = Parcel(1, "note", "note")
    for name in ("unlocked", "missing"):
        with pytest.raises(DeliveryError, match="It refuses"):
            Store.parse(f"s3://{name}", address, 1).send(parcel)
    with pytest.raises(DeliveryError, match="cannot be used"):
        Store.parse("s3://evidence", "http://127.0.0.1:1", 1).send(parcel)


# ---- the page ----
def test_the_ledgers_page_says_how_far_each_has_come(
    witnesses: dict[str, Witness], publisher: Callable[..., Publisher], fresh_cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.LEDGER_FOLDER = str(tmp_path / "file")
    (tmp_path / "file").write_text("in the way")
    publish(publisher(), until=lambda: bool(standing().failing) and standing().final is not None)
    page = browser(fresh_cast.auditor).get("/record/ledger/").content.decode()
    assert "cosigned by ada and bob" in page
    assert "Witness ada" in page
    assert "It cannot be written to" in unescape(page)
    settings.LEDGER_WITNESSES = "/nowhere"
    page = browser(fresh_cast.auditor).get("/record/ledger/").content.decode()
    assert "No checkpoint goes out: The file of witnesses /nowhere cannot be read" in page


# ---- settings ----
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"LEDGER_WITNESSES": "/nowhere/at/all"}, "cannot be read"),
        ({"LEDGER_STORE": "evidence"}, "no store"),
        ({"LEDGER_STORE": "s3://evidence", "LEDGER_STORE_DAYS": 0}, "at least a day"),
        ({"LEDGER_TSA": "http://x"}, "needs the certificates"),
        ({"LEDGER_TSA": "http://x", "LEDGER_TSA_ROOTS": "/nowhere"}, "cannot be used"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(given: dict[str, object], says: str, settings: Any) -> None:
    for name, value in given.items():
        setattr(settings, name, value)
    with pytest.raises(Invalid, match=says):
        configured.destinations()
    assert says in standing().problem


def test_without_settings_nothing_goes_out() -> None:
    assert configured.destinations() == []
    assert (standing().final, standing().asked, standing().deliveries) == (None, 0, [])
