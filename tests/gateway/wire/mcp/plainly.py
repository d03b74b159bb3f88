"""An agent's own relay: plain HTTP on this machine, for clients that know neither TLS nor tokens. It says who asks, and changes nothing else."""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.gateway.wire.doors import trusting
from tests.gateway.wire.mcp.agent import Agent

KEPT = {
    "accept",
    "content-type",
    "mcp-session-id",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "origin",
    "last-event-id",
}


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agent: Agent

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""

    def do_any(self) -> None:
        port = int(self.agent.door.rpartition(":")[2])
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() in KEPT}
        if headers.get("Origin", headers.get("origin")) in self.own:
            headers = {name: value for name, value in headers.items() if name.lower() != "origin"} | {
                "Origin": self.agent.door
            }
        headers["Authorization"] = f"Bearer {self.agent.token}"
        upstream = http.client.HTTPSConnection("localhost", port, context=trusting(self.agent.world), timeout=30)
        with suppress(OSError):
            upstream.request(self.command, f"/mcp/{self.agent.name}", body or None, headers)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() in {"content-type", "mcp-session-id", "www-authenticate"}:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := answer.read1(65_536):
                self.wfile.write(piece)
                self.wfile.flush()
        upstream.close()
        self.close_connection = True

    do_POST = do_GET = do_DELETE = do_any  # noqa: N815 -- http.server names them

    @property
    def own(self) -> set[str]:
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        return {f"http://localhost:{port}", f"http://127.0.0.1:{port}"}


def relayed(agent: Agent) -> ThreadingHTTPServer:
    """A running one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Relay,), {"agent": agent}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
