"""Calls of a tool through the gate, beside direct and beside fastmcp's proxy and IBM's ContextForge, in one run.

Every call through the gate is checked against its tool's schema, decided, and recorded in the ledger before it goes up: that is what the
others do not do. The gate has TLS towards the client, the others have not. All speak revision 2025-11-25 with a session; the server is
the official SDK's, the same for all, in a process of its own.

    python bench/gateway_mcp.py --json [--quick]

The peers are installed for the run alone, each in a virtual environment of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpcore
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import gateway_world
from bench.compared import installed
from bench.printed import printed

CASES = (1, 8)
ROUNDS = 3
GATE, FASTMCP, FORGE, DIRECT = "gate", "fastmcp", "contextforge", "direct"
NAME = "till"
PROXY = "from fastmcp.server import create_proxy\ncreate_proxy('http://127.0.0.1:{up}/mcp').run(transport='http', host='127.0.0.1', port={port}, show_banner=False, log_level='ERROR')\n"


@dataclass
class Sample:
    """What one run measured: calls a second, and the latency of each in milliseconds."""

    rate: float
    latencies: list[float] = field(repr=False)


@dataclass(frozen=True)
class Peer:
    """Where calls go."""

    address: str
    token: str = ""
    tool: str = "add"
    tls: ssl.SSLContext | None = None


class Client:
    """A client that costs as little as it can: one connection, one session."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._pool = httpcore.AsyncConnectionPool(ssl_context=peer.tls, max_connections=2)
        self._headers = [("Accept", "application/json, text/event-stream"), ("Content-Type", "application/json")]
        self._headers += [("Authorization", f"Bearer {peer.token}")] if peer.token else []
        self._number = 0

    async def begin(self) -> None:
        """`initialize`, and what comes with it."""
        about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
        answer = await self._post({"id": 0, "method": "initialize", "params": about})
        session = next((value.decode() for name, value in answer.headers if name.lower() == b"mcp-session-id"), "")
        self._headers += [("Mcp-Session-Id", session)] if session else []
        self._headers.append(("MCP-Protocol-Version", "2025-11-25"))
        await self._post({"method": "notifications/initialized"})

    async def call(self) -> None:
        """One call of the tool."""
        self._number += 1
        params = {"name": self._peer.tool, "arguments": {"a": self._number, "b": 2}}
        answer = await self._post({"id": self._number, "method": "tools/call", "params": params})
        if str(self._number + 2).encode() not in answer.content:
            raise SystemExit(f"{self._peer.address} answered {answer.content[:500]!r}")

    async def _post(self, said: dict[str, Any]) -> httpcore.Response:
        body = json.dumps({"jsonrpc": "2.0", **said}).encode()
        return await self._pool.request("POST", self._peer.address, headers=self._headers, content=body)

    async def end(self) -> None:
        """Hang up."""
        await self._pool.aclose()


async def sample(peer: Peer, clients: int, seconds: float) -> Sample:
    """Let `clients` call one call after another."""
    latencies: list[float] = []
    ends = time.perf_counter() + seconds

    async def work(client: Client) -> None:
        while (began := time.perf_counter()) < ends:
            await client.call()
            latencies.append((time.perf_counter() - began) * 1000)

    working = [Client(peer) for _ in range(clients)]
    for client in working:
        await client.begin()
        await client.call()
    ends = time.perf_counter() + seconds
    await asyncio.gather(*map(work, working))
    for client in working:
        await client.end()
    return Sample(len(latencies) / seconds, latencies)


def measure(peers: dict[str, Peer], seconds: float) -> dict[tuple[str, int], list[Sample]]:
    """Samples of every peer and case, in turns, so that a slow moment of the machine hits all alike."""
    samples: dict[tuple[str, int], list[Sample]] = {}
    for _ in range(ROUNDS):
        for clients in CASES:
            for name, peer in peers.items():
                samples.setdefault((name, clients), []).append(asyncio.run(sample(peer, clients, seconds)))
    return samples


def figures(samples: dict[tuple[str, int], list[Sample]], names: list[str]) -> list[dict[str, Any]]:
    """Medians, as the design's contract has them."""
    found = []
    for clients in CASES:
        rate = {name: statistics.median(one.rate for one in samples[name, clients]) for name in names}
        late = {
            name: statistics.median(statistics.median(one.latencies) for one in samples[name, clients])
            for name in names
        }
        found.append(_figure("throughput", clients, "calls/s", rate, more=True))
        found.append(_figure("p50_ms", clients, "ms", late, more=False))
        found.append(_figure("added_p50_ms", clients, "ms over direct", _over(late), more=False))
    return found


def _over(late: dict[str, float]) -> dict[str, float]:
    return {name: value - late[DIRECT] for name, value in late.items() if name != DIRECT}


