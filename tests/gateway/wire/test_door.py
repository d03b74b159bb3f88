"""The listener before anybody is known: TLS always, nothing read across the handshake, bounds on everything."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator

import psycopg
import pytest

from gateway.postgres import messages
from tests.gateway.wire.world import World


@pytest.fixture
def world(standing_world: World) -> World:
    """One for all of these: none changes what another looks at."""
    return standing_world


@pytest.fixture
def plain(world: World) -> Iterator[socket.socket]:
    with socket.create_connection(("localhost", world.port), timeout=5) as connection:
        yield connection


def _until_closed(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(4096):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def _tls(world: World, connection: socket.socket) -> ssl.SSLSocket:
    connection.sendall(messages.ssl_request())
    assert connection.recv(1) == b"S"
    return ssl.create_default_context(cafile=str(world.ca)).wrap_socket(connection, server_hostname="localhost")


def test_plain_text_is_refused_with_words(plain: socket.socket) -> None:
    plain.sendall(messages.startup({"user": "support.production", "database": "shop"}))
    answer = _until_closed(plain)
    assert answer.startswith(b"E")
    assert b"C28000\x00MThe gate speaks TLS only." in answer


def test_psql_without_tls_is_told_what_to_do(world: World) -> None:
    assert "sslmode=verify-full" in world.psql("-c", "SELECT 1", sslmode="disable").stderr


def test_bytes_behind_the_request_for_tls_end_the_connection(plain: socket.socket) -> None:
    plain.sendall(messages.ssl_request() + messages.startup({"user": "support.production"}))
    assert _until_closed(plain) == b""


def test_bytes_that_come_before_the_handshake_are_never_read_after_it(world: World, plain: socket.socket) -> None:
    plain.sendall(messages.ssl_request())
    assert plain.recv(1) == b"S"
    plain.sendall(messages.startup({"user": "support.production", "database": "shop"}))
    assert b"R" not in _until_closed(plain)[:1]


def test_gss_encryption_is_declined(plain: socket.socket, world: World) -> None:
    plain.sendall(struct.pack("!II", 8, messages.GSSENC_REQUEST))
    assert plain.recv(1) == b"N"
    with _tls(world, plain) as secure:
        assert secure.version() in {"TLSv1.2", "TLSv1.3"}


@pytest.mark.parametrize("packet", [b"\xff\xff\xff\xff\x00\x00\x00\x00", b"\x00\x00\x00\x04", b"GET / HTTP/1.1\r\n"])
def test_nonsense_is_refused(plain: socket.socket, packet: bytes) -> None:
    plain.sendall(packet + b"\x00" * 8)
    assert _until_closed(plain)[:1] in {b"E", b""}


def test_a_start_up_packet_may_come_byte_by_byte(world: World, plain: socket.socket) -> None:
    with _tls(world, plain) as secure:
        for byte in messages.startup({"user": "support.production", "database": "shop"}):
            secure.sendall(bytes([byte]))
        assert secure.recv(9) == messages.CLEARTEXT_PASSWORD


def test_a_long_password_ends_the_connection(world: World, plain: socket.socket) -> None:
    with _tls(world, plain) as secure:
        secure.sendall(messages.startup({"user": "support.production", "database": "shop"}))
        assert secure.recv(9) == messages.CLEARTEXT_PASSWORD
        secure.sendall(b"p" + struct.pack("!I", 1 << 20))
        assert b"C54000" in _until_closed(secure)


def test_an_unknown_minor_version_and_options_are_negotiated(world: World, plain: socket.socket) -> None:
    with _tls(world, plain) as secure:
        secure.sendall(messages.startup({"user": "a", "_pq_.magic": "1"}, messages.PROTOCOL_3_0 + 9))
        assert secure.recv(64).startswith(messages.negotiate_protocol_version(messages.PROTOCOL_3_2, ["_pq_.magic"]))


@pytest.mark.parametrize(
    "extra",
    [{"options": "-c role=postgres"}, {"replication": "database"}, {"search_path": "evil"}, {"role": "postgres"}],
)
def test_start_up_parameters_are_allowed_by_name(world: World, plain: socket.socket, extra: dict[str, str]) -> None:
    with _tls(world, plain) as secure:
        secure.sendall(messages.startup({"user": "support.production", "database": "shop", **extra}))
        assert secure.recv(1) == b"E"


def test_a_wrong_cancel_key_does_nothing(world: World) -> None:
    with world.connect() as connection, socket.create_connection(("localhost", world.port)) as other:
        other.sendall(messages.cancel_request(connection.info.backend_pid, b"\x00\x00\x00\x00"))
        assert _until_closed(other) == b""
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_message_longer_than_its_kind_may_be_ends_the_session(world: World) -> None:
    connection = world.connect()
    with pytest.raises(psycopg.Error, match="longer than"):
        connection.execute("SELECT '" + "x" * (1 << 20) + "'")
    connection.close()
