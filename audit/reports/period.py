"""The period of a report, from a preset or two dates. Pure: no Django, no I/O. All times are UTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from core.errors import Invalid

EARLIEST = date(2020, 1, 1)
LAST = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
LABELS = (
    ("24h", "Last 24 hours"),
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    ("90d", "Last 90 days"),
    ("month", "Last calendar month"),
    ("quarter", "Last calendar quarter"),
    ("custom", "From one day to another"),
)


@dataclass(frozen=True)
class Period:
    """From `since` to `until`, exclusive."""

    since: datetime
    until: datetime


def period_of(name: str, now: datetime, first: date | None = None, last: date | None = None) -> Period:
    """The period that a preset names as of `now`, or that two days, both included, enclose; never reaches into the future.

    Raises Invalid, naming `period`, `first` or `last`.
    """
    if name in LAST:
        return Period(now - LAST[name], now)
    if name in _CALENDAR:
        since, until = _CALENDAR[name](now.date())
        return Period(_midnight(since), _midnight(until))
    if name != "custom":
        raise Invalid("period", "There is no such period.", "Choose one from the list.")
    return _between(first, last, now)


def _between(first: date | None, last: date | None, now: datetime) -> Period:
    today = now.date()
    if first is None:
        raise Invalid("first", "A period of your own needs its first day.", "For example 2026-10-01.")
    if last is None:
        raise Invalid("last", "A period of your own needs its last day.", "For example 2026-10-31.")
    if not EARLIEST <= first <= today:
        raise Invalid("first", f"The first day lies between {EARLIEST} and today, {today}.")
    if not first <= last <= today:
        raise Invalid("last", f"The last day lies between the first, {first}, and today, {today}.")
    return Period(_midnight(first), min(_midnight(last + timedelta(days=1)), now))


def _last_month(today: date) -> tuple[date, date]:
    until = today.replace(day=1)
    return (until - timedelta(days=1)).replace(day=1), until


def _last_quarter(today: date) -> tuple[date, date]:
    until = today.replace(month=today.month - (today.month - 1) % 3, day=1)
    before = until - timedelta(days=1)
    return before.replace(month=before.month - 2, day=1), until


_CALENDAR: dict[str, Callable[[date], tuple[date, date]]] = {"month": _last_month, "quarter": _last_quarter}


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def in_words(since: datetime, until: datetime) -> str:
    """The period as a page says it: whole days where it has whole days, else to the minute."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    if since == _midnight(since.date()) and until == _midnight(until.date()):
        last = until - timedelta(days=1)
        return f"{since:%-d %B %Y} to {last:%-d %B %Y}" if last.date() != since.date() else f"{since:%-d %B %Y}"
    end = f"{until:%H:%M}" if until.date() == since.date() else f"{until:%-d %B %Y, %H:%M}"
    return f"{since:%-d %B %Y, %H:%M} to {end} UTC"
