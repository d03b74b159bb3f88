"""Tests talk to this machine and to nothing else."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


class BeyondLoopbackError(RuntimeError):
    """A test tried to reach another machine."""


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family == socket.AF_UNIX:
        return
    host = str(address[0])
    if host == "localhost" or ipaddress.ip_address(host).is_loopback:
        return
    raise BeyondLoopbackError(f"tests may not connect to {host}")


def stay_home() -> None:
    """Refuse connections of Python's sockets beyond loopback for the rest of this process."""

    def connect(self: socket.socket, address: Any) -> None:
        _check(self, address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, address)
        return _connect_ex(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign,assignment] # the point of this module
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign,assignment] # the point of this module
