"""A tool server that is wrong on purpose: its list, its answers and what it says beside them are what a test makes them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOOL = {"name": "look", "description": "Looks.", "inputSchema": {"type": "object"}}
DONE = {"content": [{"type": "text", "text": "done"}]}


def sse(*messages: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in messages)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    crooked: Crooked

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.crooked.seen.append(said)
        if self.headers.get("Mcp-Protocol-Version") == "2026-07-28":
            self.reply(400, b"no", "text/plain")
        elif "id" not in said or "method" not in said:
            self.reply(202, b"", "application/json")
        else:
            self.crooked.answer(self, said)

    def do_GET(self) -> None:
        self.reply(405, b"", "text/plain")

    def do_DELETE(self) -> None:
        self.reply(200, b"", "text/plain")

    def result(self, said: Any, result: Any, **more: Any) -> None:
        body = {"jsonrpc": "2.0", "id": said["id"], "result": result, **more}
        self.reply(200, json.dumps(body).encode(), "application/json")

    def reply(self, status: int, body: bytes, media: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pieces(self, body: bytes, size: int) -> None:
        """A stream of events, cut into pieces."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for at in range(0, len(body), size):
            self.wfile.write(body[at : at + size])
            self.wfile.flush()
        self.close_connection = True


@dataclass
class Crooked:
    """A running one. `calls` answers `tools/call`."""

    port: int = 0
    seen: list[Any] = field(default_factory=list)
    tools: list[Any] = field(default_factory=lambda: [TOOL])
    welcome: dict[str, Any] = field(default_factory=dict)
    calls: Callable[[Handler, Any], None] = lambda handler, said: handler.result(said, DONE)

    def answer(self, handler: Handler, said: Any) -> None:
        if said["method"] == "initialize":
            about = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}}}
            handler.result(said, about | {"serverInfo": {"name": "crooked", "version": "1"}} | self.welcome)
        elif said["method"] == "tools/list":
            handler.result(said, {"tools": self.tools})
        else:
            self.calls(handler, said)

    def start(self) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"crooked": self}))
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server
