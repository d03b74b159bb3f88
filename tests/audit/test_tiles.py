"""The log at /ledger/ as files: complete for each published checkpoint, public but for the entries, and no database asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import actions as people
from accounts.models import User
from console.database import Logins
from core.errors import NarrowgateError
from ledger import checkpoint, merkle, tiles, write
from ledger.events import Event
from ledger.models import Checkpoint, Entry, Outbox
from ledger.publishing.publisher import Publisher
from ledger.publishing.tile_files import TileFiles, tile_folder
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.bring.callers import browser
from tests.cast import Cast
from tests.ledger.conftest import SHOP, Hands, hands, running, sequenced, signer, wait_until, write_entries  # noqa: F401 -- fixtures


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.STATE_DIR = tmp_path
    return tile_folder()


@pytest.fixture
def log(fresh_database: Logins, signer: FileSigner, folder: Path) -> Iterator[TileFiles]:  # noqa: F811 -- the fixture
    """A log of 3 entries in the files (more where the cast came to be), that grows when more are written."""
    files = TileFiles(folder)
    with running(Sequencer(fresh_database.sequencer, signer)):
        grow(files, max(3, Outbox.objects.count()))
        yield files


def grow(files: TileFiles, size: int) -> None:
    """Bring log and files to this size."""
    now = Outbox.objects.count()
    with transaction.atomic():
        for _ in range(size - now):
            write.record(Event.SESSION_OPENED, actor=people_system(), subject=SHOP)
    sequenced(size)
    note = Checkpoint.objects.get(size=size).note
    for _ in range(1_000):
        if files.catch_up(size, note):
            return
    raise AssertionError("it does not catch up")


def people_system() -> Any:
    from accounts.actors import SYSTEM

    return SYSTEM


def get(path: str) -> Any:
    return Client().get(f"/ledger/{path}")


def read_whole(folder: Path) -> tuple[int, bytes]:
    """The size and root that the files give, by nothing but their own names: as a monitor reads them."""
    size = checkpoint.parse_body(checkpoint.split_note(get("checkpoint").content.decode())[0]).size
    leaves: list[bytes] = []
    for level, width in enumerate(tiles.widths(size)):
        found: list[bytes] = []
        for number in range(-(-width // 256)):
            part = min(256, width - number * 256)
            answer = get(tiles.tile_path(level, number, part))
            assert answer.status_code == 200, (level, number, part)
            assert len(answer.content) == part * 32
            found += tiles.cut(answer.content)
            if level == 0:
                bundle = (folder / tiles.tile_path("entries", number, part)).read_bytes()
                leaves += [merkle.leaf_hash(leaf) for leaf in unpacked(bundle)]
        if level == 0:
            assert found == leaves
        else:
            below = [tiles.tile_root(leaves[begin : begin + 256]) for begin in range(0, width * 256, 256)]
            assert found == below
    return size, merkle.root(leaves)


def unpacked(bundle: bytes) -> Iterator[bytes]:
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        yield bundle[2 : 2 + length]
        bundle = bundle[2 + length :]


@pytest.mark.parametrize("sizes", [(3, 4, 255, 256, 257), (300, 513), (600,)])
def test_the_files_of_each_checkpoint_give_its_root(log: TileFiles, folder: Path, sizes: tuple[int, ...]) -> None:
    for size in sizes:
        grow(log, size)
        assert read_whole(folder) == (size, bytes(Checkpoint.objects.get(size=size).root))


def test_partial_tiles_go_when_the_full_one_is_there(log: TileFiles, folder: Path) -> None:
    assert sorted(path.name for path in folder.glob("tile/*/*.p/*")) == ["3", "3"]
    grow(log, 257)
    assert sorted(str(path.relative_to(folder)) for path in folder.glob("tile/**/*") if path.is_file()) == [
        "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1",
    ]  # fmt: skip


def test_a_writer_that_died_goes_on(log: TileFiles, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.publishing.tile_files.AT_ONCE", 1)
    write_entries(597)
    sequenced(600)
    note = Checkpoint.objects.get(size=600).note
    assert not log.catch_up(600, note)
    assert b"\n3\n" in get("checkpoint").content
    grow(TileFiles(folder), 600)
    assert read_whole(folder) == (600, bytes(Checkpoint.objects.get(size=600).root))


def test_a_ledger_that_was_set_back_does_not_write_over_what_was_published(log: TileFiles, folder: Path) -> None:
    grow(log, 5)
    for files in (log, TileFiles(folder)):
        with pytest.raises(NarrowgateError, match="set back"):
            files.catch_up(3, Checkpoint.objects.get(size=3).note)
    (folder / "checkpoint").write_text("noise")
    with pytest.raises(NarrowgateError, match="no checkpoint"):
        TileFiles(folder).catch_up(5, "")


def test_a_hole_in_the_ledger_is_not_published(log: TileFiles, folder: Path, hands: Hands) -> None:  # noqa: F811
    write_entries(2)
    sequenced(5)
    hands("DELETE FROM ledger_entry WHERE index = 4")
    with pytest.raises(NarrowgateError, match="incomplete"):
        log.catch_up(5, Checkpoint.objects.get(size=5).note)
    assert b"\n3\n" in get("checkpoint").content


def test_the_publisher_writes_them(log: TileFiles, folder: Path) -> None:
    write_entries(1)
    sequenced(4)
    assert Publisher([], TileFiles(folder)).turn()
    assert b"\n4\n" in get("checkpoint").content


def test_nobody_needs_to_sign_in_and_no_database_is_asked(log: TileFiles) -> None:
    with CaptureQueriesContext(connection) as asked:
        first, tile, missing = get("checkpoint"), get("tile/0/000.p/3"), get("tile/0/000.p/4")
    assert len(asked) == 0
    assert (first["Content-Type"], first["Cache-Control"]) == ("text/plain; charset=utf-8", "public, max-age=1")
    assert tile["Content-Type"] == "application/octet-stream"
    assert tile["Cache-Control"] == "public, max-age=31536000, immutable"
    assert missing.status_code == 404
    assert not first.cookies


@pytest.mark.parametrize(
    "place",
    [
        "tile/0/../../../keys/ledger.key", "tile/0/%2e%2e/checkpoint", "tile/00/000.p/3/", "tile/64/000", "tile/0/0",
        "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/x000/000.p/3/..", "tile/-1/000", "tile/0//etc/passwd", "tile/0/x000",
        "tile/0/000.p", "tile/entries/../0/000", "tile/0/\u0660\u0660\u0660", "lock", "",
    ],
)  # fmt: skip
def test_nothing_else_is_reached(place: str, log: TileFiles, folder: Path, fresh_cast: Cast) -> None:
    (folder.parent / "keys").mkdir()
    (folder.parent / "keys" / "ledger.key").write_text("secret")
    for client in (Client(), browser(fresh_cast.auditor)):
        assert client.get(f"/ledger/{place}").status_code in {302, 404}


def test_entries_are_for_readers_of_the_ledger_and_reading_them_is_an_entry(log: TileFiles, fresh_cast: Cast) -> None:
    grow(log, Outbox.objects.count())
    size = checkpoint.parse_body(checkpoint.split_note(get("checkpoint").content.decode())[0]).size
    place = tiles.tile_path("entries", 0, size)
    assert get(place).status_code == 302
    assert browser(fresh_cast.reviewer).get(f"/ledger/{place}").status_code == 404
    answer = browser(fresh_cast.auditor).get(f"/ledger/{place}")
    assert answer.status_code == 200
    assert answer["Cache-Control"].startswith("private")
    assert len(list(unpacked(answer.content))) == size
    read = Entry.objects.filter(event=Event.RECORD_READ)
    wait_until(read.exists)
    assert read.get().subject_name == "entry bundle"


def by_token(person: User, scope: str, place: str) -> int:
    from datetime import timedelta

    _, secret = people.create_api_token(person, name="m", scopes=[scope], lifetime=timedelta(days=1), actor=person)
    client = Client(headers={"Authorization": f"Token {secret}"})
    return int(client.get(f"/ledger/{place}").status_code)


def test_a_token_needs_the_scope_to_take_entries_away(log: TileFiles, fresh_cast: Cast) -> None:
    place = next(str(path.relative_to(tile_folder())) for path in tile_folder().glob("tile/entries/*.p/*"))
    assert by_token(fresh_cast.auditor, "ledger:export", place) == 200
    assert by_token(fresh_cast.auditor, "read", place) == 404
    assert by_token(fresh_cast.reviewer, "ledger:export", place) == 404
    answer = Client(headers={"Authorization": "Token ngp_none"}).get(f"/ledger/{place}")
    assert answer.status_code == 401
