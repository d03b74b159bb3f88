"""When what could not be delivered is tried again, and when it is given up. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """A way out of the console."""

    MAIL = "mail"
    PUSH = "push"
    WEBHOOK = "webhook"


def _pauses(*seconds: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=one) for one in seconds)


MINUTE, HOUR = 60, 3600
PAUSES: Final[Mapping[str, tuple[timedelta, ...]]] = {
    Channel.MAIL: _pauses(MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR),
    Channel.PUSH: _pauses(5, 30, 2 * MINUTE, 10 * MINUTE),
    Channel.WEBHOOK: _pauses(5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR),
}
"""Before each further try. A webhook's are those of the Standard Webhooks specification, as far as a day."""
LIFE: Final[Mapping[str, timedelta]] = {
    Channel.MAIL: timedelta(days=2),
    Channel.PUSH: timedelta(hours=1),
    Channel.WEBHOOK: timedelta(days=1),
}
"""How long after it was due a delivery is worth anything."""
SPREAD: Final = 0.2
"""The part of a pause by which it may be longer, so that what failed together is not tried together again."""


def again(channel: str, *, tries: int, until: datetime, now: datetime, drawn: float) -> datetime | None:
    """When to try again after `tries` that failed; None where that is not worth it. `drawn` is from 0 to 1, at random."""
    pauses = PAUSES[channel]
    if tries > len(pauses):
        return None
    at = now + pauses[tries - 1] * (1 + SPREAD * drawn)
    return at if at <= until else None
