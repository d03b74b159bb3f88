"""Calls that wait for people, calls whose client leaves, and what a server asks back."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp_types import ElicitResult

from activity.models import Action
from agents.models import Resource
from approvals import actions as approvals
from approvals.models import Hold
from gateway.pipeline import Pipeline
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.conftest import accept_all, behind
from tests.gateway.wire.mcp.toolserver import ToolServer
from tests.gateway.wire.world import eventually


def waiting() -> Hold:
    found = eventually(lambda: Hold.objects.filter(status="waiting").first())
    assert found is not None
    return found


def approve(agent: Agent, hold: Hold) -> None:
    approvals.approve(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest)


def deny(agent: Agent, hold: Hold) -> None:
    approvals.deny(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest, reason="Too much.")


def failed(said: dict[str, Any]) -> bool:
    """Whether a server says that a call failed: the SDK does so in one way or the other."""
    return said.get("isError") is True or "code" in said


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_a_held_call_says_that_it_waits_and_goes_up_once_it_is_approved(
    agent: Agent, tools: ToolServer, beside: ThreadPoolExecutor
) -> None:
    agent.begin()
    asked = beside.submit(agent.call, "refund", _meta={"progressToken": 5}, customer=1, amount=5_000)
    hold = waiting()
    assert not tools.seen
    assert (hold.verb, hold.summary) == ("mcp:call", "refund: customer 1, amount 5000")
    approve(agent, hold)
    assert asked.result(20)["content"][0]["text"] == "paid 5000 to 1"
    assert tools.seen == [("refund", 5_000)]
    told = agent.said[0]
    assert (told["method"], told["params"]["progressToken"], told["params"]["progress"]) == (
        "notifications/progress",
        5,
        1,
    )
    assert told["params"]["message"].startswith("Waiting for approval (1 of dba)")
    assert last(id=hold.action_id, status="done")


def test_a_call_that_people_deny_is_refused_in_their_words(
    agent: Agent, tools: ToolServer, beside: ThreadPoolExecutor
) -> None:
    agent.begin()
    asked = beside.submit(agent.call, "refund", customer=1, amount=6_000)
    deny(agent, waiting())
    error = asked.result(20)
    assert (error["data"]["code"], "Too much." in error["message"]) == ("hold_denied", True)
    assert agent.said[0]["method"] == "notifications/message"
    assert not tools.seen


def test_the_official_client_waits_with_progress(agent: Agent, beside: ThreadPoolExecutor) -> None:
    heard: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def work(client: Client) -> Any:
        return await client.call_tool("refund", {"customer": 2, "amount": 7_000}, progress_callback=hear)

    asked = beside.submit(agent.run, work)
    approve(agent, waiting())
    assert asked.result(20).content[0].text == "paid 7000 to 2"
    assert heard


def test_a_client_that_left_calls_again_and_collects(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    said = {"name": "refund", "arguments": {"customer": 3, "amount": 8_000}}
    body = json.dumps({"jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": said}).encode()
    with agent.http.stream("POST", "/mcp/till", content=body, headers=agent.headers()) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        hold = waiting()
    approve(agent, hold)
    assert not tools.seen  # nobody waits for it: it stays approved, and does not run by itself
    assert agent.call("refund", customer=3, amount=8_000)["content"][0]["text"] == "paid 8000 to 3"
    assert tools.seen == [("refund", 8_000)]
    assert Action.objects.filter(shape="refund", summary__contains="8000").count() == 1


def test_a_client_withdraws_what_waits(agent: Agent, tools: ToolServer, beside: ThreadPoolExecutor) -> None:
    agent.begin()
    asked = beside.submit(agent.ask, "tools/call", {"name": "refund", "arguments": {"customer": 4, "amount": 9_000}})
    hold = waiting()
    agent.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": agent._number}})
    assert asked.result(20)["error"]["data"]["code"] == "hold_withdrawn"
    hold.refresh_from_db()
    assert (hold.status, tools.seen) == ("withdrawn", [])


@pytest.fixture
def cancelling(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that cancels its request once what was decided is written, before the gate does anything with it."""
    begin = Pipeline.begin

    def cancel() -> None:
        agent.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": agent._number}})

    async def begun(*given: Any) -> Any:
        came = await begin(*given)
        await asyncio.to_thread(cancel)
        return came

    monkeypatch.setattr(Pipeline, "begin", begun)


