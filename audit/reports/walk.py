"""A walk along a part of the ledger: every leaf hashed again, every node's numbers followed, every root computed. Pure: no
Django, no I/O.

It checks the tables as `ledger/verify.py` checks a package, but all checkpoints where a package holds a choice of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ledger.checkpoint import NoteError, VerifierKey, open_note
from ledger.merkle import CompactRange, leaf_hash

MOST_FINDINGS = 200


@dataclass(frozen=True)
class Told:
    """What a row of the log tells: its place, its hash as stored, its bytes, its node and number."""

    index: int
    stored: bytes
    leaf: bytes
    node: str
    number: int | None


@dataclass(frozen=True)
class Mark:
    """A checkpoint as stored."""

    size: int
    root: bytes
    note: str


@dataclass
class NodeLine:
    """A node's numbers in the part: how many, from where to where, and how many of those between are missing."""

    entries: int = 0
    first: int = 0
    last: int = 0
    missing: int = 0


@dataclass
class Walk:
    """What was found: `findings` are sentences, `bad` the sizes of checkpoints that do not hold, `wrong` counts entries."""

    entries: int = 0
    checkpoints: int = 0
    wrong: int = 0
    missing: int = 0
    findings: list[str] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    nodes: dict[str, NodeLine] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return not (self.findings or self.bad)

    def find(self, sentence: str) -> None:
        """Keep a finding; beyond MOST_FINDINGS only the counts grow."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(sentence)


def walk(
    tree: CompactRange,
    told: Iterable[Told],
    marks: Iterable[Mark],
    keys: Iterable[VerifierKey],
    passed: Callable[[int], None] = lambda _: None,
) -> Walk:
    """Follow the entries from the end of `tree` on; `marks` are the checkpoints from there on, by size, none beyond the entries.

    `passed` hears how many entries were read.
    """
    found, coming, known = Walk(), iter(marks), list(keys)
    mark = next(coming, None)
    for one in told:
        if one.index != tree.size:
            found.missing += one.index - tree.size
            found.find(f"Entries {tree.size} to {one.index - 1} are missing: nothing after them can be proved.")
            break
        _entry(found, tree, one)
        while mark is not None and mark.size <= tree.size:
            _checkpoint(found, tree, mark, known)
            mark = next(coming, None)
        passed(found.entries)
    return found


def _entry(found: Walk, tree: CompactRange, one: Told) -> None:
    found.entries += 1
    computed = leaf_hash(one.leaf)
    if computed != one.stored:
        found.wrong += 1
        found.find(f"Entry {one.index}: its bytes do not give the hash recorded for it.")
    tree.append(computed)
    if one.number is not None:
        _number(found, one.index, one.node, one.number)


def _number(found: Walk, index: int, name: str, number: int) -> None:
    node = found.nodes.get(name)
    if node is None:
        node = found.nodes[name] = NodeLine(first=number, last=number - 1)
    if number != node.last + 1:
        node.missing += max(0, number - node.last - 1)
        found.find(f"Entry {index}: number {number} of node {name} follows number {node.last}.")
    node.entries, node.last = node.entries + 1, max(number, node.last)


def _checkpoint(found: Walk, tree: CompactRange, mark: Mark, keys: list[VerifierKey]) -> None:
    found.checkpoints += 1
    why = _signature(mark, keys)
    if not why and mark.root != tree.root():
        why = "the entries do not give the root that it signs"
    if why and len(found.bad) < MOST_FINDINGS:
        found.bad[mark.size] = why


def _signature(mark: Mark, keys: list[VerifierKey]) -> str:
    """What is wrong with it; empty where a known key signed exactly this size and root."""
    why = "no key of this ledger is known"
    for key in keys:
        try:
            signed = open_note(mark.note, key)
        except NoteError as error:
            why = str(error)
            continue
        return (
            ""
            if (signed.size, signed.root) == (mark.size, mark.root)
            else "its row does not say what its signature covers"
        )
    return why
