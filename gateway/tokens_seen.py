"""Step 1 over HTTP, quickly: a bearer token that was verified once need not be verified again while it lives.

What changes is looked at each time: its end, the network it is used from, its revocation by the end of its session (`gateway/visits.py`). A token bound to a key or a certificate is verified each time.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from hashlib import sha256
from typing import Final

from agents.access import Identity
from agents.binding import require_shown
from core.errors import Refused
from gateway.visits import Visits
from gateway.web import Request

MOST: Final = 16_384


class TokensSeen:
    """The bearer tokens of open sessions, by their hash."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._known: OrderedDict[bytes, Identity] = OrderedDict()

    async def identify(self, request: Request) -> Identity:
        """Who asks. Raises Problem."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() != "bearer":
            return await request.identity()
        key = sha256(token.encode("latin-1", "replace")).digest()
        known = self._known.get(key)
        if known is not None and self._still(known, request):
            return known
        identity = await request.identity()
        if not identity.jkt and not identity.x5t:
            self._known[key] = identity
            if len(self._known) > MOST:
                self._known.popitem(last=False)
        return identity

    def _still(self, identity: Identity, request: Request) -> bool:
        """Whether it counts as it did: its session is open, so it was not revoked, and what it is bound to is shown."""
        if time.time() >= identity.expires_at.timestamp() or not self._visits.is_open(identity.credential):
            return False
        try:
            require_shown(identity, source=request.source)
        except Refused:
            return False
        return True
