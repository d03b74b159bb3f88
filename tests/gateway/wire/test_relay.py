"""The way back, fed by hand: what comes too late to be refused in order ends the session before a value is seen."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from core.ids import new_id
from gateway.postgres import messages
from gateway.postgres.catalog import Tag
from gateway.postgres.framing import ProtocolError, ServerFramer
from gateway.postgres.masking import MaskPlan
from gateway.postgres.relay import QUERY, SYNC, Relay, Reply
from gateway.postgres.run import Masks, Run
from gateway.postgres.transactions import Transactions

ORIGINS = {(16384, 3): Tag("ssn")}


class Client:
    def __init__(self) -> None:
        self.received = b""

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.received += data


def _relay() -> tuple[Client, Relay, list[str]]:
    client, fatal = Client(), list[str]()

    def report(run: Run, status: str, *, first: bool) -> None:
        fatal.append(status)

    relay = Relay(
        client,
        Transactions(report),
        settings={},
        on_fatal=lambda: fatal.append("fatal"),
        on_statement=lambda _done: None,
    )
    return client, relay, fatal


def _run(*, outputs: int | None, masked: dict[int, str]) -> Run:
    plan = MaskPlan({0: masked}, (outputs,), True, ORIGINS, {}, frozenset())
    return Run(str(new_id()), Masks(plan, plan, tagged=True), shared=True, began=0.0)


def _columns(*origins: tuple[int, int]) -> bytes:
    fields = b"".join(b"c\x00" + struct.pack("!IHIhiH", table, column, 25, -1, -1, 0) for table, column in origins)
    return messages.message(b"T", struct.pack("!H", len(origins)) + fields)


def _answer(columns: bytes, *values: bytes) -> bytes:
    return (
        columns + messages.data_row(values) + messages.message(b"C", b"SELECT 1\x00") + messages.ready_for_query(b"I")
    )


def _feed(relay: Relay, data: bytes, cut: int = 0) -> None:
    framer = ServerFramer()
    for part in (data[:cut], data[cut:]):
        chunk, spans = framer.feed(part)
        if spans:
            relay.feed(chunk, spans)


@pytest.mark.parametrize("cut", range(0, 90, 7))
def test_a_column_whose_origin_is_tagged_is_masked_even_if_the_plan_did_not_expect_it(cut: int) -> None:
    client, relay, _ = _relay()
    relay.expect(Reply(QUERY, _run(outputs=2, masked={})))
    _feed(relay, _answer(_columns((16384, 1), (16384, 3)), b"1", b"123-45-6789"), cut)
    assert b"123-45" not in client.received
    assert messages.data_row([b"1", b"***"]) in client.received


@pytest.mark.parametrize(("outputs", "masked"), [(1, {}), (None, {})])
def test_an_answer_that_is_not_understood_ends_the_session_unseen(outputs: int | None, masked: dict[int, str]) -> None:
    client, relay, fatal = _relay()
    relay.expect(Reply(QUERY, _run(outputs=outputs, masked=masked)))
    _feed(relay, _answer(_columns((16384, 1), (16384, 3)), b"1", b"123-45-6789"))
    assert "fatal" in fatal
    assert b"123-45" not in client.received
    assert b"VFATAL" in client.received


@pytest.mark.parametrize(
    "data",
    [
        messages.data_row([b"1"]),
        messages.ready_for_query(b"I"),
        messages.message(b"C", b"SELECT 1\x00"),
        messages.message(b"W", b"\x00\x00\x00"),
        messages.message(b"V", b""),
        _columns((1, 1)),
    ],
)
def test_answers_that_nothing_asked_for_break_the_connection(data: bytes) -> None:
    _, relay, _ = _relay()
    with pytest.raises(ProtocolError):
        _feed(relay, data)


def test_a_row_in_a_sync_is_not_for_anybody() -> None:
    _, relay, _ = _relay()
    relay.expect(Reply(SYNC))
    with pytest.raises(ProtocolError):
        _feed(relay, messages.data_row([b"1"]))


def test_errors_and_notices_of_a_tagged_run_say_nothing_of_data() -> None:
    client, relay, _ = _relay()
    relay.expect(Reply(QUERY, _run(outputs=1, masked={0: "ssn"})))
    report: Any = messages.error_response(
        "23505", "Key (ssn)=(123-45-6789) exists", detail="123-45-6789", hint="123-45-6789"
    )
    _feed(relay, messages.notice_response("123-45-6789") + report + messages.ready_for_query(b"I"))
    assert b"123-45" not in client.received
    assert b"C23505" in client.received
