"""An agent's program that speaks MCP: by hand, message by message, or with the official SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.gateway.wire.doors import trusting
from tests.gateway.wire.world import World

T = TypeVar("T")
BOTH = "application/json, text/event-stream"


class Agent:
    """An agent's program. `said` are the messages that came before the last answer."""

    def __init__(self, world: World, door: str, http: httpx.Client, name: str = "till") -> None:
        self.world, self.door, self.http, self.name = world, door, http, name
        self.token = world.token(resource=name)
        self.session = ""
        self.said: list[dict[str, Any]] = []
        self._number = 0

    # ---- by hand ----
    def headers(self, **changed: str | None) -> dict[str, str]:
        given: dict[str, str | None] = {
            "Authorization": f"Bearer {self.token}", "Accept": BOTH, "Content-Type": "application/json",
            "Mcp-Session-Id": self.session or None, **changed,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}

    def post(self, said: Any, **headers: str | None) -> httpx.Response:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return self.http.post(f"/mcp/{self.name}", content=body, headers=self.headers(**headers))

    def begin(self, **capabilities: Any) -> dict[str, Any]:
        """`initialize`, and what comes with it."""
        self.session = ""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "tests", "version": "1"},
        }
        answer = self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        if "result" in said:
            self.session = answer.headers["mcp-session-id"]
            noted = self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
            assert (noted.status_code, noted.content) == (202, b"")
        return said

    def ask(self, method: str, params: dict[str, Any] | None = None, **headers: str | None) -> dict[str, Any]:
        """A request and its answer."""
        self._number += 1
        said = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}}
        answer = self.post(said, **headers)
        assert answer.status_code == 200, answer.text
        messages = messages_of(answer)
        self.said = messages[:-1]
        assert messages[-1]["id"] == self._number
        return messages[-1]

    def call(self, tool: str, _meta: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a tool; its result, or the error."""
        more = {"_meta": _meta} if _meta else {}
        said = self.ask("tools/call", {"name": tool, "arguments": arguments, **more})
        found: dict[str, Any] = said.get("result") or said["error"]
        return found

    # ---- with the SDK ----
    def run(self, work: Callable[[Client], Awaitable[T]], mode: Any = "legacy", **options: Any) -> T:
        """Let the official client do `work`."""

        async def run() -> T:
            http = httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {self.token}"}, verify=trusting(self.world), timeout=30
            )
            async with (
                http,
                Client(
                    streamable_http_client(f"{self.door}/mcp/{self.name}", http_client=http), mode=mode, **options
                ) as client,
            ):
                return await work(client)

        return asyncio.run(run())


def messages_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The messages in an answer, however it came."""
    if answer.headers["content-type"] == "application/json":
        return [answer.json()]
    assert answer.headers["content-type"] == "text/event-stream"
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]
