"""Pure. How a text is looked at, byte for byte: JSON with its escapes blanked, a terminal's text without its escape sequences."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

BLANK: Final = b"\x00"
"""Stands for each byte of an escape: it is in no value, and ends a word."""
_PLAIN: Final = re.compile(rb"\\(?:/|u00[2-7][0-9a-fA-F]|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_WIDE: Final = re.compile(rb"\\u[0-9a-fA-F]{4}")
_BEGUN: Final = re.compile(rb"\\u[0-9a-fA-F]{0,3}\Z")
_SEQUENCE: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,1024}(?:\x07|\x1b\\)|[PX^_][^\x1b]{0,1024}\x1b\\|[ -/]*[0-OQ-WYZ`-~\\])"
)
_BEGUN_SEQUENCE: Final = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]{0,1024}\x1b?|[ -/]*)\Z")
_LONGEST_SEQUENCE: Final = 1_100


class Form(Enum):
    """What kind of text it is: any, JSON (lines of it too), or one in which every byte keeps its place."""

    TEXT = auto()
    JSON = auto()
    FIT = auto()


def half_of_json(data: bytes) -> int:
    """How many bytes at the end are the beginning of an escape."""
    begun = _BEGUN.search(data[-5:])
    at = len(data) if begun is None else len(data) - len(begun[0])
    before = data[:at]
    odd = (len(before) - len(before.rstrip(b"\\"))) % 2
    if begun is not None:
        return len(begun[0]) if not odd else 0
    return odd


def plainly(data: bytes) -> bytes:
    r"""JSON in which no letter, digit or sign is written as an escape that need not be: \/ and \u0034 hide a value."""
    return _PLAIN.sub(_plain, data) if b"\\u00" in data or b"\\/" in data else data


def _plain(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if found == b"\\/":
        return b"/"
    code = int(found[4:], 16) if len(found) == 6 else 0
    return bytes([code]) if 0x20 <= code < 0x7F and code not in b'"\\' else found


def blanked(data: bytes) -> bytes:
    """JSON without its escapes, every other byte in its place."""
    for pair in (b"\\\\", b'\\"', b"\\n", b"\\r", b"\\t", b"\\/", b"\\b", b"\\f"):
        data = data.replace(pair, BLANK * 2)
    return _WIDE.sub(BLANK * 6, data) if b"\\u" in data else data


def half_of_terminal(data: bytes) -> int:
    """How many bytes at the end are the beginning of an escape sequence."""
    begun = _BEGUN_SEQUENCE.search(data[-_LONGEST_SEQUENCE:])
    return len(begun[0]) if begun is not None else 0


def set_aside(data: bytes, base: int) -> tuple[bytes, list[tuple[int, bytes]]]:
    """A terminal's text, and its escape sequences by where they stand in it; `base` is where it begins."""
    kept, aside, at = [], [], 0
    for match in _SEQUENCE.finditer(data):
        kept.append(data[at : match.start()])
        base += match.start() - at
        aside.append((base, match[0]))
        at = match.end()
    return b"".join([*kept, data[at:]]), aside
