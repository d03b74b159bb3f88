"""Identifiers sort by when they were made, and have the form of RFC 9562's version 7."""

from __future__ import annotations

import os
import time
from uuid import UUID

from core.ids import RANDOM_BYTES, id_text, new_id


def test_both_ways_of_making_give_version_7() -> None:
    for one in (new_id(), UUID(id_text(os.urandom(RANDOM_BYTES)))):
        assert (one.version, one.variant) == (7, "specified in RFC 4122")
        assert abs((one.int >> 80) - time.time_ns() // 1_000_000) < 10_000


def test_every_random_bit_counts() -> None:
    lowest, highest = UUID(id_text(bytes(RANDOM_BYTES))), UUID(id_text(b"\xff" * RANDOM_BYTES))
    random_bits = (lowest.int ^ highest.int) & ((1 << 80) - 1)
    assert random_bits.bit_count() == 74


def test_text_is_written_as_python_writes_it() -> None:
    text = id_text(os.urandom(RANDOM_BYTES))
    assert str(UUID(text)) == text
