"""A tool server behind the gate, whose list a person has accepted, and an agent's program that speaks MCP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agents import actions as inventory
from agents import tool_actions
from agents.models import Resource
from approvals.models import Hold
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.crooked import Crooked
from tests.gateway.wire.mcp.toolserver import SECRET, ToolServer
from tests.gateway.wire.world import World, eventually


def behind(world: World, name: str, port: int, *, path: str = "/mcp") -> Resource:
    """Put a tool server behind the gate, and wait until that knows it."""
    made = inventory.add_resource(
        name, kind="mcp", segment=world.segment, owner=world.cast.owner, actor=world.cast.engineer, host="127.0.0.1",
        port=port, path=path, tls="off", connections=20,
    )  # fmt: skip
    watch = world.gateway.service._watch
    assert eventually(lambda: name in watch.current().resources)
    return made


def accept_all(world: World, resource: Resource) -> None:
    """Accept everything that was seen."""
    seen = {one.pk: one.digest for one in resource.definitions.filter(gone_at=None, problem="")}
    tool_actions.accept(resource.id, seen=seen, actor=world.cast.engineer)


@contextmanager
def crooked_at(world: World, door: str, name: str) -> Iterator[Crooked]:
    """A tool server that can be made to do anything, behind the gate, with all that it offers accepted."""
    crooked = Crooked()
    running = crooked.start()
    resource = behind(world, name, crooked.port)
    with client(world, door) as http:
        agent = Agent(world, door, http, name)
        agent.begin()
        agent.ask("tools/list")
    accept_all(world, resource)
    yield crooked
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def door(standing_world: World) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


@pytest.fixture(scope="module")
def tools(standing_world: World, door: str) -> Iterator[ToolServer]:
    """The server, with all that it offers accepted."""
    tools = ToolServer()
    end = tools.start()
    till = behind(standing_world, "till", tools.port)
    inventory.store_secret(till.id, user="Bearer", password=SECRET, actor=standing_world.cast.engineer)
    inventory.confirm_tag(
        till.id, schema="response", table="customer", column="email", tag="email", actor=standing_world.cast.engineer
    )
    with client(standing_world, door) as http:
        agent = Agent(standing_world, door, http)
        agent.begin()
        agent.ask("tools/list")
    eventually(till.definitions.exists)
    accept_all(standing_world, till)
    yield tools
    end()


@pytest.fixture
def agent(standing_world: World, door: str, tools: ToolServer) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        tools.seen.clear()
        tools.headers.clear()
        yield Agent(standing_world, door, http)
    Hold.objects.filter(status="waiting").update(status="withdrawn")
