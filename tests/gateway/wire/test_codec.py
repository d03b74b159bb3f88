"""The codec: whatever way the bytes are cut, the same messages; whatever the bytes, bounded and never a crash."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.postgres import backend, frontend, messages
from gateway.postgres.framing import ClientFramer, ProtocolError, ServerFramer

STREAM = b"".join(
    (
        messages.query("SELECT 'snö'"),
        messages.parse("name", "SELECT $1"),
        messages.message(b"B", b"portal\x00name\x00" + struct.pack("!HHHiHH", 1, 1, 1, 4, 0, 0)[:8] + b""),
        messages.SYNC,
        messages.FLUSH,
        messages.message(b"d", b"a\tb\n" * 100),
        messages.TERMINATE,
    )
)
NAMES = st.binary(max_size=12).map(lambda raw: raw.replace(b"\x00", b""))
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


def test_messages_are_the_same_when_cut_at_every_byte() -> None:
    whole = ClientFramer().feed(STREAM)
    assert b"".join(one.raw for one in whole) == STREAM
    for cut in range(len(STREAM)):
        framer = ClientFramer()
        assert framer.feed(STREAM[:cut]) + framer.feed(STREAM[cut:]) == whole
    one_by_one = ClientFramer()
    assert [found for byte in STREAM for found in one_by_one.feed(bytes([byte]))] == whole


def test_spans_are_the_same_when_cut_at_every_byte() -> None:
    for cut in range(len(STREAM)):
        framer, found = ServerFramer(), []
        for part in (STREAM[:cut], STREAM[cut:]):
            chunk, spans = framer.feed(part)
            found += [chunk[start:end] for _, start, end in spans]
        assert b"".join(found) == STREAM


@pytest.mark.parametrize(
    "packet", [b"Q\x00\x00\x00\x03", b"Q\x00\x20\x00\x00", b"p\x00\x01\x00\x00", b"S\x7f\xff\xff\xff"]
)
def test_impossible_and_overlong_lengths_are_refused_before_the_body_comes(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        ClientFramer().feed(packet)


def test_a_resource_is_bounded_too() -> None:
    with pytest.raises(ProtocolError):
        ServerFramer(limit=1000).feed(b"D" + struct.pack("!I", 1001))


@given(st.binary(max_size=200))
def test_readers_give_a_value_or_refuse(body: bytes) -> None:
    for read in (
        frontend.read_parse,
        frontend.read_bind,
        frontend.read_target,
        frontend.read_execute,
        frontend.read_text,
    ):
        try:
            read(body)
        except ProtocolError:
            continue
    for reading in (backend.read_row_description, backend.read_data_row):
        try:
            reading(body)
        except ProtocolError:
            continue
    backend.read_report(body)
    backend.read_complete(body)


@given(NAMES, NAMES, st.lists(st.none() | st.binary(max_size=20), max_size=4), st.lists(st.integers(0, 1), max_size=3))
def test_bind_reads_what_was_written(
    portal: bytes, statement: bytes, values: list[bytes | None], results: list[int]
) -> None:
    given_values = b"".join(
        b"\xff\xff\xff\xff" if value is None else struct.pack("!I", len(value)) + value for value in values
    )
    body = (
        portal + b"\x00" + statement + b"\x00" + struct.pack("!HH", 1, 1) + struct.pack("!H", len(values)) + given_values
        + struct.pack(f"!H{len(results)}H", len(results), *results)
    )  # fmt: skip
    bind = frontend.read_bind(body)
    assert (bind.portal, bind.statement, list(bind.values), list(bind.result_formats)) == (
        portal,
        statement,
        values,
        results,
    )
    assert frontend.parameter_formats(bind) == (1,) * len(values)


@given(st.lists(st.none() | st.binary(max_size=30), max_size=6))
def test_a_row_reads_what_was_written(values: list[bytes | None]) -> None:
    assert backend.read_data_row(messages.data_row(values)) == values


@given(TEXTS)
def test_a_query_reads_what_was_written(sql: str) -> None:
    (message,) = ClientFramer().feed(messages.query(sql))
    assert frontend.read_text(message.body) == sql


def test_text_after_a_nul_is_refused_never_dropped() -> None:
    with pytest.raises(ProtocolError):
        frontend.read_text(b"SELECT 1\x00; DROP TABLE x\x00")
    with pytest.raises(ValueError, match="NUL"):
        messages.query("SELECT 1\x00")


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(ProtocolError) as refused:
        frontend.read_text(b"SELECT '\xff'\x00")
    assert refused.value.sqlstate == "22021"


def test_start_up_packets() -> None:
    packet = messages.startup({"user": "a", "database": "b"}, messages.PROTOCOL_3_2)
    assert frontend.read_opening(packet) == frontend.Startup(2, {"user": "a", "database": "b"})
    assert frontend.read_opening(messages.cancel_request(5, b"abcd")) == frontend.Cancel(5, b"abcd")
    assert frontend.read_opening(messages.ssl_request()) == frontend.SslRequest()


@pytest.mark.parametrize(
    "packet",
    [
        struct.pack("!II", 9, messages.PROTOCOL_3_0) + b"a",
        struct.pack("!II", 8, 2 << 16),
        messages.startup({"user": "a"})[:-1] + b"x",
        struct.pack("!II", 17, messages.PROTOCOL_3_0) + b"user\x00a\x00x\x00"[:9],
        messages.startup({"user": "a"})[:8] + b"user\x00a\x00user\x00b\x00\x00",
    ],
)
def test_start_up_packets_that_are_not(packet: bytes) -> None:
    with pytest.raises(ProtocolError):
        frontend.read_opening(packet)


def test_errors_hold_no_nul() -> None:
    report = backend.read_report(messages.error_response("42501", "a\x00b", hint="c")[5:])
    assert (report["C"], report["M"], report["H"], report["S"]) == ("42501", "ab", "c", "ERROR")
