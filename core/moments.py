"""Points in time that come from outside. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_of(text: str) -> datetime | None:
    """The moment that an ISO 8601 text names, in UTC, where it names one; a time without a zone is UTC.

    Always UTC, because PostgreSQL takes no displacement of 16 hours and more, which ISO 8601 allows.
    """
    try:
        return in_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises OverflowError for one that UTC has no year for."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
