"""How many agents may be suspended without a person. Pure: no Django, no I/O."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

SHARE: Final = 10
"""One in so many agents."""
PERIOD: Final = timedelta(hours=24)


def allows(*, fleet: int, unanswered: int) -> bool:
    """Whether one more of `fleet` agents may be suspended by itself.

    `unanswered` were so in the last PERIOD, and no person has answered for any of them yet.
    """
    return unanswered < max(1, fleet // SHARE)
