"""SSH hosts, APIs and tool servers: registered by what each needs, and tried against something that really listens."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agents import actions
from agents.models import Resource, Segment
from agents.other_tests import attempt_other
from agents.ssh_host_key import NotSsh, _mpint, _packet, _read, _string, _strings, _verify
from core.errors import Invalid
from ledger.models import Outbox
from tests.bring.callers import Caller, browser
from tests.cast import Cast

MCP = {
    "jsonrpc": "2.0",
    "id": 1,
    "result": {"protocolVersion": "2025-11-25", "serverInfo": {"name": "tools<b>", "version": "1"}},
}


@pytest.fixture
def segment(cast: Cast) -> Segment:
    return actions.create_segment("tools", actor=cast.engineer)


def there(kind: str, port: int, **changed: Any) -> Resource:
    return Resource(name="x", kind=kind, port=port, **{"host": "127.0.0.1", "tls": "off", **changed})


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something of our own on a port, over when it has answered once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def run() -> None:
            stream, _ = server.accept()
            with stream:
                serve(stream)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(30)


@contextmanager
def answering(status: int, body: bytes = b"", kind: str = "application/json") -> Iterator[int]:
    """A web server that answers everything so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 -- the library's name

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("kind", "status", "body", "code", "says"),
    [
        ("http", 200, b"{}", "ok", "answers with 200"),
        ("http", 401, b"", "ok", "answers with 401"),
        ("http", 404, b"", "http_status", "nothing under that path"),
        ("http", 503, b"", "http_status", "it is broken"),
        ("mcp", 200, json.dumps(MCP).encode(), "ok", "answers to initialize"),
        ("mcp", 200, b"event: message\ndata: " + json.dumps(MCP).encode() + b"\n\n", "ok", "answers to initialize"),
        ("mcp", 401, b"", "ok", "asks who calls"),
        ("mcp", 200, b"<html>", "not_mcp", "no tool server"),
        ("mcp", 200, b'{"result": 3}', "not_mcp", "no tool server"),
        ("mcp", 404, b"", "http_status", "with 404"),
    ],
)
def test_what_answers_over_http_is_told(kind: str, status: int, body: bytes, code: str, says: str) -> None:
    with answering(status, body) as port:
        tried = attempt_other(there(kind, port))
    assert (tried.code, tried.ok) == (code, code == "ok")
    assert says in tried.says
    assert "<" not in tried.server


def test_what_does_not_speak_the_protocol_is_told() -> None:
    for kind, code in (("http", "not_http"), ("mcp", "not_http"), ("ssh", "not_ssh")):
        with listening(lambda stream: stream.sendall(b"220 mail\r\n")) as port:
            assert attempt_other(there(kind, port)).code == code
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert attempt_other(there("ssh", port)).code == "refused"
    with answering(200) as port:
        assert attempt_other(there("http", port, tls="verify-full")).code == "tls"
    assert attempt_other(there("http", 80, host="169.254.169.254")).code == "address_refused"


def host(stream: socket.socket, key: ed25519.Ed25519PrivateKey, signs: ed25519.Ed25519PrivateKey) -> None:
    """An SSH host as far as its first key exchange (RFC 4253, RFC 8731): it shows `key` and signs with `signs`."""
    with stream.makefile("rb") as reader:
        first_exchange(stream, reader, key, signs)


def first_exchange(
    stream: socket.socket, reader: Any, key: ed25519.Ed25519PrivateKey, signs: ed25519.Ed25519PrivateKey
) -> None:
    version = b"SSH-2.0-OpenSSH_10.0 tests"
    stream.sendall(b"Be welcome\r\n" + version + b"\r\n")
    theirs = reader.readline().rstrip(b"\r\n")
    ours_init = (
        bytes([20]) + bytes(16) + b"".join(map(_string, [b"curve25519-sha256", b"ssh-ed25519", *[b""] * 8])) + bytes(5)
    )
    stream.sendall(_packet(bytes([2]) + _string(b"ignore me")) + _packet(ours_init))
    their_init = _read(reader, 20)
    (their_public,) = _strings(_read(reader, 30)[1:], 1)
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = private.exchange(X25519PublicKey.from_public_bytes(their_public))
    blob = blob_of(key)
    parts = (theirs, version, their_init, ours_init, blob, their_public, public)
    digest = hashlib.sha256(b"".join(map(_string, parts)) + _mpint(shared)).digest()
    signature = _string(b"ssh-ed25519") + _string(signs.sign(digest))
    stream.sendall(_packet(bytes([31]) + b"".join(map(_string, (blob, public, signature)))))


