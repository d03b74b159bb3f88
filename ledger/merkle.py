"""The Merkle tree of RFC 6962 and RFC 9162 over SHA-256. Pure: no Django, no I/O.

Trees are described by the hashes of their leaves. A `Span` is the subtree over leaves `begin` to `end`
(exclusive); proofs are lists of spans, so that they can be computed from leaves, from tiles or from a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofError(ValueError):
    """A proof does not prove what it is said to prove; the message says how."""


class Span(NamedTuple):
    """The subtree over the leaves `begin` to `end`, `end` exclusive."""

    begin: int
    end: int


SpanHash = Callable[[Span], bytes]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256 of 0x00 and the entry's bytes (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256 of 0x01 and its children's hashes."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The smallest set of hashes from which a tree over leaves 0 to `size` can be continued.

    One hash for each 1 bit of `size`, the largest subtree first.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if size < 0 or len(hashes) != size.bit_count():
            raise ValueError(f"A compact range of size {size} has {max(size, 0).bit_count()} hashes.")
        self.size = size
        self.hashes = list(hashes)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        carry = leaf
        size = self.size
        while size & 1:
            carry = node_hash(self.hashes.pop(), carry)
            size >>= 1
        self.hashes.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree over everything appended so far."""
        if not self.hashes:
            return EMPTY_ROOT
        found = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            found = node_hash(left, found)
        return found


def root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over the given leaf hashes; of nothing, the hash of the empty string."""
    level = list(leaves)
    while len(level) > 1:  # the last of an odd number has no sibling and goes up as it is
        above = [node_hash(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        level = above + level[-1:] if len(level) & 1 else above
    return level[0] if level else EMPTY_ROOT


def split(size: int) -> int:
    """The largest power of two smaller than `size`, which must be at least 2 (RFC 6962's `k`)."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_spans(index: int, size: int) -> list[Span]:
    """The subtrees whose hashes prove leaf `index` in a tree of `size`, from the leaf upwards (RFC 9162 section 2.1.3)."""
    if not 0 <= index < size:
        raise ProofError(f"There is no leaf {index} in a tree of {size}.")
    spans: list[Span] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + split(end - begin)
        if index < middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    spans.reverse()
    return spans


def consistency_spans(older: int, newer: int) -> list[Span]:
    """The subtrees whose hashes prove that a tree of `newer` continues one of `older` (RFC 9162 section 2.1.4)."""
    if not 0 < older <= newer:
        raise ProofError(f"A tree of {newer} cannot be proved to continue one of {older}.")
    spans: list[Span] = []
    begin, end = 0, newer
    while end > older:
        middle = begin + split(end - begin)
        if older <= middle:
            spans.append(Span(middle, end))
            end = middle
        else:
            spans.append(Span(begin, middle))
            begin = middle
    if begin:  # otherwise the older tree is itself a whole subtree, and the verifier has its root
        spans.append(Span(begin, end))
    spans.reverse()
    return spans


def perfect_spans(begin: int, end: int) -> Iterator[Span]:
    """The largest aligned power-of-two subtrees that cover `begin` to `end`, left to right."""
    while begin < end:
        width = begin & -begin if begin else 1 << end.bit_length()
        while begin + width > end:
            width >>= 1
        yield Span(begin, begin + width)
        begin += width


def fold(span: Span, perfect: SpanHash) -> bytes:
    """The hash of any subtree of a tree, from those of the perfect subtrees that it is made of."""
    parts = [perfect(part) for part in perfect_spans(span.begin, span.end)]
    found = parts.pop()
    while parts:
        found = node_hash(parts.pop(), found)
    return found


def span_hash_of(leaves: Sequence[bytes]) -> SpanHash:
    """A function that gives the hash of any subtree over the given leaf hashes."""
    return lambda span: root(leaves[span.begin : span.end])


def _require_hashes(*values: bytes) -> None:
    """A node of another length could be read as another node: RFC 6962 hashes have 32 bytes, all of them."""
    if any(len(value) != HASH_SIZE for value in values):
        raise ProofError("A hash of the proof does not have 32 bytes.")


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that the proof leads to from the leaf's hash. Raises ProofError when its length cannot be right."""
    _require_hashes(leaf, *proof)
    spans = inclusion_spans(index, size)
    if len(spans) != len(proof):
        raise ProofError(f"The proof has {len(proof)} hashes where {len(spans)} are needed.")
    found = leaf
    for span, sibling in zip(spans, proof, strict=True):
        found = node_hash(sibling, found) if span.end <= index else node_hash(found, sibling)
    return found


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], expected: bytes) -> None:
    """Check that the leaf with hash `leaf` is at `index` of the tree of `size` whose root is `expected`; raises ProofError."""
    if root_from_inclusion(index, size, leaf, proof) != expected:
        raise ProofError(f"Leaf {index} is not in the tree of {size} with this root.")


def verify_consistency(older: int, newer: int, older_root: bytes, newer_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `newer` with `newer_root` continues that of `older` with `older_root`; raises ProofError."""
    _require_hashes(*proof)
    spans = consistency_spans(older, newer)
    if len(spans) != len(proof):
        raise ProofError(f"The proof has {len(proof)} hashes where {len(spans)} are needed.")
    pairs = list(zip(spans, proof, strict=True))
    old = new = pairs.pop(0)[1] if spans and spans[0].end == older else older_root
    for span, sibling in pairs:
        if span.end <= older:
            old = node_hash(sibling, old)
            new = node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    if old != older_root:
        raise ProofError(f"The proof does not lead to the root of the tree of {older}.")
    if new != newer_root:
        raise ProofError(f"The proof does not lead to the root of the tree of {newer}.")
