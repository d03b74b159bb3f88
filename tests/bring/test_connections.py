"""What is wrong with a connection, in words: each against something that really listens, or does not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.connection_test import Place, attempt, may_be_reached
from agents.connection_words import refused_sign_in
from agents.vault import Login
from tests.databases import TestCluster

LOGIN = Login("narrowgate_app", "narrowgate_app")


@pytest.fixture
def place(cluster: TestCluster) -> Place:
    return Place(cluster.socket_folder, 5432, "narrowgate_base", tls=False)


def test_what_works_says_so(place: Place) -> None:
    tried = attempt(place, LOGIN)
    assert (tried.ok, tried.code, tried.warnings) == (True, "ok", ())
    assert tried.server.startswith("PostgreSQL 18")


@pytest.mark.parametrize(
    ("changed", "login", "code", "says"),
    [
        ({}, Login("narrowgate_app", "wrong"), "wrong_password", "with this password"),
        ({}, Login("nobody_here", "x"), "wrong_password", "nobody_here"),
        ({"database": "nowhere"}, LOGIN, "no_database", "There is no database nowhere"),
        ({"role": "narrowgate_owner"}, LOGIN, "role", "narrowgate_owner"),
        ({"port": 5999}, LOGIN, "no_socket", "no socket"),
        ({"host": "no-such-host.invalid"}, LOGIN, "name_not_found", "There is no host called"),
        ({"host": "169.254.169.254"}, LOGIN, "address_refused", "no resource"),
    ],
)
def test_what_does_not_says_why(place: Place, changed: dict[str, object], login: Login, code: str, says: str) -> None:
    tried = attempt(replace(place, **changed), login)  # type: ignore[arg-type]  # fields of Place
    assert (tried.ok, tried.code) == (False, code)
    assert says in tried.says
    assert login.password not in tried.says + tried.remedy


def test_a_superuser_is_warned_about(place: Place, cluster: TestCluster) -> None:
    admin = psycopg.conninfo.conninfo_to_dict(cluster.admin_dsn)
    tried = attempt(place, Login(str(admin["user"]), str(admin["password"])))
    assert tried.ok
    assert "superuser" in tried.warnings[0]


def test_a_server_that_is_full_says_so(place: Place, cluster: TestCluster) -> None:
    with psycopg.connect(cluster.admin_dsn, autocommit=True) as admin:
        admin.execute("CREATE ROLE crowded LOGIN PASSWORD 'crowded' CONNECTION LIMIT 0")
        try:
            assert attempt(place, Login("crowded", "crowded")).code == "too_many_connections"
        finally:
            admin.execute("DROP ROLE crowded")


def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tried = attempt(Place("127.0.0.1", port, "x"), LOGIN)
    assert tried.code == "refused"
    assert f"port {port}" in tried.says


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"N", "tls_not_offered"), (b"HTTP/1.1 400 Bad Request\r\n", "not_postgres"), (b"", "not_postgres")],
)
def test_what_is_no_postgres_with_tls_is_told_apart(answer: bytes, code: str) -> None:
    def serve(stream: socket.socket) -> None:
        stream.recv(8)
        stream.sendall(answer)

    with listening(serve) as port:
        tried = attempt(Place("127.0.0.1", port, "x"), LOGIN)
    assert tried.code == code
    assert "Bad Request" not in tried.says + tried.remedy  # a stranger's words go nowhere


@pytest.mark.parametrize(
    ("names", "trusted", "age", "code"),
    [
        (["localhost"], False, 0, "tls_untrusted"),
        (["elsewhere.example"], True, 0, "tls_name"),
        (["localhost"], True, 30, "tls_expired"),
        (["localhost"], True, 0, "closed"),  # TLS is fine; then nobody is at home
    ],
)
def test_certificates(tmp_path: Path, names: list[str], trusted: bool, age: int, code: str) -> None:
    pem = certificate(tmp_path, names, age)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")

    def serve(stream: socket.socket) -> None:
        stream.recv(8)
        stream.sendall(b"S")
        context.wrap_socket(stream, server_side=True).close()

    with listening(serve) as port:
        tried = attempt(Place("localhost", port, "x", tls_ca=pem if trusted else ""), LOGIN)
    assert tried.code == code, tried


def test_a_ca_that_is_no_pem_is_told() -> None:
    with listening(lambda stream: stream.recv(8)) as port:
        assert attempt(Place("127.0.0.1", port, "x", tls_ca="not a certificate"), LOGIN).code == "tls_ca"


def test_addresses_that_no_database_has() -> None:
    refused = [
        "169.254.169.254",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "0.0.0.0",  # noqa: S104 -- it is refused
        "::",
        "224.0.0.1",
        "255.255.255.255",
    ]
    assert not any(map(may_be_reached, refused))
    assert all(map(may_be_reached, ["127.0.0.1", "10.0.0.5", "192.168.1.2", "8.8.8.8", "::1", "fd00::1"]))


def test_a_message_nobody_foresaw_is_not_repeated() -> None:
    said = refused_sign_in("FATAL: secret-token-123", "x", "y")
    assert (said.code, "secret" in said.says + said.remedy) == ("sign_in", False)


@contextmanager
def listening(serve: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that treats every connection so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            while True:
                try:
                    stream, _ = server.accept()
                except OSError:
                    return
                with stream:
                    try:
                        serve(stream)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def certificate(folder: Path, names: list[str], expired_days: int) -> str:
    """A self-signed certificate in `folder/server.pem`, with its key; gives the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=30) - timedelta(days=2 * expired_days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(pem + private)
    return pem.decode()