@pytest.mark.usefixtures("cancelling")
def test_a_client_withdraws_what_is_about_to_wait(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    said = agent.ask("tools/call", {"name": "refund", "arguments": {"customer": 4, "amount": 9_001}})
    assert said["error"]["data"]["code"] == "hold_withdrawn"
    hold = Hold.objects.order_by("asked_at").last()
    assert hold is not None
    assert (hold.status, tools.seen) == ("withdrawn", [])


@pytest.mark.usefixtures("cancelling")
def test_what_is_cancelled_before_it_is_sent_is_not_sent(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    said = agent.ask("tools/call", {"name": "refund", "arguments": {"customer": 4, "amount": 3}})
    assert (said["error"]["data"]["code"], tools.seen) == ("cancelled", [])
    assert last(shape="refund", summary__contains="amount 3", status="failed")


def test_what_has_begun_goes_on_when_its_client_leaves(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    tools.go.clear()
    body = json.dumps({"jsonrpc": "2.0", "id": 78, "method": "tools/call", "params": {"name": "waits"}}).encode()
    leaving = threading.Thread(target=lambda: _leave(agent, body))
    leaving.start()
    assert eventually(lambda: ("waits", None) in tools.seen)
    leaving.join(10)
    assert last(shape="waits").status == "released"
    tools.go.set()
    assert last(shape="waits", status="done")


def _leave(agent: Agent, body: bytes) -> None:
    with pytest.raises(httpx.ReadTimeout):
        agent.http.post("/mcp/till", content=body, headers=agent.headers(), timeout=httpx.Timeout(10, read=1))


def test_what_is_cancelled_is_uncertain(agent: Agent, tools: ToolServer, beside: ThreadPoolExecutor) -> None:
    agent.begin()
    tools.go.clear()
    asked = beside.submit(agent.ask, "tools/call", {"name": "waits", "arguments": {}})
    assert eventually(lambda: ("waits", None) in tools.seen)
    agent.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": agent._number}})
    assert asked.result(20)["error"]["data"]["code"] == "cancelled"
    assert last(shape="waits", status="uncertain")
    tools.go.set()


# ---- what a server asks back ----
def test_what_a_server_asks_is_denied_by_absence(agent: Agent, tools: ToolServer) -> None:
    agent.begin(sampling={}, elicitation={"form": {}})
    assert failed(agent.call("confirms"))
    assert agent.said == []
    assert tools.seen == []
    denied = last(shape="elicitation/create")
    assert (denied.verb, denied.status, denied.code) == ("mcp:elicit", "denied", "no_match")
    assert failed(agent.call("thinks"))
    assert last(shape="sampling/createMessage").status == "denied"


@pytest.fixture
def asker(agent: Agent, tools: ToolServer) -> Agent:
    """The same server as another resource, where policy lets it ask users."""
    world = agent.world
    resource = Resource.objects.filter(name="asker").first() or behind(world, "asker", tools.port)
    other = Agent(world, agent.door, agent.http, "asker")
    other.begin()
    other.ask("tools/list")
    accept_all(world, resource)
    return other


def test_what_policy_permits_reaches_the_agent_and_its_answer_the_server(asker: Agent, tools: ToolServer) -> None:
    async def answer(_context: Any, params: Any) -> ElicitResult:
        assert params.message == "Really?"
        return ElicitResult(action="accept", content={"yes": True})

    async def work(client: Client) -> Any:
        return await client.call_tool("confirms", {})

    assert asker.run(work, elicitation_callback=answer).content[0].text == "accept"
    assert tools.seen == [("confirms", "accept")]
    action = last(shape="elicitation/create", status="done")
    assert "Really?" in action.shown


def test_a_client_that_cannot_is_not_asked(asker: Agent) -> None:
    asker.begin()
    assert failed(asker.call("confirms"))
    assert last(shape="elicitation/create").code == "not_available"


def test_an_answer_that_nobody_waits_for_is_refused(agent: Agent) -> None:
    agent.begin()
    answer = agent.post({"jsonrpc": "2.0", "id": "narrowgate-x", "result": {}})
    assert answer.status_code == 400
