"""What can be asked of the ledger: its state, its entries' proofs. Reads with Django's connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.db import db_now
from core.errors import NotFound
from ledger import merkle
from ledger.events import Event
from ledger.kept import Upper
from ledger.models import Checkpoint, Entry, Head
from ledger.reading import columns_of
from ledger.stored import StoredTree
from ledger.tiles import cut

LOWEST_SQL = "SELECT * FROM ledger_lowest(%s, %s)"
WAITING_SQL = """
SELECT leaf FROM ledger_unsequenced(%s) JOIN ledger_outbox USING (id) WHERE event = %s
"""
UPPER: Final = Upper()
"""What this process has read and made of the log's upper tiles."""
PENDING_SQL = "SELECT count(*), min(recorded_at) FROM ledger_unsequenced(%s)"


@dataclass(frozen=True, slots=True)
class State:
    """How the log stands: `age` is that of its last checkpoint, `waiting` how long the oldest unsequenced entry waits."""

    size: int
    root: bytes
    checkpoint: Checkpoint | None
    age: timedelta | None
    pending: int
    waiting: timedelta | None


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The evidence that an entry is in the tree that `checkpoint` signs; `hashes` go from the leaf upwards."""

    index: int
    leaf_hash: bytes
    checkpoint: Checkpoint
    hashes: list[bytes]

    def verify(self) -> None:
        """Check it against the checkpoint's root. Raises ledger.merkle.ProofError."""
        merkle.verify_inclusion(
            self.index, self.checkpoint.size, self.leaf_hash, self.hashes, bytes(self.checkpoint.root)
        )

    def holds(self) -> bool:
        """Whether it leads to the checkpoint's root."""
        try:
            self.verify()
        except merkle.ProofError:
            return False
        return True


def stored_tree(size: int, edge: Sequence[bytes] = (), *, kept: Upper | None = None) -> StoredTree:
    """The hashes of the log's first `size` entries, read with Django's connection; keeps what it reads. With `UPPER` it may have parts of
    them from this process: whoever asks so checks what comes of it.
    """
    return StoredTree(_query, size, edge, kept)


def _query(sql: str, params: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def last_checkpoint() -> Checkpoint | None:
    """The newest checkpoint, if there is one."""
    return Checkpoint.objects.order_by("-size").first()


def state() -> State:
    """How the log stands at this moment."""
    head = Head.objects.get(id=1)
    newest = last_checkpoint()
    now = db_now()
    pending, oldest = _pending(head.snapshot)
    return State(
        size=head.size,
        root=bytes(head.root),
        checkpoint=newest,
        age=None if newest is None else now - newest.signed_at,
        pending=pending,
        waiting=None if oldest is None else now - oldest,
    )


def _pending(snapshot: str) -> tuple[int, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute(PENDING_SQL, [snapshot])
        (count, oldest) = cursor.fetchone()
    return count, oldest


def subjects_of(actor: str, event: Event) -> set[str]:
    """What an actor did something to, by identifier, from the log and from what still waits to come into it."""
    found = set(Entry.objects.filter(actor_id=actor, event=event).values_list("subject_id", flat=True))
    for (leaf,) in _query(WAITING_SQL, [Head.objects.get(id=1).snapshot, event]):
        says = columns_of(bytes(leaf))
        found |= {says.subject_id} if says.actor_id == actor else set()
    return found


def entry(uid: UUID) -> Entry | None:
    """The entry that `record` gave this identifier; None until it is in the log."""
    return Entry.objects.filter(uid=uid).first()


def first_checkpoint_over(index: int) -> Checkpoint | None:
    """The first checkpoint whose tree holds the entry with this index; None until there is one."""
    return Checkpoint.objects.filter(size__gt=index).order_by("size").first()


def inclusion(index: int, *, size: int | None = None) -> Inclusion:
    """The proof that entry `index` is in the checkpoint of `size`, the newest by default.

    Raises NotFound for an entry or a checkpoint that does not exist or do not belong together, and NarrowgateError
    where the tables lack what the proof needs. One that does not lead to the root is made from the tables alone.
    """
    found = _query(LOWEST_SQL, [index, size])
    if not found:
        raise NotFound("There is no such entry in such a checkpoint.")
    signed, root, note, signed_at, frontier, *lowest = found[0]
    checkpoint = Checkpoint(size=signed, root=root, note=note, signed_at=signed_at)
    edge = cut(bytes(frontier or b""))
    made = _included(index, checkpoint, stored_tree(signed, edge, kept=UPPER), lowest)
    if not made.holds():
        UPPER.clear()
        made = _included(index, checkpoint, stored_tree(signed, edge), lowest)
    return made


def _included(index: int, checkpoint: Checkpoint, tree: StoredTree, lowest: Sequence[Any]) -> Inclusion:
    tree.keep_lowest(index, *lowest)
    hashes = tree.hashes(merkle.inclusion_spans(index, checkpoint.size))
    return Inclusion(index, tree.hash(merkle.Span(index, index + 1)), checkpoint, hashes)


def consistency(older: int, newer: int) -> list[bytes]:
    """The proof that the tree of `newer` entries continues that of `older`. Raises NotFound for sizes the log has not."""
    head = Head.objects.get(id=1)
    if not 0 < older <= newer <= head.size:
        raise NotFound("The ledger has no such sizes.")
    edge = cut(bytes(head.frontier)) if newer == head.size else []
    return stored_tree(newer, edge).hashes(merkle.consistency_spans(older, newer))


def hashes(spans: Iterable[merkle.Span]) -> list[bytes]:
    """The hashes of subtrees of the log. Raises NarrowgateError where the tables lack a part of them."""
    wanted = list(spans)
    return stored_tree(max((span.end for span in wanted), default=0)).hashes(wanted)
