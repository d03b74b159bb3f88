"""Tool servers that the gate runs itself: what they are given, how long they live, how they end."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from agents import actions as inventory
from agents import tool_actions
from agents.models import Resource
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.doors import client
from tests.gateway.wire.http.agent import last
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.conftest import accept_all, behind
from tests.gateway.wire.world import World, eventually

PROGRAM = Path(__file__).with_name("stdio_server.py")
SECRET = "sk-program-very-secret"


@pytest.fixture(scope="module")
def lines(standing_world: World) -> None:
    """The program behind the gate; its list is read because an administrator named it."""
    world = standing_world
    resource = behind(world, "lines", 1)
    inventory.store_secret(resource.id, user="API_KEY", password=SECRET, actor=world.cast.engineer)
    tool_actions.run_command(resource.id, command=[sys.executable, "-I", str(PROGRAM)], actor=world.cast.administrator)
    assert eventually(lambda: resource.definitions.count() == 6, within=20)
    accept_all(world, resource)


@pytest.fixture
def agent(standing_world: World, door: str, lines: None) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        yield Agent(standing_world, door, http, "lines")


def process_of(agent: Agent) -> int:
    return int(agent.begin()["result"]["serverInfo"]["version"])


def is_alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return "zombie" not in Path(f"/proc/{process}/status").read_text().split("State:")[1].split("\n")[0]
    return False


def test_a_program_gets_its_secret_and_nothing_else(agent: Agent) -> None:
    agent.begin()
    given = json.loads(agent.call("environment")["content"][0]["text"])
    given.pop("LC_CTYPE", None)  # Python sets it for itself
    assert given == {"API_KEY": "*" * len(SECRET)}
    folder, found, descriptors = json.loads(agent.call("folder")["content"][0]["text"])
    assert "narrowgate-tool-" in folder
    assert found == []
    assert len(descriptors) <= 4  # its three, and the one it lists them by
    used = json.loads(bytes(Outbox.objects.filter(event=Event.SECRET_USED).latest("id").leaf))
    assert used["subject"]["name"] == "lines"


def test_each_session_has_a_program_that_ends_with_it(agent: Agent) -> None:
    first = process_of(agent)
    headers = agent.headers()
    second = process_of(agent)
    assert first != second
    child = int(agent.call("child")["content"][0]["text"])
    assert is_alive(child)
    assert agent.http.delete("/mcp/lines", headers=headers).status_code == 204
    assert agent.http.delete("/mcp/lines", headers=agent.headers()).status_code == 204
    assert eventually(lambda: not any(map(is_alive, (first, second, child))), within=15)


def test_a_program_that_dies_ends_the_session_and_leaves_the_action_uncertain(agent: Agent) -> None:
    agent.begin()
    error = agent.call("dies")
    assert error["data"]["code"] == "resource_unavailable"
    assert last(id=error["data"]["action"], status="uncertain")
    assert agent.call("environment")["data"]["code"] == "session_ended"


def test_a_program_that_says_too_much_is_cut_off(agent: Agent) -> None:
    agent.begin()
    assert agent.call("shouts")["data"]["code"] == "resource_unavailable"


def test_a_cancelled_call_is_uncertain(agent: Agent) -> None:
    agent.begin()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(agent.call, "sleeps")
        assert last(shape="sleeps", status="released")
        agent.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": agent._number}})
        assert asked.result(20)["data"]["code"] == "cancelled"
    assert last(shape="sleeps", status="uncertain")


@pytest.mark.parametrize("user", ["LD_PRELOAD", "PATH", "A B", "PYTHONPATH"])
def test_a_secret_is_no_way_to_change_what_runs(standing_world: World, agent: Agent, user: str) -> None:
    resource = Resource.objects.get(name="lines")
    inventory.store_secret(resource.id, user=user, password="/nowhere/evil.so", actor=standing_world.cast.engineer)
    watch = standing_world.gateway.service._watch
    standing_world.gateway.run(watch.refresh())
    assert agent.begin()["error"]["data"]["code"] == "no_login"
    inventory.store_secret(resource.id, user="API_KEY", password=SECRET, actor=standing_world.cast.engineer)
    standing_world.gateway.run(watch.refresh())


def test_a_program_that_is_not_there_is_said(standing_world: World) -> None:
    world = standing_world
    resource = behind(world, "nowhere", 1)
    tool_actions.run_command(resource.id, command=["/nowhere/at/all"], actor=world.cast.administrator)

    def problem() -> str:
        resource.refresh_from_db()
        return str(type(resource).objects.get(id=resource.id).tool_server.problem)

    assert eventually(problem, within=20) == "The tool server's program cannot be started."
