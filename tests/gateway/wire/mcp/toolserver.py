"""A tool server for tests, made with the official SDK: a till that pays back, knows customers, and asks questions."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel

SECRET = "sk-tools-very-secret-0815"


class Customer(BaseModel):
    id: int
    name: str
    email: str


class Answer(BaseModel):
    yes: bool


async def _really() -> Elicit[Answer]:
    return Elicit("Really?", Answer)


@dataclass
class ToolServer:
    """A running server. `seen` are the calls that reached it; with `legacy` it knows no revision but those with a session."""

    legacy: bool = True
    port: int = 0
    seen: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    server: MCPServer = field(init=False)
    go: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Callable[[], None]:
        """Serve; gives what ends it."""
        self.server = made(self)
        app = self.server.streamable_http_app(
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
        )
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._wrapped(app), log_config=None, access_log=False, timeout_graceful_shutdown=0, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), daemon=True)
        thread.start()

        def end() -> None:
            server.should_exit = server.force_exit = True
            thread.join(10)

        return end

    def _wrapped(self, app: Any) -> Callable[..., Awaitable[None]]:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                given = {name.decode(): value.decode() for name, value in scope["headers"]}
                self.headers.append(given)
                if self.legacy and given.get("mcp-protocol-version") == "2026-07-28":
                    await send(
                        {"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]}
                    )
                    await send({"type": "http.response.body", "body": b"no"})
                    return
            await app(scope, receive, send)

        return wrapped


def made(world: ToolServer) -> MCPServer:
    """The server, with its tools, resources and prompts."""
    server = MCPServer("till", version="3", instructions="Be brief.")
    _plain(server, world)
    _talkative(server, world)
    _texts(server, world)
    return server


def _plain(server: MCPServer, world: ToolServer) -> None:
    @server.tool()
    def refund(customer: int, amount: int) -> str:
        """Pay money back."""
        world.seen.append(("refund", amount))
        return f"paid {amount} to {customer}"

    @server.tool()
    def customer(number: int) -> Customer:
        """One customer."""
        world.seen.append(("customer", number))
        return Customer(id=number, name="Ann", email="ann@example.com")

    @server.tool()
    def leak() -> str:
        """Say the secret, and another that nobody has tagged."""
        return f"it is {SECRET}, and there is AKIAIOSFODNN7EXAMPLE"

    @server.tool()
    def wipe() -> str:
        """Delete everything."""
        world.seen.append(("wipe", None))
        return "gone"

    @server.tool()
    def fails() -> str:
        """Fail."""
        raise ValueError("no such thing as ann@example.com")

    @server.tool()
    async def waits() -> str:
        """Take long."""
        world.seen.append(("waits", None))
        await asyncio.to_thread(world.go.wait, 20)
        return "waited"


def _talkative(server: MCPServer, world: ToolServer) -> None:
    @server.tool()
    async def counts(ctx: Context) -> str:
        """Say how far it is."""
        for step in (1, 2, 3):
            await ctx.report_progress(step, 3, f"step {step}")
        return "counted"

    @server.tool()
    async def confirms(ctx: Context) -> str:
        """Ask the user."""
        said = await ctx.elicit("Really?", Answer)
        world.seen.append(("confirms", said.action))
        return said.action

    @server.tool()
    async def sure(said: Annotated[Answer, Resolve(_really)]) -> str:
        """Ask the user, in whatever revision."""
        return "yes" if said.yes else "no"

    @server.tool()
    async def thinks(ctx: Context) -> str:
        """Use the agent's model."""
        message = SamplingMessage(role="user", content=TextContent(type="text", text="Think."))
        with warnings.catch_warnings():  # the SDK warns that the newest revision has it no longer
            warnings.simplefilter("ignore")
            said = await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
        world.seen.append(("thinks", str(said.content)))
        return "thought"


def _texts(server: MCPServer, world: ToolServer) -> None:
    @server.resource("till://today", description="Today's takings")
    def today() -> str:
        world.seen.append(("till://today", None))
        return '{"total": 12, "email": "ann@example.com"}'

    @server.resource("till://secret/plan")
    def plan() -> str:
        return "a secret plan"

    @server.prompt()
    def letter(name: str) -> str:
        """A letter to a customer."""
        return f"Write to {name}."
