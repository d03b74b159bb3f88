"""Ports on the loopback interface: the usual ones, the same as last time, or free ones."""

from __future__ import annotations

import errno
import json
import socket
from contextlib import suppress
from pathlib import Path

from core.errors import NarrowgateError
from core.files import write_public

USUAL = {"console": 8000, "http": 8443, "postgres": 6432, "ssh": 2222}
BACKLOG = 512


def listen(wanted: int, *, exactly: bool = False) -> list[socket.socket]:
    """Sockets for port `wanted` on 127.0.0.1 and, where there is IPv6, ::1; another port when it is taken.

    Raises NarrowgateError when it is taken and has to be `exactly` that one.
    """
    for port in (wanted, 0) if not exactly else (wanted,):
        with suppress(OSError):
            return _bind(port)
    raise NarrowgateError(f"Port {wanted} is taken.", "Choose another with --port N, or leave it out.")


def _bind(port: int) -> list[socket.socket]:
    first = _socket(socket.AF_INET, "127.0.0.1", port)
    try:
        return [first, _socket(socket.AF_INET6, "::1", first.getsockname()[1])]
    except OSError as error:
        if error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:  # a machine without IPv6
            return [first]
        first.close()
        raise


def _socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def number_of(sockets: list[socket.socket]) -> int:
    """The port that `listen` gave."""
    return int(sockets[0].getsockname()[1])


def last_time(path: Path) -> dict[str, int]:
    """The ports of the last start, so that addresses stay; the usual ones at the first."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: int(kept.get(name, usual)) for name, usual in USUAL.items()}
    return dict(USUAL)


def remember(path: Path, ports: dict[str, int]) -> None:
    """Keep `ports` for the next start."""
    write_public(path, json.dumps(ports).encode())
