"""An API for tests: it records every request, byte for byte as it arrived, and answers as the path asks."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "sk-live-very-secret-4711"

FOUND = b'{"card": 4111111111111111, "note": "key AKIAIOSFODNN7EXAMPLE\\n4111 1111 1111 1111", "mail": "ann@example.com", "price": 1.50}'

CUSTOMERS = [
    {"id": 1, "name": "Ann", "email": "ann@example.com", "address": {"city": "Bonn", "phone": "+49 228 1"}},
    {"id": 2, "name": "Ben", "email": "ben@example.com", "address": None},
]


@dataclass
class Seen:
    """One request that reached the API."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name.lower()]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: Api

    def log_message(self, *_words: Any) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        if self.path.endswith("/refused"):  # before it is read
            self.reply(413, b'{"error": "too long"}')
            self.close_connection = True
            with suppress(OSError):  # what is still coming is taken and dropped: a reset could overtake the answer
                while self.rfile.read1():
                    pass
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.api.seen.append(Seen(self.requestline, list(self.headers.items()), body))
        path = self.path.removeprefix("/v1").partition("?")[0]
        getattr(self, f"do_{path.strip('/').split('/')[0] or 'root'}", self.nothing)(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = handle_any  # noqa: N815 -- http.server names them

    def reply(self, status: int, body: bytes, media: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def nothing(self, _body: bytes) -> None:
        self.reply(404, b'{"error": "nothing here"}')

    def do_customers(self, _body: bytes) -> None:
        data = json.dumps({"data": CUSTOMERS, "total": 2}).encode()
        if "packed" in self.path:
            self.reply(200, gzip.compress(data), Content_Encoding="gzip")
        elif "brotli" in self.path:
            self.reply(200, data, Content_Encoding="br")
        elif "broken" in self.path:
            self.reply(200, data[:-5])
        elif "html" in self.path:
            self.reply(200, b"<p>ann@example.com</p>", "text/html")
        elif "error" in self.path:
            self.reply(500, json.dumps({"data": CUSTOMERS}).encode())
        else:
            self.reply(200, data, Set_Cookie="session=1", Server="secret/1.0", ETag='"7"')

    def do_transfers(self, body: bytes) -> None:
        self.reply(201, b'{"id": "t1", "got": %d}' % len(body))

    def do_files(self, body: bytes) -> None:
        self.reply(201, b'{"got": %d}' % len(body))

    def do_echo(self, _body: bytes) -> None:
        said = "\n".join(f"{name}: {value}" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Request-Id", f"for {SECRET}")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (said[at : at + 5] for at in range(0, len(said), 5)):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_events(self, _body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):
            for number in range(1_000):
                self.wfile.write(b"data: %d\n\n" % number)
                self.wfile.flush()
                if not self.api.more.wait(30):
                    return
                self.api.more.clear()
        self.api.left.set()

    def do_moved(self, _body: bytes) -> None:
        self.reply(
            302,
            b"",
            Location={"/v1/moved/away": "https://evil.test/v1/x", "/v1/moved/up": "/other/x"}.get(
                self.path, "/v1/customers?page=2"
            ),
        )

    def do_secrets(self, _body: bytes) -> None:
        """What nobody has tagged, in pieces of three bytes; all of it, whatever part was asked for."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if "json" in self.path else "text/plain")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(FOUND), 3):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(FOUND[at : at + 3]), FOUND[at : at + 3]))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def do_dies(self, _body: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_cut(self, _body: bytes) -> None:
        """Half an answer."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_slow(self, _body: bytes) -> None:
        time.sleep(2)
        self.reply(200, b"{}")


@dataclass
class Api:
    """A running API."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    more: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def start(self) -> ThreadingHTTPServer:
        handler = type("Bound", (Handler,), {"api": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("packed", "brotli", "broken", "html", "error", "page")
]
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Bank", "version": "7"},
    "paths": {
        "/customers": {"get": {"operationId": "listCustomers", "parameters": PARAMETERS}},
        "/customers/{id}": {"get": {"operationId": "getCustomer"}, "delete": {"operationId": "deleteCustomer"}},
        "/customers/me": {"get": {"operationId": "getMe"}},
        "/transfers": {
            "post": {
                "operationId": "createTransfer",
                "parameters": [{"name": "X-Reason", "in": "header"}, {"name": "Host", "in": "header"}],
                "requestBody": {"content": {"application/json": {}, "text/csv": {}}},
            }
        },
        "/files/{name}": {
            "put": {"operationId": "putFile", "requestBody": {"content": {"application/octet-stream": {}}}},
            "get": {"operationId": "getFile", "requestBody": {"content": {"application/octet-stream": {}}}},
            "post": {"operationId": "signFile", "requestBody": {"content": {"application/octet-stream": {}}}},
        },
        "/secrets/{how}": {"get": {"operationId": "secrets"}},
        "/echo": {"get": {"operationId": "echo"}},
        "/events": {"get": {"operationId": "events"}},
        "/moved/{how}": {"get": {"operationId": "moved"}, "post": {"operationId": "moving"}},
        "/dies": {"get": {"operationId": "diesReading"}, "post": {"operationId": "diesWriting"}},
        "/cut": {"get": {"operationId": "cut"}, "post": {"operationId": "cutting"}},
        "/slow": {"get": {"operationId": "slow"}},
    },
}
