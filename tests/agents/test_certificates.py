from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.ca import SERVER_LIFE, server_identity
from core.errors import NarrowgateError


def handshake(folder: Path, name: str, *, ca: Path | None = None) -> str:
    """Connect with verification by `name`; the TLS version that was agreed."""
    identity = server_identity(folder, "word")
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        connection, _ = listener.accept()
        try:
            identity.context().wrap_socket(connection, server_side=True).close()
        except OSError:
            connection.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        client = ssl.create_default_context(cafile=str(ca or identity.ca))
        with (
            socket.create_connection(listener.getsockname()) as raw,
            client.wrap_socket(raw, server_hostname=name) as tls,
        ):
            return str(tls.version())
    finally:
        thread.join()
        listener.close()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_it_is_valid_for_this_machine(tmp_path: Path, name: str) -> None:
    assert handshake(tmp_path, name) == "TLSv1.3"


def test_it_is_not_valid_for_another_name(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, "gate.example.com")


def test_another_authority_does_not_vouch_for_it(tmp_path: Path) -> None:
    other = server_identity(tmp_path / "other", "word")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path / "one", "localhost", ca=other.ca)


def test_keys_are_private_and_encrypted(tmp_path: Path) -> None:
    identity = server_identity(tmp_path, "word")
    for path in (identity.key, tmp_path / "ca.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"ENCRYPTED" in path.read_bytes()


def test_it_is_kept_while_good_and_renewed_before_it_ends(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = server_identity(tmp_path, "word", now=now).certificate.read_bytes()
    assert server_identity(tmp_path, "word", now=now + timedelta(days=1)).certificate.read_bytes() == first
    ca = (tmp_path / "ca.pem").read_bytes()
    late = server_identity(tmp_path, "word", now=now + SERVER_LIFE - timedelta(days=10))
    assert late.certificate.read_bytes() != first
    assert late.ca.read_bytes() == ca


def test_other_names_make_another_certificate(tmp_path: Path) -> None:
    first = server_identity(tmp_path, "word").certificate.read_bytes()
    assert server_identity(tmp_path, "word", ["gate.example.com"]).certificate.read_bytes() != first


def test_a_wrong_passphrase_is_said(tmp_path: Path) -> None:
    server_identity(tmp_path, "word")
    with pytest.raises(NarrowgateError, match="does not open"):
        server_identity(tmp_path, "other")
    with pytest.raises(NarrowgateError, match="passphrase"):
        server_identity(tmp_path, "")
