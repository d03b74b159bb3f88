"""Connections to the address that a name was resolved to, and to none where nobody's service is: for whatever people registered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import ip_address

import httpcore

from agents.connection_test import may_be_reached


class AddressRefused(httpcore.ConnectError):
    """A name led to an address where no resource is."""


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once and connects to what was looked at, so that a second answer cannot lead elsewhere.

    Addresses of clouds' own services are never connected to, those of private networks only where `near`.
    """

    def __init__(self, *, near: bool) -> None:
        self._near = near
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of `host` that may be reached, and that accepts."""
        problem: Exception = AddressRefused(f"{host} leads to an address that no resource has")
        try:
            found = await addresses(host, port, near=self._near)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"there is no host called {host}") from None
        for address in found:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refused: an API is at a host."""
        raise AddressRefused("an API is at a host, not at a socket")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def addresses(host: str, port: int, *, near: bool) -> list[str]:
    """Where a name leads, as far as it may be connected to. Raises OSError and UnicodeError where there is no such host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    every = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [one for one in every if may_be_reached(one) and (near or not is_private(one))]


def is_private(address: str) -> bool:
    """Whether an address is of this machine or of a network that is not the internet's."""
    ip = ip_address(address.partition("%")[0])
    return not (getattr(ip, "ipv4_mapped", None) or ip).is_global


def is_near(host: str, own_ca: str) -> bool:
    """Whether a resource is meant to be at a private address: it names one, or the authority of its own network."""
    try:
        ip_address(host)
    except ValueError:
        return bool(own_ca) or host == "localhost"
    return True
