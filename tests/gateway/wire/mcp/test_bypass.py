"""The public corpus of ways around the gate, over MCP: the tool server gets no call of them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.bypass import cases
from tests.gateway.wire.doors import client
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.conftest import crooked_at
from tests.gateway.wire.mcp.crooked import Crooked
from tests.gateway.wire.world import World


@pytest.fixture(scope="module")
def crooked(standing_world: World, door: str) -> Iterator[Crooked]:
    with crooked_at(standing_world, door, "guarded") as crooked:
        yield crooked


@pytest.fixture
def http(standing_world: World, door: str) -> Iterator[httpx.Client]:
    with client(standing_world, door) as http:
        yield http


@pytest.mark.parametrize("case", cases("mcp"))
def test_no_call_reaches_the_server(
    standing_world: World, door: str, http: httpx.Client, crooked: Crooked, case: dict[str, str]
) -> None:
    agent = Agent(standing_world, door, http, "guarded")
    agent.begin()
    crooked.seen.clear()
    answer = agent.post(case["body"].encode())
    assert answer.status_code >= 400 or "error" in answer.text or answer.status_code == 202
    assert not [one for one in crooked.seen if one.get("method") == "tools/call"]
