"""Tries a PostgreSQL resource as the gate would reach it, one step after another, and says in words where it ends.

1. resolve the name, 2. reach the port, 3. TLS by the resource's own or the system's authorities, 4. sign in with
SCRAM, 5. look at what the gate depends on. It talks to nothing but the address that an engineer registered, and
what a stranger answers there is never passed on.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from agents.connection_words import Said, refused_sign_in, refused_tls
from agents.vault import Login

WITHIN: Final = 5.0
"""Seconds that each step may take."""
SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
SETTINGS = """
SELECT current_setting('server_version'), current_setting('server_encoding'), current_setting('is_superuser') = 'on'
"""


@dataclass(frozen=True)
class Place:
    """Where a database is. `host` beginning with / is a unix socket's folder; `tls_ca` is PEM, or empty for the system's."""

    host: str
    port: int
    database: str
    tls: bool = True
    tls_ca: str = ""
    role: str = ""


@dataclass(frozen=True)
class Tried:
    """What came of it: `code` is `ok` or names the step that failed; `warnings` are about what works but should not."""

    ok: bool
    code: str
    says: str
    remedy: str = ""
    server: str = ""
    took_ms: int = 0
    warnings: tuple[str, ...] = ()


class Stopped(Exception):
    """A step failed."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.says)
        self.said = said


def attempt(place: Place, login: Login) -> Tried:
    """Try `place` with `login`. Never raises for what is wrong out there; takes at most a few times WITHIN."""
    began = time.monotonic()
    try:
        with connected(place, login) as connection:
            server, warnings = _look(connection, place)
    except Stopped as stopped:
        return Tried(False, stopped.said.code, stopped.said.says, stopped.said.remedy, took_ms=_since(began))
    says = f"The gate can sign in to {place.database} as {login.user}."
    return Tried(True, "ok", says, server=server, took_ms=_since(began), warnings=warnings)


@contextmanager
def connected(place: Place, login: Login) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """A connection made step by step, closed at the end. Raises Stopped."""
    with tempfile.TemporaryDirectory(prefix="narrowgate-") as folder:
        way = _unix(place) if place.host.startswith("/") else _tcp(place, Path(folder))
        try:
            connection = psycopg.connect(_sign_in(place, login, way), autocommit=True)
        except psycopg.Error as error:
            raise Stopped(refused_sign_in(str(error), place.database, login.user)) from None
        with connection:
            yield connection


def _sign_in(place: Place, login: Login, way: dict[str, str]) -> str:
    """4. What libpq is told: SCRAM or nothing, and nothing is written."""
    return make_conninfo(
        **way,
        port=place.port,
        dbname=place.database,
        user=login.user,
        password=login.password,
        connect_timeout=int(WITHIN),
        require_auth="scram-sha-256",
        gssencmode="disable",
        application_name="narrowgate connection test",
        options="-c statement_timeout=5000 -c default_transaction_read_only=on",
    )


def _unix(place: Place) -> dict[str, str]:
    path = Path(place.host) / f".s.PGSQL.{place.port}"
    if not path.exists():
        raise Stopped(Said("no_socket", f"There is no socket {path}.", "Check the folder and the port."))
    return {"host": place.host, "sslmode": "disable"}


def _tcp(place: Place, folder: Path) -> dict[str, str]:
    stream, address = _reach(place, _resolve(place))
    with stream:
        if not place.tls:
            return {"host": place.host, "hostaddr": address, "sslmode": "disable"}
        roots = folder / "roots.pem"
        roots.write_text(_shake_hands(stream, place), encoding="ascii")
    return {"host": place.host, "hostaddr": address, "sslmode": "verify-full", "sslrootcert": str(roots)}


def _resolve(place: Place) -> list[str]:
    """1. The addresses of a name, without those that no database of anybody's can have."""
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Stopped(
            Said("name_not_found", f"There is no host called {place.host}.", "Check the name, and this machine's DNS.")
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    allowed = [address for address in addresses if may_be_reached(address)]
    if not allowed:
        raise Stopped(
            Said("address_refused", f"{place.host} is an address that no resource has.", "Use the resource's own host.")
        )
    return allowed


def may_be_reached(address: str) -> bool:
    """Whether an address can be a database's: not link-local (where clouds keep their secrets), multicast or nobody's."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return not (ip.is_link_local or ip.is_multicast or ip.is_unspecified or (ip.is_reserved and ip.version == 4))


def reach(place: Place) -> socket.socket:
    """1. and 2. of any resource: a connection to its port. Raises Stopped."""
    return _reach(place, _resolve(place))[0]


def _reach(place: Place, addresses: list[str]) -> tuple[socket.socket, str]:
    """2. The first address that accepts a connection."""
    said = Said("unreachable", f"{place.host} cannot be reached.", "Check the network between this machine and it.")
    for address in addresses:
        try:
            return socket.create_connection((address, place.port), timeout=WITHIN), address
        except ConnectionRefusedError:
            says = f"Nothing listens on port {place.port} of {place.host}: the connection is refused."
            said = Said("refused", says, "Check the port, the addresses it listens on, and that it runs.")
        except TimeoutError:
            says = f"{place.host} does not answer on port {place.port} within {WITHIN:.0f} seconds."
            said = Said("timeout", says, "A firewall may drop the connection.")
        except OSError:
            continue
    raise Stopped(said)


def _shake_hands(stream: socket.socket, place: Place) -> str:
    """3. TLS as the gate asks for it; gives the authorities that it was checked against, as PEM."""
    try:
        context = ssl.create_default_context(cadata=place.tls_ca or None)
    except (ssl.SSLError, ValueError):
        raise Stopped(
            Said("tls_ca", "The CA certificate is not PEM.", "Paste it whole, BEGIN and END included.")
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        stream.sendall(SSL_REQUEST)
        answer = stream.recv(1)
        if answer == b"S":
            with context.wrap_socket(stream, server_hostname=place.host):
                return "".join(map(ssl.DER_cert_to_PEM_cert, context.get_ca_certs(binary_form=True)))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; ValueError: no name to check
        raise Stopped(refused_tls(error, place.host)) from None
    raise Stopped(_no_tls(place) if answer == b"N" else _no_postgres(place))


def _no_tls(place: Place) -> Said:
    says = f"The server on {place.host} offers no TLS, and the gate sends no password without."
    return Said("tls_not_offered", says, "Switch on ssl in postgresql.conf.")


def _no_postgres(place: Place) -> Said:
    says = f"What listens on port {place.port} of {place.host} does not speak PostgreSQL."
    return Said("not_postgres", says, "Check the port.")


def _look(connection: psycopg.Connection[tuple[Any, ...]], place: Place) -> tuple[str, tuple[str, ...]]:
    """5. The server's version, and what is unwise. Raises Stopped for what the gate cannot work with."""
    try:
        version, encoding, superuser = connection.execute(SETTINGS).fetchone() or ("", "", False)
        if place.role:
            connection.execute("SELECT set_config('role', %s, false)", [place.role])
    except psycopg.Error:
        says = f"The login may not work as the role {place.role or 'it has'}."
        raise Stopped(Said("role", says, "Grant it the role, or leave the role empty.")) from None
    if encoding != "UTF8":
        says = f"The database's encoding is {encoding}; the gate reads UTF8 only."
        raise Stopped(Said("encoding", says, "Move it to a database with encoding UTF8."))
    warning = "This login is a superuser: whatever the gate allows runs with every right. Make one with less."
    return f"PostgreSQL {version}", (warning,) if superuser else ()


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
