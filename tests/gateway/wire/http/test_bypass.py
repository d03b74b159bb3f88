"""The public corpus of ways around the gate, over HTTP: the API gets no byte of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.bypass import cases
from tests.gateway.wire.http.agent import Agent


@pytest.mark.parametrize("case", cases("http"))
def test_the_api_sees_nothing_of_it(agent: Agent, case: dict[str, Any]) -> None:
    head = agent.written(_closing(case["head"]), end="\n" if case.get("bare") else "\r\n")
    answer = _sent(agent, head, case.get("body", "").encode(), half=case.get("half", False))
    status = int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 400
    assert status in case["comes"], answer[:300]
    assert not agent.api.seen


def _closing(head: str) -> str:
    return head if "Connection" in head else head.replace("\n\n", "\nConnection: close\n\n")


def _sent(agent: Agent, head: bytes, body: bytes, *, half: bool) -> bytes:
    if not half:
        return agent.sent(head + body)
    with agent.stream() as stream:
        stream.sendall(head + body)
        stream.unwrap()
    return b""


def test_a_request_in_pieces_of_one_byte_is_decided_whole(agent: Agent) -> None:
    head = "GET /http/bank/admin HTTP/1.1\nHost: x\nAuthorization: Bearer TOKEN\nConnection: close\n\n"
    got = agent.raw(head, at_once=1)
    assert got.startswith((b"HTTP/1.1 403", b"HTTP/1.1 404"))
    assert not agent.api.seen
