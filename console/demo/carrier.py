"""The demo's API: a carrier that tells where parcels are and sends them elsewhere. It knows nothing of Narrowgate."""

from __future__ import annotations

import hmac
import json
import re
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
PATH = re.compile(r"/parcels/([0-9]{1,6})(/redirect)?\Z")
LONGEST = 4_096
STATES = ("packed", "on its way", "at the depot", "delivered")

_NUMBER = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
_ANSWERS = {"200": {"description": "The parcel"}}
_TO = {"type": "object", "required": ["address"], "properties": {"address": {"type": "string", "maxLength": 200}}}
DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Carrier", "version": "1"},
    "paths": {
        "/parcels/{number}": {
            "get": {"operationId": "getParcel", "parameters": [_NUMBER], "responses": _ANSWERS},
            "delete": {"operationId": "cancelParcel", "parameters": [_NUMBER], "responses": _ANSWERS},
        },
        "/parcels/{number}/redirect": {
            "post": {
                "operationId": "redirectParcel",
                "parameters": [_NUMBER],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _TO}}},
                "responses": _ANSWERS,
            }
        },
    },
}


class Carrier(BaseHTTPRequestHandler):
    """One request. Whoever does not bring the key is told nothing."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    key = ""

    def log_message(self, *_words: object) -> None:
        """Say nothing: this terminal is for people."""

    def answer(self) -> None:
        """The parcel, whatever was asked of it: this carrier only says what it would do."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST:
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": "too long"})
            return
        body = self.rfile.read(length)
        found, asked = PATH.match(self.path), _object(body)
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), f"Bearer {self.key}".encode()):
            self._send(HTTPStatus.UNAUTHORIZED, {"error": "no key"})
        elif found is None:
            self._send(HTTPStatus.NOT_FOUND, {"error": "no such parcel"})
        elif asked is None:
            self._send(HTTPStatus.BAD_REQUEST, {"error": "no JSON object"})
        else:
            self._send(HTTPStatus.OK, _parcel(int(found[1]), asked))

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 -- http.server names them

    def _send(self, status: HTTPStatus, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _object(body: bytes) -> dict[str, Any] | None:
    """What a body says; nothing where there is none, None where it is no JSON object."""
    try:
        said = json.loads(body or b"{}")
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _parcel(number: int, asked: dict[str, Any]) -> dict[str, Any]:
    city = ("Porto", "Ghent", "Malmö", "Graz")[number % 4]
    recipient = {"name": f"Customer {number}", "email": f"customer{number}@example.com"}
    address = str(asked.get("address", f"{number % 90 + 1} High Street, {city}"))
    return {"number": number, "state": STATES[number % 4], "address": address, "recipient": recipient}


def serve(key: str, port: int) -> int:
    """Serve in the background until this process ends, at `port` if it is free; gives the port."""
    handler = type("OurCarrier", (Carrier,), {"key": key})
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except OSError:
        server = ThreadingHTTPServer((HOST, 0), handler)
    threading.Thread(target=server.serve_forever, name="carrier", daemon=True).start()
    return server.server_port