def blob_of(key: ed25519.Ed25519PrivateKey) -> bytes:
    return _string(b"ssh-ed25519") + _string(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def test_a_host_proves_its_key_and_whoever_is_in_between_does_not() -> None:
    key, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    printed = "SHA256:" + base64.b64encode(hashlib.sha256(blob_of(key)).digest()).decode().rstrip("=")
    with listening(lambda stream: host(stream, key, key)) as port:
        tried = attempt_other(there("ssh", port))
    assert (tried.ok, tried.server) == (True, "OpenSSH_10.0 tests")
    assert printed in tried.warnings[0]
    with listening(lambda stream: host(stream, key, key)) as port:
        assert attempt_other(there("ssh", port, host_key=printed)).warnings == ()
    with listening(lambda stream: host(stream, other, other)) as port:
        assert attempt_other(there("ssh", port, host_key=printed)).code == "host_key"
    with listening(lambda stream: host(stream, key, other)) as port:
        assert attempt_other(there("ssh", port, host_key=printed)).code == "not_ssh"


def test_a_signature_by_another_key_or_of_something_else_proves_nothing() -> None:
    digest = hashlib.sha256(b"exchange").digest()
    edwards, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    host_key = _string(b"ssh-ed25519") + _string(edwards.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    _verify(host_key, _string(b"ssh-ed25519") + _string(edwards.sign(digest)), digest)
    for signature in (other.sign(digest), edwards.sign(b"else")):
        with pytest.raises(InvalidSignature):
            _verify(host_key, _string(b"ssh-ed25519") + _string(signature), digest)
    with pytest.raises(ValueError, match="another kind"):
        _verify(host_key, _string(b"ssh-rsa") + _string(edwards.sign(digest)), digest)


def test_the_other_kinds_of_host_keys_are_checked_too() -> None:
    digest = hashlib.sha256(b"exchange").digest()
    curve = ec.generate_private_key(ec.SECP256R1())
    point = curve.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    host_key = _string(b"ecdsa-sha2-nistp256") + _string(b"nistp256") + _string(point)
    r, s = utils.decode_dss_signature(curve.sign(digest, ec.ECDSA(hashes.SHA256())))
    value = b"".join(_mpint(part.to_bytes(33)) for part in (r, s))
    _verify(host_key, _string(b"ecdsa-sha2-nistp256") + _string(value), digest)
    private = rsa.generate_private_key(65537, 2048)
    numbers = private.public_key().public_numbers()
    host_key = b"".join((_string(b"ssh-rsa"), _mpint(numbers.e.to_bytes(3)), _mpint(numbers.n.to_bytes(257))))
    _verify(
        host_key, _string(b"rsa-sha2-512") + _string(private.sign(digest, padding.PKCS1v15(), hashes.SHA512())), digest
    )


def test_a_host_that_talks_without_end_or_lies_about_lengths_is_given_up_on() -> None:
    for said in (
        b"SSH-2.0-x\r\n" + b"\xff" * 64,
        b"SSH-2.0-x\r\n\x00\x00\x00\x0c\x04\x14" + b"\x00" * 10,
        b"a\r\n" * 40,
    ):
        with listening(lambda stream, said=said: stream.sendall(said)) as port:  # type: ignore[misc]  # bound in the loop
            assert attempt_other(there("ssh", port)).code in {"not_ssh", "closed"}
    assert issubclass(NotSsh, Exception)


@pytest.mark.parametrize(
    ("kind", "where", "field"),
    [
        ("postgres", {}, "database"),
        ("ssh", {"host_key": "MD5:aa"}, "host_key"),
        ("http", {"path": "no slash"}, "path"),
        ("mcp", {"path": "/mcp?x=1"}, "path"),
        ("http", {"tls": "off"}, "tls"),
    ],
)
def test_what_a_kind_needs_is_asked_for_by_its_field(
    cast: Cast, segment: Segment, kind: str, where: Any, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        actions.add_resource("x", kind=kind, segment=segment, host="h.example.com", actor=cast.engineer, **where)
    assert refused.value.field == field


def test_by_page_each_kind_has_its_fields_and_says_how_agents_get_there(cast: Cast, segment: Segment) -> None:
    client = browser(cast.engineer)
    page = client.get("/resources/add/?kind=ssh").content.decode()
    assert 'name="host_key"' in page
    assert 'name="database"' not in page
    typed = {"name": "bastion", "segment": "tools", "host": "bastion.example.com", "port": "22", "connections": "5"}
    assert client.post("/resources/add/?kind=ssh", typed).status_code == 302
    page = client.get("/resources/r/bastion/").content.decode()
    assert "Nobody is let through until the host’s key is registered." in page
    assert "narrowgate ssh-cert AGENT --resource bastion" in page
    assert client.post("/resources/r/bastion/scan/").status_code == 200
    assert client.get("/resources/r/bastion/edit/").status_code == 200


def test_by_api_it_is_registered_and_tried_which_is_an_entry(cast: Cast, segment: Segment) -> None:
    with answering(200, json.dumps(MCP).encode()) as port:
        body = {
            "name": "tools",
            "kind": "mcp",
            "segment": "tools",
            "host": "127.0.0.1",
            "port": port,
            "tls": "off",
            "path": "/mcp",
        }
        assert Caller(cast.engineer).post("resources", body)[0] == 201
        status, said = Caller(cast.engineer).post("resources/tools/test")
    assert (status, said["ok"], said["server"]) == (200, True, "toolsb 2025-11-25")
    assert Outbox.objects.filter(event="resource:tried").count() == 1
