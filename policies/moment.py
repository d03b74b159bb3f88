"""Pure: what differs from one action to the next: when, from where, how risky, how much before. Kept plain, read typed by Cedar.

`time` is kept as UTC text to the minute, `risk` as a score, `session` as counters, `credential_age` in seconds, `source` as an
address or a network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

from agents.risk import band

NETWORK: Final = "ipaddr"
NUMBER: Final = "Long"
DURATION: Final = "duration"
TYPES: Final[Mapping[str, str]] = {
    "time": "{ now: datetime, hour: Long, weekday: String }",
    "risk": "{ score: Long, band: String }",
    "session": "{ actions: Long, rows: Long, bytes: Long }",
}
"""What the engine alone says, and its Cedar types."""
COUNTERS: Final = frozenset({"actions", "rows", "bytes"})
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MOST: Final = 2**53 - 1
"""The largest number that canonical JSON holds, in which questions are kept; Cedar's own is larger."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:00Z\Z", re.ASCII)


def time_text(at: datetime) -> str:
    """A time as it is kept: UTC, to the minute, so that what is decided in one minute is decided once."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M}:00Z"


def network_text(source: str) -> str:
    """An address as policies read it: IPv4 inside IPv6 as IPv4, no zone. Raises ValueError for what is none."""
    address = ip_address(source.partition("%")[0])
    return str(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else str(address)


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _is_network(value: object) -> bool:
    if not isinstance(value, str) or "%" in value:
        return False
    try:
        ip_network(value, strict=False)
    except ValueError:
        return False
    return True


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or not _TIME.match(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_session(value: object) -> bool:
    return isinstance(value, Mapping) and value.keys() == COUNTERS and all(map(_is_number, value.values()))


FITS: Final[Mapping[str, Callable[[object], bool]]] = {
    NETWORK: _is_network,
    NUMBER: _is_number,
    DURATION: _is_number,
    TYPES["time"]: _is_time,
    TYPES["risk"]: lambda value: type(value) is int and 0 <= value <= 100,
    TYPES["session"]: _is_session,
}
"""Whether a plain value fits, by type."""


def _extension(function: str, argument: str) -> dict[str, object]:
    return {"__extn": {"fn": function, "arg": argument}}


def _time(text: Any) -> dict[str, object]:  # noqa: ANN401 -- a value that fits, here and below
    at = datetime.fromisoformat(text)
    return {"now": _extension("datetime", text), "hour": at.hour, "weekday": WEEKDAYS[at.weekday()]}


def _risk(score: Any) -> dict[str, object]:  # noqa: ANN401
    return {"score": score, "band": band(score)[1].lower()}


CEDAR: Final[Mapping[str, Callable[[Any], object]]] = {
    "credential_age": lambda seconds: _extension("duration", f"{seconds}s"),
    "source": lambda source: _extension("ip", source),
    "time": _time,
    "risk": _risk,
}
"""How Cedar's JSON says those that are not said as they are kept, by attribute."""
