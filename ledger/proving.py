"""Checks entries against the newest checkpoint, for pages that show many: its signature once, then one path an entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import NarrowgateError
from ledger import merkle
from ledger.checkpoint import NoteError, VerifierKey, open_note
from ledger.models import Checkpoint, Entry, Key
from ledger.queries import UPPER, last_checkpoint, stored_tree

VERIFIED, WAITING, BROKEN = "verified", "waiting", "broken"


@dataclass(frozen=True)
class Proof:
    """An entry's standing: `state` is VERIFIED, WAITING (no checkpoint holds it yet) or BROKEN, `why` says what is wrong.

    `hashes` is the inclusion path from the leaf upwards in the tree of `size` entries, where there is one.
    """

    index: int
    state: str
    size: int = 0
    hashes: tuple[bytes, ...] = ()
    why: str = ""


class Prover:
    """Proves entries in the newest checkpoint. Keeps what it has read: make one for each page."""

    def __init__(self) -> None:
        self.checkpoint = last_checkpoint()
        self.problem = _problem_of(self.checkpoint) if self.checkpoint else ""
        self._tree = stored_tree(self.checkpoint.size if self.checkpoint else 0, kept=UPPER)
        self._is_fresh = False

    def proofs(self, entries: Sequence[Entry]) -> list[Proof]:
        """The standing of several entries, whose paths are read at once. Never raises."""
        if self.checkpoint is not None and not self.problem:
            size = self.checkpoint.size
            spans = [merkle.inclusion_spans(entry.index, size) for entry in entries if entry.index < size]
            self._tree.read(span for path in spans for span in path)
        return [self.proof(entry) for entry in entries]

    def proof(self, entry: Entry) -> Proof:
        """Recompute the leaf's hash and the path to the signed root. Never raises."""
        if self.checkpoint is None or entry.index >= self.checkpoint.size:
            return Proof(entry.index, WAITING)
        if self.problem:
            return Proof(entry.index, BROKEN, self.checkpoint.size, why=self.problem)
        return self._included(entry, self.checkpoint)

    def _included(self, entry: Entry, checkpoint: Checkpoint) -> Proof:
        """By what is kept of the upper tiles; where that does not lead to the root, by the tables alone."""
        found = self._followed(entry, checkpoint)
        if found.state == BROKEN and not self._is_fresh:
            UPPER.clear()
            self._tree, self._is_fresh = stored_tree(checkpoint.size), True
            found = self._followed(entry, checkpoint)
        return found

    def _followed(self, entry: Entry, checkpoint: Checkpoint) -> Proof:
        leaf = merkle.leaf_hash(bytes(entry.leaf))
        hashes: tuple[bytes, ...] = ()
        try:
            hashes = tuple(self._tree.hashes(merkle.inclusion_spans(entry.index, checkpoint.size)))
            merkle.verify_inclusion(entry.index, checkpoint.size, leaf, hashes, bytes(checkpoint.root))
        except (merkle.ProofError, NarrowgateError) as error:
            return Proof(entry.index, BROKEN, checkpoint.size, hashes, str(error))
        return Proof(entry.index, VERIFIED, checkpoint.size, hashes)


def _problem_of(checkpoint: Checkpoint) -> str:
    """What is wrong with a checkpoint's signature or with the row beside it; empty when nothing is."""
    why = "No key of this ledger is known."
    for key in Key.objects.order_by("-first_size"):
        try:
            signed = open_note(checkpoint.note, VerifierKey.parse(key.verifier))
        except NoteError as error:
            why = str(error)
            continue
        same = signed.size == checkpoint.size and signed.root == bytes(checkpoint.root)
        return "" if same else "The checkpoint's row does not say what its signature covers."
    return why
