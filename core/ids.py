"""Identifiers that sort by time of making (UUID version 7, RFC 9562 section 5.7). Pure but for clock and randomness."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from uuid import UUID


def new_id() -> UUID:
    """A version 7 UUID: 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


RANDOM_BYTES = 10


def id_text(random: bytes) -> str:
    """The text of a version 7 UUID made now of RANDOM_BYTES of randomness: what `str(new_id())` is, without the object."""
    moment, drawn = f"{time.time_ns() // 1_000_000:012x}", random.hex()
    variant = "89ab"[random[9] & 3]
    return f"{moment[:8]}-{moment[8:]}-7{drawn[:3]}-{variant}{drawn[3:6]}-{drawn[6:18]}"


def identifiers(texts: Iterable[str]) -> set[UUID]:
    """Those of `texts` that are identifiers; what is none is left out, for it names nothing."""
    found = set()
    for text in texts:
        with suppress(ValueError):
            found.add(UUID(text))
    return found
