"""Hash tiles: C2SP tlog-tiles, 256 hashes a tile. Pure: no Django, no I/O.

A tile of level L holds the hashes of perfect subtrees over 256^L leaves each.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from ledger.merkle import HASH_SIZE, Span

HEIGHT = 8
WIDTH = 1 << HEIGHT
STRIP = 16  # hashes that follow each other in a tile, and the number of such strips in it


class Slot(NamedTuple):
    """Where the hash of a perfect subtree comes from: `width` hashes from `offset` on in a tile."""

    level: int
    number: int
    offset: int
    width: int


def slot_of(span: Span) -> Slot:
    """The place of a perfect subtree: aligned, its width a power of two. Raises ValueError for any other."""
    width = span.end - span.begin
    if width <= 0 or width.bit_count() != 1 or span.begin % width:
        raise ValueError(f"{span} is not a perfect subtree.")
    level = (width.bit_length() - 1) // HEIGHT
    first = span.begin >> (HEIGHT * level)
    return Slot(level, first >> HEIGHT, first % WIDTH, width >> (HEIGHT * level))


def middles(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes of a full tile's sixteen subtrees of sixteen: with them the hash of any of its subtrees takes a few steps."""
    if len(hashes) != WIDTH:
        raise ValueError("Only a full tile has all its subtrees.")
    return [perfect_root(join(hashes[begin : begin + STRIP])) for begin in range(0, WIDTH, STRIP)]


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """The hash that a full tile becomes one level up."""
    return perfect_root(join(middles(hashes)))


def perfect_root(hashes: bytes) -> bytes:
    """The root over joined hashes whose number is a power of two: in pairs, level by level."""
    while len(hashes) > HASH_SIZE:
        pairs = range(0, len(hashes), 2 * HASH_SIZE)
        hashes = b"".join([sha256(b"\x01" + hashes[pair : pair + 2 * HASH_SIZE]).digest() for pair in pairs])
    return hashes


def widths(size: int) -> list[int]:
    """How many hashes each level has in a tree of `size` leaves, level 0 first."""
    found = []
    while size:
        found.append(size)
        size >>= HEIGHT
    return found


def join(hashes: Sequence[bytes]) -> bytes:
    """A tile's bytes, as stored and served."""
    return b"".join(hashes)


def cut(data: bytes) -> list[bytes]:
    """The hashes of a tile's bytes."""
    return [data[place : place + HASH_SIZE] for place in range(0, len(data), HASH_SIZE)]


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where a tile is served; `level` is a number or "entries", a `width` under 256 names a partial tile."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def entry_bundle(leaves: Sequence[bytes]) -> bytes:
    """The bytes of an entry tile: each leaf after its length in two bytes, big-endian."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)
