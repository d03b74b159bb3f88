"""Numbers, times and digests as people read them. Pure: no Django, no I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

NARROW_SPACE = "\u202f"
"""Between the thousands of a ledger position, so that nobody takes it for a count."""


def count(number: int) -> str:
    """A count: 12,480."""
    return f"{number:,}"


def position(number: int) -> str:
    """A place in the ledger: 10 482, with a narrow no-break space."""
    return f"{number:,}".replace(",", NARROW_SPACE)


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 row", "3 rows"."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def span(length: timedelta | float) -> str:
    """A duration in a sentence: "41 ms", "12 s", "1 min 38 s", "2 h 10 min", "3 days"."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 10 and seconds != int(seconds):
        return f"{seconds:.1f} s"
    return _long_span(round(seconds))


def _long_span(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two(seconds // 60, "min", seconds % 60, "s")
    if seconds < 172_800:
        return _two(seconds // 3600, "h", seconds % 3600 // 60, "min")
    return plural(seconds // 86_400, "day")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"


def column_span(length: timedelta | float) -> str:
    """A duration in a column: "98 ms", "52 s", "1 m 38 s", "2 h 10 m"."""
    return span(length).replace(" min", " m")


def clock(at: datetime) -> str:
    """The time of day to the second."""
    return at.strftime("%H:%M:%S")


def moment(at: datetime, now: datetime) -> str:
    """The time of day today, the date and time before."""
    return clock(at) if at.date() == now.date() else at.strftime("%-d %b, %H:%M:%S")


def ago(at: datetime, now: datetime) -> str:
    """How long ago, coarsely: "just now", "4 min ago", "12 Nov"."""
    seconds = (now - at).total_seconds()
    if seconds < 45:
        return "just now"
    if seconds < 3600:
        return f"{max(1, round(seconds / 60))} min ago"
    if seconds < 86_400:
        return f"{round(seconds / 3600)} h ago"
    return at.strftime("%-d %b")


def timer(seconds: float, length: float = 60.0) -> str:
    """A place in a recording: 0:00, 20:02, 1:04:10; in one shorter than ten seconds 0.04 s."""
    if length < 10:
        return f"{seconds:.2f} s"
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def countdown(seconds: float) -> str:
    """What is left, as a ring says it: "41 m", "2:47", "12 s"."""
    left = max(0, int(seconds))
    if left >= 600:
        return f"{left // 60} m"
    return f"{left // 60}:{left % 60:02}" if left >= 60 else f"{left} s"


def digest(value: str) -> str:
    """The first eight hexadecimal digits of a digest, in fours: "b41c 07e9"."""
    digits = value.rpartition(":")[2]
    return f"{digits[:4]} {digits[4:8]}"


def size(octets: int) -> str:
    """A number of bytes: "812 B", "11.2 kB", "3.4 MB"."""
    if octets < 1000:
        return f"{octets} B"
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if octets >= least:
            return f"{octets / least:.1f} {unit}"
    raise AssertionError("a thousand is a kilobyte")


def initials(name: str) -> str:
    """Up to two letters for a small round mark."""
    words = [word for word in name.replace(".", " ").replace("-", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def listing(names: list[str], joiner: str = "and") -> str:
    """Names in a sentence: "a", "a and b", "a, b and c"."""
    *most, last = names or [""]
    return f"{', '.join(most)} {joiner} {last}" if most else last
