"""A proof drawn: the nodes from a leaf to the root, and at each level which side came from the proof. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.merkle import leaf_hash, node_hash


@dataclass(frozen=True)
class Level:
    """One step up: the node computed so far, its sibling from the proof (hex), and the sibling's side."""

    number: int
    ours: str
    sibling: str
    side: str


def levels_of(index: int, size: int, leaf: bytes, hashes: Sequence[bytes]) -> tuple[list[Level], str]:
    """The steps of RFC 9162 section 2.1.3.2 from leaf to root, and the root they lead to, in hexadecimal."""
    node, last, current = index, size - 1, leaf_hash(leaf)
    levels: list[Level] = []
    for number, sibling in enumerate(hashes):
        from_left = bool(node & 1) or node == last
        levels.append(Level(number, current.hex(), sibling.hex(), "left" if from_left else "right"))
        current = node_hash(sibling, current) if from_left else node_hash(current, sibling)
        if from_left and not node & 1:
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        node, last = node >> 1, last >> 1
    return levels, current.hex()
