"""The gate's way to an API: a pool of connections for each, to the address that its name was resolved to, with TLS by that name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

import httpcore

from agents.connection_test import may_be_reached

CONNECT_WITHIN: Final = 5.0
SILENT_FOR: Final = 60.0
"""Seconds that an API may send nothing, or take nothing."""
KEPT: Final = 30.0
"""Seconds that an unused connection is kept."""
LONGEST: Final = 900.0
"""Seconds that one answer may take."""
TIMES: Final = {"connect": CONNECT_WITHIN, "read": SILENT_FOR, "write": SILENT_FOR, "pool": CONNECT_WITHIN}


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
        for address in await self._addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError(f"there is no host called {host}") from None
        addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
        return [one for one in addresses if may_be_reached(one) and (self._near or not is_private(one))]

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


@dataclass(frozen=True)
class Way:
    """How an API is reached: `own_ca` is the PEM of its network's own authority, or empty for the public ones."""

    host: str
    port: int
    tls: bool
    own_ca: str
    connections: int

    def pool(self) -> httpcore.AsyncConnectionPool:
        """Connections to the API, kept for its next requests."""
        context = None
        if self.tls:
            context = ssl.create_default_context(cadata=self.own_ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        return httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=self.connections, max_keepalive_connections=self.connections,
            keepalive_expiry=KEPT, http1=True, http2=False, retries=0,
            network_backend=PinnedBackend(near=is_near(self.host, self.own_ca)),
        )  # fmt: skip
