"""One reading of an API's answer: where it ends, and what of it is none. Each is fed whole and byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.answers import LONGEST_HEAD, Reader
from gateway.http.lost import Lost

OK = "HTTP/1.1 200 OK\n"
CHUNKED = f"{OK}Transfer-Encoding: chunked\n\n"


def sent(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode("latin-1")


def fed(data: bytes, by: int, *, to_head: bool = False) -> Reader:
    reader = Reader(to_head=to_head)
    for at in range(0, len(data), by):
        reader.feed(data[at : at + by])
    return reader


BY = pytest.mark.parametrize("by", [1, 7, 1_000_000])


@BY
@pytest.mark.parametrize(
    ("text", "status", "body", "keeps"),
    [
        (f"{OK}Content-Length: 2\n\nab", 200, b"ab", True),
        (f"{OK}Content-Length: 0\n\n", 200, b"", True),
        ("HTTP/1.1 201 \nContent-Length: 1\n\na", 201, b"a", True),
        (f"{CHUNKED}3\nabc\n1;ext=1\nd\n0\n\n", 200, b"abcd", True),
        (f"{CHUNKED}1\na\n0\nX-After: 1\n\n", 200, b"a", True),
        (f"{OK}Content-Length: 2\nConnection: close\n\nab", 200, b"ab", False),
        ("HTTP/1.0 200 OK\nContent-Length: 2\n\nab", 200, b"ab", False),
        ("HTTP/1.1 204 No Content\n\n", 204, b"", True),
        ("HTTP/1.1 304 Not Modified\nContent-Length: 9\n\n", 304, b"", True),
        ("HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nab", 200, b"ab", True),
        (f"HTTP/1.1 103 Early Hints\nTransfer-Encoding: chunked\n\n{OK}Content-Length: 2\n\nab", 200, b"ab", True),
        (f"{OK}Upgrade: h2c\nConnection: Upgrade\nContent-Length: 2\n\nab", 200, b"ab", True),
    ],
)  # fmt: skip
def test_an_answer_is_over_where_it_says(text: str, status: int, body: bytes, keeps: bool, by: int) -> None:
    reader = fed(sent(text), by)
    assert (reader.status, reader.is_over, b"".join(reader.take()), reader.keeps) == (status, True, body, keeps)
    assert b"x-after" not in dict(reader.headers)
    reader.end()


@BY
@pytest.mark.parametrize("after", ["GARBAGE", f"{OK}Content-Length: 5\n\nother", "0\n\n", "HTTP/1.1 101 Switching\n\n"])
@pytest.mark.parametrize("answer", [f"{OK}Content-Length: 2\n\nab", f"{CHUNKED}2\nab\n0\n\n", "HTTP/1.1 204 No\n\n"])
def test_what_comes_after_an_answer_is_nobodys_and_ends_the_connection(answer: str, after: str, by: int) -> None:
    reader = fed(sent(answer + after), by)
    assert (reader.is_over, reader.keeps) == (True, False)
    assert b"".join(reader.take()) in (b"ab", b"")
    assert len(reader.headers) <= 1


@BY
@pytest.mark.parametrize("says", ["Content-Length: 5\n", "Transfer-Encoding: chunked\n", ""])
def test_what_a_head_is_answered_with_has_no_body(says: str, by: int) -> None:
    reader = fed(sent(f"{OK}{says}\n"), by, to_head=True)
    assert (reader.is_over, reader.keeps) == (True, bool(says))
    reader = fed(sent(f"{OK}{says}\n5\nhello\n0\n\n"), by, to_head=True)
    assert (reader.is_over, reader.keeps, reader.take()) == (True, False, [])


@BY
@pytest.mark.parametrize(
    "text",
    [
        f"{OK}Content-Length: 5\nTransfer-Encoding: chunked\n\n0\n\n",
        f"{OK}Transfer-Encoding: chunked\nContent-Length: 5\n\n0\n\n",
        f"{OK}Content-Length: 5\nContent-Length: 5\n\nabcde",
        f"{OK}Content-Length: 5\nContent-Length: 6\n\nabcdef",
        f"{OK}Content-Length: 5, 5\n\nabcde",
        f"{OK}Content-Length: +5\n\nabcde",
        f"{OK}Content-Length: 0x5\n\nabcde",
        f"{OK}Content-Length: 99999999999999999999999\n\na",
        f"{OK}Transfer-Encoding: gzip\n\nabc",
        f"{OK}Transfer-Encoding: gzip, chunked\n\n0\n\n",
        f"{OK}Transfer-Encoding: chunked, chunked\n\n0\n\n",
        f"{OK}Transfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n0\n\n",
        f"{OK}Transfer-Encoding: xchunked\n\n0\n\n",
        f"{OK}Transfer-Encoding: identity\n\nabc",
        f"{OK}Transfer-Encoding:\n chunked\n\n0\n\n",
        "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n0\n\n",
        f"{OK}X: a\n b\nContent-Length: 0\n\n",
        f"{OK}X : a\nContent-Length: 0\n\n",
        f"{OK}X: a\x00b\nContent-Length: 0\n\n",
        "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: h2c\n\nabc",
        "HTTP/1.1 101 Switching Protocols\n\n",
        "HTTP/1.1 099 No\nContent-Length: 0\n\n",
        "HTTP/1.1 600 No\nContent-Length: 0\n\n",
        "HTTP/1.1 2000 No\nContent-Length: 0\n\n",
        "HTTP/2.0 200 OK\nContent-Length: 0\n\n",
        "hello",
        f"{CHUNKED}-1\na\n0\n\n",
        f"{CHUNKED}0x1\na\n0\n\n",
        f"{CHUNKED}1\nab\n0\n\n",
        f"{CHUNKED}fffffffffffffffff1\na",
        f"{CHUNKED}1\na\n0\nContent-Length: 9\n\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_no_answer(text: str, by: int) -> None:
    with pytest.raises(Lost):
        fed(sent(text), by)


@BY
@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rY: b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    ],
)
def test_a_line_ends_as_rfc_9112_says(data: bytes, by: int) -> None:
    with pytest.raises(Lost):
        fed(data, by)


@pytest.mark.parametrize("text", ["", OK, f"{OK}Content-Length: 3\n\nab", f"{CHUNKED}2\nab", f"{CHUNKED}2\nab\n0\n"])
def test_an_answer_that_ends_too_early_is_lost(text: str) -> None:
    with pytest.raises(Lost, match="too early"):
        fed(sent(text), 1).end()


def test_an_answer_without_a_length_is_over_when_the_connection_is() -> None:
    reader = fed(sent(f"{OK}\nab"), 1)
    assert not reader.is_over
    reader.end()
    assert (reader.is_over, b"".join(reader.take()), reader.keeps) == (True, b"ab", False)


@pytest.mark.parametrize("begins", [OK, f"{CHUNKED}1;", f"{CHUNKED}0\n", "HTTP/1.1 103 Early\nLink: a\n\n" * 3_000])
def test_what_is_no_body_has_an_end(begins: str) -> None:
    with pytest.raises(Lost, match="no body"):
        fed(sent(begins) + b"X" * 2 * LONGEST_HEAD, 4_096)


# ---- whatever comes ----
SEEDS = [
    sent(f"{OK}Content-Length: 5\n\nhello"),
    sent(f"{CHUNKED}3;a=b\nabc\n2\nde\n0\nX-T: 1\n\n"),
    sent(f"HTTP/1.1 103 Early\nLink: a\n\n{OK}Connection: close\n\nab"),
    sent("HTTP/1.1 204 No\nConnection: Upgrade\nUpgrade: x\n\n"),
]
TOKENS = [b"\r\n", b"\n", b"\r", b" ", b"\0", b":", b"0", b"5", b"chunked", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1 200 OK\r\n"]  # fmt: skip


def read(data: bytes, by: int, *, to_head: bool) -> tuple[object, ...]:
    """What an answer comes to, however it is cut."""
    reader, lost = Reader(to_head=to_head), False
    try:
        for at in range(0, len(data), by):
            reader.feed(data[at : at + by])
    except Lost:
        lost = True
    headers = reader.headers if reader.has_head else []
    return lost, reader.status, headers, b"".join(reader.take()), reader.is_over


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 3), st.sampled_from(TOKENS)), max_size=4),
    st.booleans(),
)
def test_any_bytes_are_one_answer_or_none_however_they_are_cut(
    seed: bytes, edits: list[tuple[int, int, bytes]], to_head: bool
) -> None:
    data = seed
    for at, gone, token in edits:
        data = data[:at] + token + data[at + gone :]
    assert read(data, 1, to_head=to_head) == read(data, len(data) or 1, to_head=to_head)
