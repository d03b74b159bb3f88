"""Tries resources that are no databases, one step after another, and says in words where it ends. No secret is sent.

1. resolve the name, 2. reach the port, 3. TLS where it is used, 4. ask what listens there: an SSH host for its key, an API for an
answer, a tool server for `initialize` (MCP).
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from typing import Final

from agents.connection_test import WITHIN, Place, Stopped, Tried, reach
from agents.connection_words import Said, refused_tls
from agents.models import Resource
from agents.ssh_host_key import NotSsh, fingerprint_of

MCP_VERSION: Final = "2025-11-25"
MOST: Final = 64_000
"""Bytes of an answer that are looked at."""
_SAFE: Final = re.compile(r"[^\w ./+-]")


def attempt_other(resource: Resource) -> Tried:
    """Try an SSH host, an API or a tool server. Never raises for what is wrong out there."""
    began = time.monotonic()
    place = Place(resource.host, resource.port, "", resource.tls != "off", resource.tls_ca)
    try:
        says, server, warnings = _ssh(resource, place) if resource.kind == Resource.Kind.SSH else _web(resource, place)
    except Stopped as stopped:
        return Tried(False, stopped.said.code, stopped.said.says, stopped.said.remedy, took_ms=_since(began))
    return Tried(True, "ok", says, server=server, took_ms=_since(began), warnings=warnings)


def _ssh(resource: Resource, place: Place) -> tuple[str, str, tuple[str, ...]]:
    with reach(place) as stream:
        try:
            found, software = fingerprint_of(stream)
        except NotSsh as error:
            raise Stopped(Said("not_ssh", str(error), "Check the port.")) from None
        except OSError:
            raise Stopped(Said("closed", f"{place.host} closed the connection without a word.", "Is it SSH?")) from None
    if resource.host_key and resource.host_key != found:
        says = f"The host shows another key than the one registered: {found}."
        raise Stopped(
            Said("host_key", says, "If it was changed on purpose, register the new one; else somebody is in between.")
        )
    unknown = f"Its key is {found}: compare it at the host (ssh-keygen -lf), and register it."
    return "The host proves that it holds its key.", _clean(software), () if resource.host_key else (unknown,)


def _web(resource: Resource, place: Place) -> tuple[str, str, tuple[str, ...]]:
    mcp = resource.kind == Resource.Kind.MCP
    with reach(place) as plain, _wrapped(plain, place) as stream:
        connection = http.client.HTTPConnection(place.host, place.port, timeout=WITHIN)
        connection.sock = stream
        try:
            connection.request(
                "POST" if mcp else "GET", resource.path or "/", _initialize() if mcp else None, _headers(mcp=mcp)
            )
            with connection.getresponse() as answer:  # one that is not read to its end keeps the connection
                body = answer.read(MOST)
        except (OSError, http.client.HTTPException, ValueError):
            raise Stopped(
                Said("not_http", f"What listens on port {place.port} does not speak HTTP.", "Check the port, and TLS.")
            ) from None
        finally:
            connection.close()
    server = _clean(answer.getheader("server", ""))
    return _mcp(answer.status, body, server) if mcp else _api(answer.status, server)


def _api(status: int, server: str) -> tuple[str, str, tuple[str, ...]]:
    if status >= 500:
        raise Stopped(
            Said("http_status", f"The API answers, and says that it is broken: {status}.", "Look at its log.")
        )
    if status == 404:
        raise Stopped(Said("http_status", "The API answers, and has nothing under that path: 404.", "Check the path."))
    asks = ("It asks who calls, as it should.",) if status in {401, 403} else ()
    return f"The API answers with {status}.", server, asks


def _mcp(status: int, body: bytes, server: str) -> tuple[str, str, tuple[str, ...]]:
    if status in {401, 403}:
        return f"The tool server answers and asks who calls: {status}.", server, ()
    if status != 200:
        raise Stopped(
            Said("http_status", f"The tool server answers to initialize with {status}.", "Check the path: often /mcp.")
        )
    text = body.decode("utf-8", "replace")
    if "data:" in text.split("{", 1)[0]:  # one server-sent event
        text = next((line[5:] for line in text.splitlines() if line.startswith("data:")), "")
    try:
        said = json.loads(text)["result"]
        name, version = said["serverInfo"]["name"], said["protocolVersion"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Stopped(
            Said("not_mcp", "What answers there is no tool server: initialize has no result.", "Check the path.")
        ) from None
    return "The tool server answers to initialize.", _clean(f"{name} {version}"), ()


def _initialize() -> str:
    about = {"protocolVersion": MCP_VERSION, "capabilities": {}, "clientInfo": {"name": "narrowgate", "version": "1"}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about})


def _headers(*, mcp: bool) -> dict[str, str]:
    headers = {"User-Agent": "narrowgate connection test", "Accept": "application/json, text/event-stream"}
    return headers | ({"Content-Type": "application/json"} if mcp else {})


def _wrapped(stream: socket.socket, place: Place) -> socket.socket:
    if not place.tls:
        return stream
    try:
        context = ssl.create_default_context(cadata=place.tls_ca or None)
    except (ssl.SSLError, ValueError):
        raise Stopped(
            Said("tls_ca", "The CA certificate is not PEM.", "Paste it whole, BEGIN and END included.")
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        return context.wrap_socket(stream, server_hostname=place.host)
    except (OSError, ValueError) as error:
        said = refused_tls(error, place.host)
        raise Stopped(
            Said(said.code, said.says, said.remedy.replace("Is it PostgreSQL?", "Does it speak TLS?"))
        ) from None


def _clean(text: str) -> str:
    """What a stranger says of itself, short and without anything that is not a word."""
    return _SAFE.sub("", text)[:60]


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
