"""What may be used once: noted at its first use, so that a second one is a replay, in whatever process."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import LiteralString

from agents.models import SeenAssertion
from core.db import prepared

KEEP = timedelta(minutes=10)  # longer than anything noted here lives, skew included
NOTE_SQL: LiteralString = "INSERT INTO agents_seenassertion (digest, expires_at) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def is_first_use(*parts: str, expires_at: datetime) -> bool:
    """Note what `parts` name as used; False if it was before. One that is being noted elsewhere is waited for.

    It stays used if the caller's transaction commits: a refusal later on must not give it back.
    """
    digest = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return prepared(NOTE_SQL, [digest, expires_at]).rowcount == 1


def forget_used(now: datetime) -> int:
    """Forget what is refused by its age alone; gives how much that was."""
    return SeenAssertion.objects.filter(expires_at__lt=now - KEEP).delete()[0]
