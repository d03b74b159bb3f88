"""ZIPs that are written from front to back: Python's own reader takes them, however often their making paused and another went on."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.zipped import Growing, streamed

MADE = datetime(2026, 11, 26, 5, 6, 8, tzinfo=UTC)
FILES = st.lists(
    st.tuples(st.text("abcé/", min_size=1, max_size=8), st.lists(st.binary(max_size=60), max_size=5)), max_size=4
)


@given(FILES, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_what_was_paused_and_gone_on_with_is_read_as_it_was_put_in(
    files: list[tuple[str, list[bytes]]], every: int
) -> None:
    growing, made, parts = Growing(MADE), bytearray(), 0
    for name, data in files:
        made += growing.begin(name)
        for part in data:
            made += growing.add(part)
            parts += 1
            if parts % every == 0:
                made += growing.pause()
                growing = Growing(MADE, json.loads(json.dumps(growing.state())))  # another process
        made += growing.end()
    made += growing.close()
    with zipfile.ZipFile(io.BytesIO(bytes(made))) as archive:
        assert archive.testzip() is None
        assert [one.filename for one in archive.infolist()] == [name for name, _ in files]
        assert [archive.read(one) for one in archive.infolist()] == [b"".join(data) for _, data in files]
        assert all(one.date_time == (2026, 11, 26, 5, 6, 8) for one in archive.infolist())


def test_the_same_files_make_the_same_bytes() -> None:
    files = [("a.txt", [b"one", b"two"]), ("b/c.json", [b"{}" * 5_000])]
    assert b"".join(streamed(files, MADE)) == b"".join(streamed(files, MADE))
    assert len(b"".join(streamed(files, MADE))) < 600


def test_what_is_larger_than_four_gigabytes_is_listed_as_it_is(tmp_path: Path) -> None:
    """The directory alone, at the end of a file with a hole in it."""
    large, path = 5 << 30, tmp_path / "large.zip"
    first = {"name": "first", "at": 0, "crc": 1, "packed": large, "size": large + 7}
    state = {"at": large, "members": [first, {**first, "name": "second", "at": large - 1, "size": 3}], "open": None}
    with path.open("wb") as file:
        file.seek(large)
        file.write(Growing(MADE, state).close())
    with zipfile.ZipFile(path) as archive:
        one, two = archive.infolist()
    assert (one.file_size, one.compress_size, one.header_offset) == (large + 7, large, 0)
    assert (two.file_size, two.compress_size, two.header_offset) == (3, large, large - 1)


def test_nothing_is_put_in_where_no_file_is_open() -> None:
    with pytest.raises(ValueError, match="no file"):
        Growing(MADE).add(b"x")
