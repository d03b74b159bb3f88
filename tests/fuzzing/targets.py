"""What is fuzzed: each target reads bytes by one of the gate's parsers, which may refuse them in its own way and in no other.

What a parser takes has to be decidable: a target asserts what the rest of the gate relies on.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import h11

from agents import access, assertions
from agents.oauth_errors import OAuthError
from core.errors import Refused
from gateway.http import paths
from gateway.http.answers import Reader
from gateway.http.lost import Lost
from gateway.mcp import jsonrpc
from gateway.postgres import backend, frontend
from gateway.postgres.catalog import Catalog
from gateway.postgres.classify import classify
from gateway.postgres.framing import ClientFramer, ProtocolError, ServerFramer
from gateway.refusal import Refusal
from gateway.ssh import commands, file_wishes, sftp_wire
from policies.verbs import VERBS

CATALOG: Final = "FUZZED_CATALOG"
"""The environment's variable that says where a pickled catalog is."""


# ---- PostgreSQL ----
def frames(data: bytes) -> None:
    """What a client sends is cut into the same messages however it arrives, and each is read or refused."""
    cut, sent = data[0] if data else 0, data[1:]
    whole, pieces = ClientFramer(), ClientFramer()
    try:
        messages = whole.feed(sent)
    except ProtocolError:
        return
    assert pieces.feed(sent[:cut]) + pieces.feed(sent[cut:]) == messages
    assert b"".join(one.raw for one in messages) == sent[: len(sent) - whole.waiting]
    for one in messages:
        with suppress(ProtocolError):
            _CLIENTS.get(one.kind, frontend.read_text)(one.body)


def answers(data: bytes) -> None:
    """So is what a resource sends."""
    try:
        chunk, spans = ServerFramer().feed(data)
    except ProtocolError:
        return
    assert all(start == before for (_, start, _), before in zip(spans, [0, *(end for *_, end in spans)], strict=False))
    for kind, start, end in spans:
        with suppress(ProtocolError):
            if kind == ord("D"):
                backend.read_data_row(chunk[start:end])
            else:
                _SERVERS.get(kind, backend.read_report)(chunk[start + 5 : end])


def openings(data: bytes) -> None:
    """The packet that opens a connection."""
    with suppress(ProtocolError):
        length = frontend.opening_length(data)
        if length is not None and len(data) >= length:
            frontend.read_opening(data[:length])


def statements(data: bytes) -> None:
    """SQL is refused, or comes down to verbs that policies decide: nothing passes undecided."""
    try:
        read = classify(data, _catalog())
    except Refusal:
        return
    assert bool(read.verbs) == bool(read.statements)
    assert read.verbs <= VERBS
    assert len(read.shape) <= 64


@cache
def _catalog() -> Catalog:
    return cast("Catalog", pickle.loads(Path(os.environ[CATALOG]).read_bytes()))  # noqa: S301 -- our own file


_CLIENTS: Final[Mapping[int, Callable[[bytes], object]]] = {
    ord("P"): frontend.read_parse,
    ord("B"): lambda body: frontend.parameter_formats(frontend.read_bind(body)),
    ord("D"): frontend.read_target,
    ord("C"): frontend.read_target,
    ord("E"): frontend.read_execute,
}
_SERVERS: Final[Mapping[int, Callable[[bytes], object]]] = {
    ord("T"): backend.read_row_description,
    ord("t"): backend.read_parameter_types,
    ord("C"): backend.read_complete,
    ord("K"): backend.read_key,
    ord("S"): backend.read_parameter_status,
}


# ---- HTTP ----
def responses(data: bytes) -> None:
    """An API's answer is the same however it arrives; what another strict reader takes too, it takes for the same."""
    cut, sent = data[0] if data else 0, data[1:]
    whole = _answered([sent])
    assert whole == _answered([sent[:cut], sent[cut:]])
    other = _by_h11(sent) if whole is not None else None
    assert other is None or other == whole


def _answered(pieces: list[bytes]) -> tuple[int, bytes] | None:
    """Status and body of an answer that is whole; None for one that is not, or is none."""
    reader = Reader()
    try:
        for piece in pieces:
            reader.feed(piece)
        reader.end()
        return (reader.status, b"".join(reader.take())) if reader.has_head else None
    except Lost:
        return None
    finally:
        reader.close()


def _by_h11(sent: bytes) -> tuple[int, bytes] | None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "api")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(sent)
    connection.receive_data(b"")
    status, body = 0, b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


def addresses(data: bytes) -> None:
    """A path and a query that are taken say the same when they are written anew, and lead nowhere above."""
    path, _, query = data.decode("latin-1").partition("?")
    try:
        parts, asked = paths.segments(path), paths.fields(query)
    except Refusal:
        return
    assert not {".", ".."} & set(parts)
    goes_up = paths.target("", parts, asked)
    again, _, rest = goes_up.partition("?")
    assert paths.segments(f"/{again.removeprefix('/')}") == parts
    assert paths.fields(rest) == asked


# ---- MCP ----
def calls(data: bytes) -> None:
    """A message of JSON-RPC is refused with a number, or reads the same when it is written anew."""
    try:
        found = jsonrpc.read(data)
    except jsonrpc.Fault:
        return
    if isinstance(found, jsonrpc.Request):
        assert jsonrpc.read(jsonrpc.written(jsonrpc.request(found.id, found.method, found.params))) == found


# ---- SSH ----
def shells(data: bytes) -> None:
    """Each command line but an empty one comes down to parts that policies decide."""
    text = data.decode("utf-8", "replace")
    try:
        parts = commands.understand(text, folder="/home/agent")
    except Refusal:
        return
    assert all(part.verb in VERBS for part in parts)
    said = [line for line in text.split("\n") if line.strip(" \t") and not line.lstrip(" \t").startswith("#")]
    assert parts or not said


def files(data: bytes) -> None:
    """Each request of SFTP about paths comes down to actions on just these."""
    buffer = bytearray(data)
    with suppress(sftp_wire.Malformed):
        for raw in sftp_wire.read_packets(buffer):
            packet = sftp_wire.read_packet(raw)
            if packet.kind in file_wishes.OF_PATHS:
                named = [one.path for one in file_wishes.named_in(packet)]
                wish = file_wishes.wish_of(packet, named)
                assert {part.path for part in wish.parts} == set(named)
            elif packet.kind in file_wishes.OF_HANDLES:
                file_wishes.handle_of(packet)


# ---- tokens ----
def tokens(data: bytes) -> None:
    """A token, and an agent's assertion, that nobody has signed."""
    text = data.decode("latin-1")
    try:
        access.read(text, keys={}, issuer="https://gate.test", now=datetime.now(UTC))
    except Refused:
        pass
    else:
        raise AssertionError("a token that nobody signed was believed")
    with suppress(OAuthError):
        assertions.peek(text)


TARGETS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    one.__name__: one
    for one in (frames, answers, openings, statements, responses, addresses, calls, shells, files, tokens)
}
