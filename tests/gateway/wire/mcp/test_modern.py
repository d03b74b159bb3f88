"""Revision 2026-07-28, in which every request says all of it: before servers that speak it, and before those that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitResult

from tests.gateway.wire.doors import client
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.conftest import accept_all, behind
from tests.gateway.wire.mcp.toolserver import ToolServer
from tests.gateway.wire.world import World

MODERN = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "tests", "version": "1"},
}
HEADERS: dict[str, str | None] = {
    "MCP-Protocol-Version": MODERN,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "refund",
    "Mcp-Session-Id": None,
}


def call(**changed: Any) -> dict[str, Any]:
    params = {"name": "refund", "arguments": {"customer": 1, "amount": 2}, "_meta": META, **changed}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.fixture(scope="module")
def newest(standing_world: World, door: str) -> Iterator[ToolServer]:
    """A server that speaks the newest revision, which policy lets ask users (it is called the asker)."""
    tools = ToolServer(legacy=False)
    end = tools.start()
    resource = behind(standing_world, "asker", tools.port)
    with client(standing_world, door) as http:
        agent = Agent(standing_world, door, http, "asker")
        agent.begin()
        agent.ask("tools/list")
    accept_all(standing_world, resource)
    yield tools
    end()


@pytest.fixture
def asker(standing_world: World, door: str, newest: ToolServer) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        newest.seen.clear()
        newest.headers.clear()
        yield Agent(standing_world, door, http, "asker")


async def _through(client: Client) -> Any:
    tools = await client.list_tools()
    called: Any = await client.call_tool("refund", {"customer": 7, "amount": 250})
    read: Any = await client.read_resource("till://today")
    letter: Any = await client.get_prompt("letter", {"name": "Ann"})
    about = client.protocol_version, client.server_info and client.server_info.name, client.instructions
    texts = called.content[0].text, read.contents[0].text, letter.messages[0].content.text
    return about, [one.name for one in tools.tools], *texts


@pytest.mark.parametrize("mode", [MODERN, "auto"])
def test_the_official_client_speaks_it_before_a_server_that_does_not(
    agent: Agent, tools: ToolServer, mode: str
) -> None:
    about, names, paid, today, letter = agent.run(_through, mode=mode)
    assert about[0] == MODERN
    assert "refund" in names
    assert "wipe" not in names
    assert (paid, letter) == ("paid 250 to 7", "Write to Ann.")
    assert today.startswith('{"total": 12')
    assert {one.get("mcp-protocol-version") for one in tools.headers} <= {"2025-11-25", MODERN, None}


def test_the_official_client_speaks_it_before_one_that_does(asker: Agent, newest: ToolServer) -> None:
    about, names, paid, *_ = asker.run(_through, mode="auto")
    assert about == (MODERN, "till", "Be brief.")
    assert ("refund" in names, paid) == (True, "paid 250 to 7")
    assert {one["mcp-protocol-version"] for one in newest.headers} == {MODERN}
    assert {one.get("mcp-name") for one in newest.headers if one["mcp-method"] == "tools/call"} == {"refund"}
    assert last(shape="refund", status="done").verb == "mcp:call"


def test_an_older_client_speaks_to_the_newest_server(asker: Agent, newest: ToolServer) -> None:
    about, _, paid, *_ = asker.run(_through)
    assert (about[0], paid) == ("2025-11-25", "paid 250 to 7")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_what_a_server_needs_is_asked_where_policy_permits_it(asker: Agent, newest: ToolServer, mode: str) -> None:
    async def answer(context: Any, params: Any) -> ElicitResult:
        assert params.message == "Really?"
        return ElicitResult(action="accept", content={"yes": True})

    async def work(client: Client) -> Any:
        return await client.call_tool("sure", {})

    said: Any = asker.run(work, mode=mode, elicitation_callback=answer)
    assert said.content[0].text == "yes"
    action = last(shape="elicitation/create", status="done")
    assert "Really?" in action.shown


def test_what_a_server_needs_is_denied_by_absence(asker: Agent, newest: ToolServer) -> None:
    meta = {**META, "io.modelcontextprotocol/clientCapabilities": {"sampling": {}}}
    said = asker.post(call(name="sure", arguments={}, _meta=meta), **{**HEADERS, "Mcp-Name": "sure"}).json()
    assert said["error"]


@pytest.mark.parametrize(
    ("headers", "body", "code", "status"),
    [
        ({"Mcp-Method": "tools/list"}, {}, -32020, 400),
        ({"Mcp-Method": None}, {}, -32020, 400),
        ({"Mcp-Name": "wipe"}, {}, -32020, 400),
        ({"Mcp-Name": None}, {}, -32020, 400),
        ({"MCP-Protocol-Version": "2025-11-25"}, {}, -32020, 400),
        ({"MCP-Protocol-Version": None}, {}, -32020, 400),
        ({}, {"_meta": {}}, -32602, 400),
        ({}, {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}}, -32020, 400),
        ({"MCP-Protocol-Version": "2030-01-01"}, {"_meta": {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}}, -32022, 400),
        ({"Mcp-Name": "nothing"}, {"name": "nothing"}, -32602, 400),
        ({}, {"arguments": {"customer": 1}}, -32602, 400),
        ({"Mcp-Name": "wipe"}, {"name": "wipe", "arguments": {}}, -32003, 200),
    ],
)  # fmt: skip
def test_headers_and_body_that_differ_are_refused(
    agent: Agent, tools: ToolServer, headers: dict[str, str | None], body: dict[str, Any], code: int, status: int
) -> None:
    answer = agent.post(call(**body), **{**HEADERS, **headers})
    assert (answer.json()["error"]["code"], answer.status_code) == (code, status), answer.text
    assert not tools.seen


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/get", "x"])
def test_what_the_revision_has_not_is_refused(agent: Agent, method: str) -> None:
    said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": META}}
    answer = agent.post(said, **{**HEADERS, "Mcp-Method": method, "Mcp-Name": None})
    assert (answer.json()["error"]["code"], answer.status_code) == (-32601, 404)


def test_what_comes_back_says_that_it_is_whole_and_for_nobody_to_keep(agent: Agent) -> None:
    said = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    result = agent.post(said, **{**HEADERS, "Mcp-Method": "tools/list", "Mcp-Name": None}).json()["result"]
    assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 0, "private")
    note = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": {}}
    assert agent.post(note, **HEADERS).status_code == 202
    assert agent.post({"jsonrpc": "2.0", "id": 1, "result": {}}, **HEADERS).status_code in {400, 404}
