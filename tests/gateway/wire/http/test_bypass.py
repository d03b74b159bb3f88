"""The public corpus of ways around the gate, over HTTP: the API gets no byte of them."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from tests.gateway.bypass import cases
from tests.gateway.wire.doors import trusting
from tests.gateway.wire.http.agent import Agent


@pytest.mark.parametrize("case", cases("http"))
def test_the_api_sees_nothing_of_it(agent: Agent, case: dict[str, Any]) -> None:
    answer = _sent(agent, case["head"], case.get("body", "").encode(), half=case.get("half", False))
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 400
    assert status in case["comes"], answer[:300]
    assert not agent.api.seen


def _sent(agent: Agent, head: str, body: bytes, *, half: bool) -> bytes:
    if not half:
        return agent.raw(head if "Connection" in head else head.replace("\n\n", "\nConnection: close\n\n"), body)
    port = int(agent.door.rpartition(":")[2])
    with (
        socket.create_connection(("localhost", port), timeout=20) as plain,
        trusting(agent.world).wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        stream.sendall(head.replace("TOKEN", agent.token).replace("\n", "\r\n").encode() + body)
        stream.unwrap()
    return b""


def test_a_request_in_pieces_of_one_byte_is_decided_whole(agent: Agent) -> None:
    port = int(agent.door.rpartition(":")[2])
    head = f"GET /http/bank/admin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {agent.token}\r\nConnection: close\r\n\r\n".encode()
    with (
        socket.create_connection(("localhost", port), timeout=20) as plain,
        trusting(agent.world).wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        for at in range(len(head)):
            stream.sendall(head[at : at + 1])
        got = b""
        try:
            while piece := stream.recv(65_536):
                got += piece
        except (OSError, ssl.SSLError):
            pass
    assert got.startswith((b"HTTP/1.1 403", b"HTTP/1.1 404"))
    assert not agent.api.seen