def _figure(metric: str, clients: int, unit: str, values: dict[str, float], *, more: bool) -> dict[str, Any]:
    ours, rivals = values[GATE], [values[name] for name in (FASTMCP, FORGE)]
    rival = max(rivals) if more else min(rivals)
    holds = ours > rival if more else ours < rival
    return {
        "metric": metric,
        "case": f"{clients} client{'s' if clients > 1 else ''}",
        "unit": unit,
        "ours": round(ours, 3),
        "peers": {name: round(value, 3) for name, value in values.items() if name != GATE},
        "ratio": round(ours / rival, 3) if rival else None,
        "mark": "ahead of both" if metric != "added_p50_ms" else None,
        "holds": holds if metric != "added_p50_ms" else None,
    }


# ---- what is measured ----
def upstream(port: int) -> None:
    """Run the tool server."""
    import uvicorn
    from mcp.server import MCPServer

    server = MCPServer("till")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    app = server.streamable_http_app(json_response=True)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def _put_behind(port: int) -> None:
    """The tool server behind the gate, its list accepted; the world's policy permits it."""
    from accounts.models import Role, User
    from agents import actions as inventory
    from agents import tool_actions
    from agents.models import Segment

    engineer = User.objects.get(roles__contains=[Role.ENGINEER])
    segment = Segment.objects.get(name="production")
    till = inventory.add_resource(
        NAME, kind="mcp", segment=segment, host="127.0.0.1", port=port, path="/mcp", tls="off", connections=100,
        actor=engineer,
    )  # fmt: skip
    tool_actions.ask_to_read(till.id, actor=engineer)
    deadline = time.monotonic() + 30
    while not till.definitions.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    seen = {one.pk: one.digest for one in till.definitions.all()}
    tool_actions.accept(till.id, seen=seen, actor=engineer)


@contextmanager
def fastmcp(up: int, folder: Path) -> Iterator[int]:
    """Fastmcp's own proxy before the same server."""
    port, python = gateway_world.free_port(), installed("fastmcp", folder)
    command = [python, "-c", PROXY.format(up=up, port=port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        gateway_world.wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def forge(up: int, folder: Path) -> Iterator[Peer]:
    """ContextForge before the same server, with its own database (SQLite) and its own sign-in, as it comes but for its limit of a hundred requests a minute."""
    port, python = gateway_world.free_port(), installed("mcp-contextforge-gateway", folder)
    secret = secrets.token_urlsafe(48)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "DATABASE_URL": f"sqlite:///{folder}/forge.db", "JWT_SECRET_KEY": secret,
        "AUTH_ENCRYPTION_SECRET": secret, "PLATFORM_ADMIN_EMAIL": "bench@example.com", "PLATFORM_ADMIN_PASSWORD": f"Bench-{secret}",
        "BASIC_AUTH_PASSWORD": f"Bench-{secret}", "MCPGATEWAY_UI_ENABLED": "false", "LOG_LEVEL": "ERROR", "RATE_LIMITING_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true", "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    }  # fmt: skip
    command = [str(Path(python).with_name("mcpgateway")), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        gateway_world.wait_for_port(port, 240)  # it makes its database first
        token = _forge_token(python, secret, environment)
        said = {"name": NAME, "url": f"http://127.0.0.1:{up}/mcp", "transport": "STREAMABLEHTTP"}
        answer = httpx.post(
            f"http://127.0.0.1:{port}/gateways", json=said, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )
        answer.raise_for_status()
        yield Peer(f"http://127.0.0.1:{port}/mcp/", token, f"{NAME}-add")
    finally:
        process.terminate()
        process.wait(20)


def _forge_token(python: str, secret: str, environment: dict[str, str]) -> str:
    command = [python, "-m", "mcpgateway.utils.create_jwt_token", "--username", "bench@example.com", "--exp", "60"]
    made = subprocess.run(
        [*command, "--secret", secret, "--admin"], env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.strip().splitlines()[-1]


def compared(quick: bool) -> list[dict[str, Any]]:
    """The figures of ours and of the peers, in one run."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="narrowgate-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(gateway_world.running(folder))
        up, port = gateway_world.free_port(), gateway_world.free_port()
        for part, number, module in (("upstream", up, "bench.gateway_mcp"), ("door", port, "bench.gateway_world")):
            stack.enter_context(gateway_world.process(part, number, module))
            gateway_world.wait_for_port(number)
        _put_behind(up)
        proxy = stack.enter_context(fastmcp(up, folder))
        forged = stack.enter_context(forge(up, folder))
        tls = ssl.create_default_context(cafile=str(world.ca))
        peers = {
            DIRECT: Peer(f"http://127.0.0.1:{up}/mcp"),
            FASTMCP: Peer(f"http://127.0.0.1:{proxy}/mcp"),
            FORGE: forged,
            GATE: Peer(f"https://localhost:{port}/mcp/{NAME}", world.token(NAME), tls=tls),
        }
        return figures(measure(peers, 1 if quick else 5), list(peers))


def main() -> None:
    """Measure, and print."""
    printed("gateway_mcp", __doc__, compared)


if __name__ == "__main__":
    main()
