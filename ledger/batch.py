"""One batch of the sequencer: outbox rows become numbered, hashed, signed entries in one transaction.

1. Read the head. 2. Read the rows that are not in the log yet, up to one in which the key hands over. 3. Number and hash
them. 4. Insert the entries. 5. Store the tiles they fill. 6. Sign the new head. 7. Move the head, if it is still where it
was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from core.errors import NarrowgateError
from ledger import checkpoint, handover, merkle, reading, tiles
from ledger.checkpoint import VerifierKey
from ledger.signer import Signer
from ledger.stored import StoredTree

HEAD_SQL: LiteralString = "SELECT size, root, frontier, snapshot FROM ledger_head WHERE id = 1"

ROWS_SQL: LiteralString = """
SELECT id, leaf FROM ledger_outbox AS o WHERE id = ANY(%s)
AND NOT EXISTS (SELECT FROM ledger_entry AS e WHERE e.outbox_id = o.id) ORDER BY id
"""

COPY_ENTRIES_SQL: LiteralString = """
COPY ledger_entry (index, outbox_id, leaf_hash, leaf, uid, event, actor_kind, actor_id, actor_name,
    subject_kind, subject_id, subject_name, session, action, node, node_seq, recorded) FROM STDIN (FORMAT BINARY)
"""
COPY_TYPES = ["int8", "int8", "bytea", "bytea", "uuid", *["varchar"] * 10, "int8", "timestamptz"]

INSERT_TILE_SQL: LiteralString = """
INSERT INTO ledger_tile (level, index, hashes, middles, root) VALUES (%s, %s, %s, %s, %s)
"""

INSERT_CHECKPOINT_SQL: LiteralString = "INSERT INTO ledger_checkpoint (size, root, note) VALUES (%s, %s, %s)"

MOVE_SQL: LiteralString = """
UPDATE ledger_head SET size = %s, root = %s, frontier = %s, snapshot = coalesce(%s, snapshot)
WHERE id = 1 AND size = %s AND root = %s
"""


class HeadMovedError(RuntimeError):
    """Another sequencer has moved the head: this one must start again."""


class KeyRetiredError(NarrowgateError):
    """The log has recorded that it goes on under another key: this one signs no more."""

    def __init__(self, new: VerifierKey) -> None:
        super().__init__(f"The ledger goes on under another key, {new}.", "Start with that key.")


class Head(NamedTuple):
    """Where the log ends; `snapshot` is the pg_snapshot in which everything visible is in the log."""

    size: int
    root: bytes
    frontier: bytes
    snapshot: str


class Row(NamedTuple):
    """A claimed row of the outbox."""

    id: int
    leaf: bytes


def read_head(connection: Connection[Any]) -> Head:
    """The head's one row. Raises HeadMovedError when somebody has removed it."""
    found = connection.execute(HEAD_SQL).fetchone()
    if found is None:
        raise HeadMovedError("The ledger's head is missing.")
    return Head(found[0], bytes(found[1]), bytes(found[2]), found[3])


def sequence(connection: Connection[Any], signer: Signer, outbox_ids: Sequence[int], *, seen: str | None) -> int:
    """Put the outbox rows with these ids into the log and give their number; `seen`, if any, becomes the head's snapshot.

    Commits or changes nothing. Raises HeadMovedError and psycopg's errors; KeyRetiredError after it has committed what goes
    up to the entry in which the signer's key hands over.
    """
    with connection.transaction():
        head = read_head(connection)
        rows = [
            Row(number, bytes(leaf)) for number, leaf in connection.execute(ROWS_SQL, [list(outbox_ids)]).fetchall()
        ]
        rows, successor = _up_to_handover(rows, signer.key)
        tree = merkle.CompactRange(head.size, tiles.cut(head.frontier))
        if rows:
            hashes = _insert_entries(connection, head.size, rows)
            for leaf_hash in hashes:
                tree.append(leaf_hash)
            _store_tiles(connection, head.size, tree.size)
            _sign(connection, signer, tree)
        _move(connection, head, tree, None if successor else seen)
    if successor is not None:
        raise KeyRetiredError(successor)
    return len(rows)


def _up_to_handover(rows: list[Row], key: VerifierKey) -> tuple[list[Row], VerifierKey | None]:
    """The rows that `key` may still sign, and the key that it hands over to with the last of them."""
    for place, row in enumerate(rows, start=1):
        found = handover.read_leaf(row.leaf)
        if found is not None and found.old == key:
            return rows[:place], found.new
    return rows, None


def _insert_entries(connection: Connection[Any], first: int, rows: Sequence[Row]) -> list[bytes]:
    hashes = [merkle.leaf_hash(row.leaf) for row in rows]
    with connection.cursor() as cursor, cursor.copy(COPY_ENTRIES_SQL) as copy:
        copy.set_types(COPY_TYPES)
        for index, (row, leaf_hash) in enumerate(zip(rows, hashes, strict=True), start=first):
            copy.write_row((index, row.id, leaf_hash, row.leaf, *reading.columns_of(row.leaf)))
    return hashes


def _store_tiles(connection: Connection[Any], before: int, after: int) -> None:
    """Store the tiles that became full between two sizes, the lowest level first: the next level reads its roots."""
    level, size = 0, before
    while (before := before >> tiles.HEIGHT) < (after := after >> tiles.HEIGHT):
        tree = StoredTree(lambda sql, params: connection.execute(sql, params).fetchall(), size)
        for number in range(before, after):
            hashes = tree.tile(level, number)
            middles = tiles.join(tiles.middles(hashes))
            whole = [tiles.join(hashes), middles, tiles.perfect_root(middles)]
            connection.execute(INSERT_TILE_SQL, [level, number, *whole])
        level += 1


def _sign(connection: Connection[Any], signer: Signer, tree: merkle.CompactRange) -> None:
    new = checkpoint.Checkpoint(signer.key.name, tree.size, tree.root())
    note = checkpoint.sign(new, signer.key, signer.sign)
    connection.execute(INSERT_CHECKPOINT_SQL, [new.size, new.root, note])


def _move(connection: Connection[Any], head: Head, tree: merkle.CompactRange, seen: str | None) -> None:
    after = [tree.size, tree.root(), tiles.join(tree.hashes), seen]
    moved = connection.execute(MOVE_SQL, [*after, head.size, head.root])
    if moved.rowcount != 1:
        raise HeadMovedError("Another sequencer has moved the ledger's head.")
