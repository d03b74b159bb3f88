"""Masking by path, and what a stream never gives away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http.answering import hidden
from gateway.http.masking import masked, parsed, read_path

ANSWER: dict[str, Any] = {
    "data": [{"email": "a@b", "n": 1, "to": {"email": "c@d", "tags": ["x"]}}, {"email": None}, "text"],
    "email": ["e"],
}


@pytest.mark.parametrize(
    ("path", "expected", "count"),
    [
        ("data[].email", {**ANSWER, "data": [{**ANSWER["data"][0], "email": "***"}, {"email": None}, "text"]}, 1),
        ("data[].to", {**ANSWER, "data": [{**ANSWER["data"][0], "to": None}, {"email": None}, "text"]}, 1),
        ("data[].n", {**ANSWER, "data": [{**ANSWER["data"][0], "n": None}, {"email": None}, "text"]}, 1),
        ("**.tags[]", {**ANSWER, "data": [{**ANSWER["data"][0], "to": {"email": "c@d", "tags": ["***"]}}, {"email": None}, "text"]}, 1),
        ("nothing.here", ANSWER, 0),
        ("data.email", ANSWER, 0),
        ("[]", ANSWER, 0),
    ],
)  # fmt: skip
def test_a_path_leads_to_what_is_masked(path: str, expected: object, count: int) -> None:
    assert masked(ANSWER, [read_path(path)]) == (expected, count)


def test_any_depth_reaches_everything_of_that_name() -> None:
    value, count = masked(ANSWER, [read_path("**.email")])
    assert count == 3
    assert "a@b" not in str(value)
    assert "c@d" not in str(value)
    assert value["email"] is None  # type: ignore[index]
    assert masked([["x"]], [read_path("[][]")]) == ([["***"]], 1)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_said_so(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parsed(body)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"sk-", b"sk-live", b"-4711", b"sk-live-4711", b"x", b"sksk-live-47", b"11"]), max_size=12
    )
)
def test_a_secret_is_hidden_however_it_is_cut(pieces: list[bytes]) -> None:
    secret = b"sk-live-4711"

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    async def gathered() -> bytes:
        return b"".join([part async for part in hidden(stream(), [secret])])

    whole = b"".join(pieces)
    assert asyncio.run(gathered()) == whole.replace(secret, b"*" * len(secret))
