"""The gate's way to an API: connections to the address that its name was resolved to, with TLS by that name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from agents.pinned import addresses, is_near
from gateway.http.connection import Connection
from gateway.http.lost import Elsewhere, Unreached
from gateway.http.pool import Pool

CONNECT_WITHIN: Final = 5.0
"""Seconds to resolve a name, connect and agree on TLS."""
GOODBYE_WITHIN: Final = 1.0
SILENT_FOR: Final = 60.0
"""Seconds that an API may send nothing, or take nothing."""
LONGEST: Final = 900.0
"""Seconds that one answer may take."""


@dataclass(frozen=True)
class Way:
    """How an API is reached: `own_ca` is the PEM of its network's own authority, or empty for the public ones."""

    host: str
    port: int
    tls: bool
    own_ca: str
    connections: int

    def pool(self) -> Pool:
        """Connections to the API, kept for its next requests."""
        return Pool(partial(connected, self, self._tls()), self.connections)

    @property
    def authority(self) -> str:
        """What the Host header says."""
        usual = 443 if self.tls else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == usual else f"{host}:{self.port}"

    def _tls(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        context = ssl.create_default_context(cadata=self.own_ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        return context


async def connected(way: Way, tls: ssl.SSLContext | None, made: Callable[[], Connection]) -> Connection:
    """A connection to the first address that may be reached, and that accepts. Raises Unreached."""
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await _connected(way, tls, made)
    except TimeoutError:
        raise Unreached(f"{way.host} does not accept") from None


async def _connected(way: Way, tls: ssl.SSLContext | None, made: Callable[[], Connection]) -> Connection:
    try:
        name = way.host if way.host.isascii() else way.host.encode("idna").decode()
        found = await addresses(name, way.port, near=is_near(way.host, way.own_ca))
    except (OSError, UnicodeError):
        raise Unreached(f"there is no host called {way.host}") from None
    problem: Unreached = Elsewhere(f"{way.host} leads to an address that no resource has")
    secured: dict[str, Any] = {}
    if tls is not None:
        secured = {"ssl": tls, "server_hostname": name, "ssl_shutdown_timeout": GOODBYE_WITHIN}
    loop = asyncio.get_running_loop()
    for address in found:
        try:
            async with asyncio.timeout(CONNECT_WITHIN / len(found)):  # one that says nothing leaves time for the next
                return (await loop.create_connection(made, address, way.port, **secured))[1]
        except OSError as error:  # ssl.SSLError is one, and TimeoutError
            problem = Unreached(f"{address}: {error or 'nobody answers'}")
    raise problem
