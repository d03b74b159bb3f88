"""Calls whose client comes back for the answer, under the identifier of the action."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from activity.models import Action
from agents import actions as inventory
from agents import keys, tokens
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.test_waiting import approve, deny, waiting
from tests.gateway.wire.mcp.toolserver import ToolServer
from tests.gateway.wire.world import eventually, token_request


def task(agent: Agent, tool: str, **arguments: Any) -> dict[str, Any]:
    said = agent.ask("tools/call", {"name": tool, "arguments": arguments, "task": {"ttl": 60_000}})
    found: dict[str, Any] = said["result"]["task"] if "result" in said else said["error"]
    return found


def status(agent: Agent, one: dict[str, Any]) -> str:
    return str(agent.ask("tasks/get", {"taskId": one["taskId"]})["result"]["status"])


def test_a_held_call_is_a_task_whose_answer_is_fetched_later(agent: Agent, tools: ToolServer) -> None:
    assert "tasks" in agent.begin()["result"]["capabilities"]
    listed = agent.ask("tools/list")["result"]["tools"]
    assert {one["execution"]["taskSupport"] for one in listed} == {"optional"}
    made = task(agent, "refund", customer=1, amount=20_000)
    hold = waiting()
    assert (made["taskId"], made["status"], made["ttl"]) == (str(hold.action_id), "working", 60_000)
    assert (status(agent, made), tools.seen) == ("working", [])
    approve(agent, hold)
    answer = agent.ask("tasks/result", {"taskId": made["taskId"]})["result"]
    assert answer["content"][0]["text"] == "paid 20000 to 1"
    assert answer["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": made["taskId"]}
    assert status(agent, made) == "completed"
    assert last(id=made["taskId"], status="done")
    agent.begin()  # another session of the same agent
    assert agent.ask("tasks/result", {"taskId": made["taskId"]})["result"]["content"] == answer["content"]
    assert made["taskId"] in {one["taskId"] for one in agent.ask("tasks/list")["result"]["tasks"]}
    assert tools.seen == [("refund", 20_000)]


def test_whoever_waits_for_the_answer_gets_it_when_it_is_there(agent: Agent) -> None:
    agent.begin()
    made = task(agent, "refund", customer=2, amount=21_000)
    hold = waiting()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(agent.ask, "tasks/result", {"taskId": made["taskId"]})
        deny(agent, hold)
        error = asked.result(20)["error"]
    assert (error["data"]["code"], status(agent, made)) == ("hold_denied", "failed")


def test_a_denied_call_is_no_task(agent: Agent) -> None:
    agent.begin()
    error = task(agent, "wipe")
    assert error["data"]["code"] == "no_match"
    assert Action.objects.get(id=error["data"]["action"]).status == "denied"


def test_a_task_is_cancelled_while_it_waits_and_while_it_runs(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    made = task(agent, "refund", customer=3, amount=22_000)
    hold = waiting()
    assert agent.ask("tasks/cancel", {"taskId": made["taskId"]})["result"]["status"] == "cancelled"
    hold.refresh_from_db()
    assert (hold.status, tools.seen) == ("withdrawn", [])
    tools.go.clear()
    made = task(agent, "waits")
    assert eventually(lambda: ("waits", None) in tools.seen)
    assert agent.ask("tasks/cancel", {"taskId": made["taskId"]})["result"]["status"] == "cancelled"
    assert last(id=made["taskId"], status="uncertain")
    tools.go.set()
    assert agent.ask("tasks/cancel", {"taskId": made["taskId"]})["error"]


def test_a_task_is_its_agents(agent: Agent) -> None:
    agent.begin()
    made = task(agent, "refund", customer=4, amount=5)
    key, world = keys.generate("ES256"), agent.world
    other = inventory.enrol(
        "support.staging", purpose="Helps", segment=world.segment, owner=world.cast.owner,
        public_jwk=keys.public_jwk(key), actor=world.cast.engineer,
    )  # fmt: skip
    watch = world.gateway.service._watch
    assert eventually(lambda: other.name in watch.current().agents)
    agent.token = tokens.issue(token_request(other, key, resource="till")).access_token
    agent.begin()
    for method in ("tasks/get", "tasks/result", "tasks/cancel"):
        assert agent.ask(method, {"taskId": made["taskId"]})["error"]["code"] == -32602
        assert agent.ask(method, {"taskId": ["x"]})["error"]
    assert agent.ask("tasks/list")["result"]["tasks"] == []
