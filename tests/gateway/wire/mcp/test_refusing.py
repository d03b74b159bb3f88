"""What never reaches a tool server, however it is written, and whose session is whose."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from activity.models import Action
from agents import actions as inventory
from agents import keys, tokens
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.doors import trusting
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.toolserver import ToolServer
from tests.gateway.wire.world import eventually, token_request

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "refund", "arguments": {"customer": 1, "amount": 1}},
}


def call(**changed: Any) -> dict[str, Any]:
    return {**CALL, "params": {**CALL["params"], **changed}}  # type: ignore[dict-item]  # as JSON is


def token_of(agent: Agent, name: str) -> str:
    """A token for the till of another agent, which the gate knows already."""
    key, world = keys.generate("ES256"), agent.world
    other = inventory.enrol(
        name, purpose="Helps", segment=world.segment, owner=world.cast.owner, public_jwk=keys.public_jwk(key),
        actor=world.cast.engineer,
    )  # fmt: skip
    watch = world.gateway.service._watch
    eventually(lambda: name in watch.current().agents)
    return tokens.issue(token_request(other, key, resource="till")).access_token


# ---- denied ----
@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "wipe", "arguments": {}}, "no_match"),
        ("tools/call", {"name": "nothing", "arguments": {}}, "unlisted_tool"),
        ("tools/call", {"name": "refund", "arguments": {"customer": 1}}, "invalid_params"),
        ("tools/call", {"name": "refund", "arguments": {"customer": 1, "amount": "5000"}}, "invalid_params"),
        ("tools/call", {"name": "refund", "arguments": []}, "invalid_params"),
        ("tools/call", {"name": ["refund"]}, "invalid_params"),
        ("tools/call", {"name": "refund", "arguments": {"customer": 1, "amount": 1}, "more": 1}, "invalid_params"),
        ("tools/call", {"name": "leak", "arguments": {"__entity": {"type": "Agent", "id": "x"}}}, "invalid_params"),
        ("tools/call", {"name": "leak", "arguments": {"n": 2**60}}, "invalid_params"),
        ("resources/read", {"uri": "till://secret/plan"}, "forbidden"),
        ("resources/read", {}, "invalid_params"),
        ("prompts/get", {"name": "letter", "arguments": {"name": 3}}, "invalid_params"),
        ("completion/complete", {"ref": {"type": "ref/tool", "name": "refund"}}, "invalid_params"),
        ("logging/setLevel", {"level": "loud"}, "invalid_params"),
        ("tools/list", {"cursor": "x"}, "invalid_params"),
        ("tasks/more", {}, "unknown_method"),
        ("admin/shutdown", {}, "unknown_method"),
        ("sampling/createMessage", {}, "unknown_method"),
        ("notifications/tools/list_changed", {}, "unknown_method"),
    ],
)  # fmt: skip
def test_what_is_not_understood_or_not_permitted_is_denied_and_recorded(
    agent: Agent, tools: ToolServer, method: str, params: dict[str, Any], code: str
) -> None:
    agent.begin()
    error = agent.ask(method, params)["error"]
    assert error["data"]["code"] == code
    assert error["data"].get("remedy")
    action = Action.objects.get(id=error["data"]["action"])
    assert (action.status, action.code) == ("denied", code)
    assert not tools.seen


def test_a_denied_agent_begins_no_session(agent: Agent, tools: ToolServer) -> None:
    other = token_of(agent, "reports.staging")
    agent.token = other
    error = agent.begin()["error"]
    assert error["data"]["code"] == "no_match"
    assert Action.objects.get(id=error["data"]["action"]).shape == "initialize"
    assert not tools.headers


# ---- messages ----
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"{}",
        json.dumps([CALL]).encode(),
        b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "leak", "name": "wipe", "arguments": {}}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": NaN}}',
        b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": null, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": true, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": "", "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}',
        b'{"jsonrpc": "2.0", "id": 1, "method": 7}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}}',
        b'{"jsonrpc": "2.0", "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ' + b'{"a":' * 60 + b"1" + b"}" * 61,
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        json.dumps(call(arguments={"n": list(range(3_000))})).encode(),
    ],
)  # fmt: skip
def test_what_is_no_message_of_the_protocol_is_refused(agent: Agent, tools: ToolServer, body: bytes) -> None:
    agent.begin()
    tools.headers.clear()
    answer = agent.post(body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] in {-32700, -32600}
    assert not tools.headers


def test_what_is_too_long_is_refused(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    answer = agent.post(json.dumps(call(arguments={"x": "y" * 1_100_000})).encode())
    assert answer.status_code == 413
    assert not tools.seen


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": None}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Accept": "application/json"}, 406),
        ({"Accept": "text/html"}, 406),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"MCP-Protocol-Version": "1999-01-01"}, 400),
        ({"MCP-Protocol-Version": "2025-06-18"}, 400),
        ({"Mcp-Session-Id": "none-such"}, 404),
        ({"Mcp-Session-Id": None}, 404),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer x"}, 401),
    ],
)
def test_headers_that_do_not_fit_are_refused(
    agent: Agent, tools: ToolServer, headers: dict[str, str | None], status: int
) -> None:
    agent.begin()
    answer = agent.post(CALL, **headers)
    assert answer.status_code == status, answer.text
    assert not tools.seen


def test_the_gates_own_origin_may_ask(agent: Agent) -> None:
    agent.begin()
    assert agent.post(CALL, Origin=agent.door).status_code == 200


def test_a_client_without_a_token_is_told_where_to_get_one(agent: Agent) -> None:
    answer = agent.post(CALL, Authorization=None)
    challenge = answer.headers["www-authenticate"]
    place = challenge.partition('resource_metadata="')[2].rstrip('"')
    assert place == f"{agent.door}/.well-known/oauth-protected-resource/mcp/till"
    said = agent.http.get(place).json()
    assert said["resource"] == f"{agent.door}/mcp/till"
    assert said["authorization_servers"] == [agent.door]
    agent.token = agent.world.token(resource=said["resource"])
    agent.begin()
    assert agent.post(CALL).status_code == 200


# ---- sessions ----
def test_a_session_is_its_owners(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    other = token_of(agent, "support.staging")
    kept, agent.token = agent.token, other
    foreign = agent.post(CALL)
    unknown = agent.post(CALL, **{"Mcp-Session-Id": "A" * 32})
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    assert not tools.seen
    agent.token = kept
    assert agent.post(CALL).status_code == 200


def test_a_newer_token_goes_on_with_a_session(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    agent.token = agent.world.token(resource="till")
    assert agent.post(CALL).status_code == 200


def test_a_token_for_another_resource_is_refused_and_recorded(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    tools.headers.clear()
    agent.token = agent.world.token(resource="shop")
    assert (agent.post(CALL).status_code, tools.headers) == (403, [])
    entry = json.loads(bytes(Outbox.objects.filter(event=Event.SESSION_REFUSED).latest("id").leaf))
    assert (entry["details"]["code"], entry["subject"]["name"]) == ("wrong_resource", "till")


def test_the_servers_own_session_is_no_agents_to_see(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    agent.call("refund", customer=1, amount=1)
    theirs = {one["mcp-session-id"] for one in tools.headers if "mcp-session-id" in one}
    assert len(theirs) == 1
    assert agent.session not in theirs
    assert agent.post(CALL, **{"Mcp-Session-Id": theirs.pop()}).status_code == 404


def test_a_message_that_comes_byte_by_byte_is_one(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    body = json.dumps(CALL).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in agent.headers().items())
    text = (
        f"POST /mcp/till HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    port = int(agent.door.rpartition(":")[2])
    with (
        socket.create_connection(("localhost", port), timeout=20) as plain,
        trusting(agent.world).wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        for byte in text.encode() + body:
            stream.send(bytes([byte]))
        got = b""
        while piece := stream.recv(65_536):
            got += piece
    assert got.startswith(b"HTTP/1.1 200")
    assert tools.seen == [("refund", 1)]


def test_a_message_that_ends_too_early_is_none(agent: Agent, tools: ToolServer) -> None:
    agent.begin()
    body = json.dumps(CALL).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in agent.headers().items())
    text = f"POST /mcp/till HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {len(body) + 5}\r\n\r\n"
    port = int(agent.door.rpartition(":")[2])
    with (
        socket.create_connection(("localhost", port), timeout=20) as plain,
        trusting(agent.world).wrap_socket(plain, server_hostname="localhost") as stream,
    ):
        stream.sendall(text.encode() + body)
    assert last(shape="initialize")
    assert not tools.seen
