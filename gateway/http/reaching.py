"""The gate's way to an API: a pool of connections for each, to the address that its name was resolved to, with TLS by that name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Final

import httpcore

from agents.pinned import PinnedBackend, is_near

CONNECT_WITHIN: Final = 5.0
SILENT_FOR: Final = 60.0
"""Seconds that an API may send nothing, or take nothing."""
KEPT: Final = 30.0
"""Seconds that an unused connection is kept."""
LONGEST: Final = 900.0
"""Seconds that one answer may take."""
TIMES: Final = {"connect": CONNECT_WITHIN, "read": SILENT_FOR, "write": SILENT_FOR, "pool": CONNECT_WITHIN}


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
