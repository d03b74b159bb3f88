"""What passes: lists, calls, resources and prompts, as the official client sees them, and what is recorded of each."""

from __future__ import annotations

from typing import Any

from mcp import Client

from activity.models import Action, Frame
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.toolserver import SECRET, ToolServer


def test_the_official_client_finds_what_this_agent_may_use_and_calls_it(agent: Agent) -> None:
    async def work(client: Client) -> Any:
        tools = await client.list_tools()
        called = await client.call_tool("refund", {"customer": 7, "amount": 250})
        about = client.protocol_version, client.server_info and client.server_info.name
        return about, [one.name for one in tools.tools], called

    about, names, called = agent.run(work)
    assert about == ("2025-11-25", "till")
    assert names == ["confirms", "counts", "customer", "fails", "leak", "refund", "sure", "thinks", "waits"]
    assert called.content[0].text == "paid 250 to 7"
    action = last(shape="refund", status="done")
    assert (action.verb, action.decision, action.enforced) == ("mcp:call", "allow", True)
    assert action.summary == "refund: customer 7, amount 250"


def test_the_servers_credential_goes_up_and_never_comes_back(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    said = agent.call("leak")
    assert SECRET not in str(said)
    assert "it is ****" in said["content"][0]["text"]
    assert {one.get("authorization") for one in tools.headers} == {f"Bearer {SECRET}"}
    assert agent.token not in str(tools.headers)
    frame = Frame.objects.get(action_id=last(shape="leak", status="done").id)
    assert SECRET not in str(frame.rows)


def test_a_value_that_nobody_tagged_is_masked_counted_and_recorded_nowhere(agent: Agent) -> None:
    agent.begin()
    assert agent.call("leak")["content"][0]["text"].endswith("there is ***")
    action = last(shape="leak", status="done")
    assert (action.detected, action.masked_values) == ({"aws_key": 2}, 2)  # as text and as structure
    assert "AKIA" not in str(Frame.objects.get(action_id=action.id).rows)


def test_instructions_reach_agents_once_they_are_accepted(agent: Agent) -> None:
    assert agent.begin()["result"]["instructions"] == "Be brief."


def test_lists_and_reads_are_actions_too(agent: Agent) -> None:
    agent.begin()
    listed = agent.ask("resources/list")["result"]["resources"]
    assert [one["uri"] for one in listed] == ["till://today"]
    read = agent.ask("resources/read", {"uri": "till://today"})["result"]
    assert read["contents"][0]["text"].startswith('{"total": 12')
    prompts = agent.ask("prompts/list")["result"]["prompts"]
    assert [one["name"] for one in prompts] == ["letter"]
    letter = agent.ask("prompts/get", {"name": "letter", "arguments": {"name": "Ann"}})["result"]
    assert letter["messages"][0]["content"]["text"] == "Write to Ann."
    verbs = {"resources/list": "mcp:session", "resources/read": "mcp:read", "letter": "mcp:prompt"}
    for shape, verb in verbs.items():
        assert last(shape=shape, status="done").verb == verb
    assert agent.ask("ping")["result"] == {}
    assert not Action.objects.filter(shape="ping").exists()


def test_what_a_tool_returns_is_masked_in_its_data_and_in_its_text(agent: Agent) -> None:
    agent.begin()
    said = agent.call("customer", number=3)
    assert said["structuredContent"] == {"id": 3, "name": "Ann", "email": "***"}
    assert '"***"' in said["content"][0]["text"]
    assert "ann@example.com" not in str(said)
    action = last(shape="customer", status="done")
    assert (action.masked, action.masked_values) == (True, 1)


def test_progress_is_told_under_the_clients_own_token(agent: Agent) -> None:
    agent.begin()
    said = agent.call("counts", _meta={"progressToken": "mine"})
    assert said["content"][0]["text"] == "counted"
    assert [one["params"]["message"] for one in agent.said] == ["step 1", "step 2", "step 3"]
    assert {one["params"]["progressToken"] for one in agent.said} == {"mine"}


def test_a_tools_own_failure_is_one(agent: Agent) -> None:
    agent.begin()
    assert agent.call("fails")["isError"] is True
    assert last(shape="fails", status="failed").message == "The tool says that it failed."


def test_sessions_end_when_the_client_says_so(agent: Agent) -> None:
    agent.begin()
    path, headers = f"/mcp/{agent.name}", agent.headers()
    assert agent.http.delete(path, headers=headers).status_code == 204
    assert agent.http.delete(path, headers=headers).status_code == 404
    assert agent.post({"jsonrpc": "2.0", "id": 1, "method": "ping"}).status_code == 404
