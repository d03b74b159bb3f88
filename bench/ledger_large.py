"""A ledger of ten million entries, built once in a folder that is kept: rows by one statement, tiles by COPY."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

DAYS = 90
AGENTS = 10_000
STEP = 250_000  # entries in one statement
COPY_TILES_SQL = "COPY ledger_tile (level, index, hashes, middles, root) FROM STDIN"
EVENTS = "ARRAY['actions:allowed','actions:allowed','actions:allowed','actions:done','actions:done','actions:done','action:denied','session:opened','session:closed','credential:issued','hold:asked','hold:approved','record:read','person:signed_in']"

# Entry g is of agent g*7919 mod AGENTS; one in eight is by one of fifty people. Times span DAYS, in order.
ENTRIES_SQL = f"""
INSERT INTO ledger_entry (index, outbox_id, leaf_hash, leaf, uid, event, actor_kind, actor_id, actor_name,
    subject_kind, subject_id, subject_name, session, action, node, node_seq, recorded)
SELECT g, g + 1, sha256('\\x00'::bytea || leaf), leaf, uid, event, kind, actor, name, 'resource', resource, resource,
    session, '', node, g / 4 + 1, at
FROM (
    SELECT *, convert_to(format(
        '{{"actor":{{"id":"%%s","kind":"%%s","name":"%%s"}},"details":{{"count":%%s,"root":"sha256:%%s"}},"event":"%%s","id":"%%s","node":"%%s","node_seq":%%s,"occurred":"%%s","recorded":"%%s","schema":1,"session":"%%s","subject":{{"id":"%%s","kind":"resource","name":"%%s"}}}}',
        actor, kind, name, g %% 50, md5(g::text) || md5((g + 1)::text), event, uid, node, g / 4 + 1, text_at, text_at, session, resource, resource
    ), 'UTF8') AS leaf FROM (
        SELECT g, md5('u' || g)::uuid AS uid, (%(events)s)[1 + g * 31 %% 14] AS event,
            CASE WHEN g %% 8 = 0 THEN 'person' ELSE 'agent' END AS kind,
            CASE WHEN g %% 8 = 0 THEN md5('p' || g / 8 %% 50) ELSE md5('a' || g * 7919 %% {AGENTS}) END AS actor,
            CASE WHEN g %% 8 = 0 THEN 'person-' || g / 8 %% 50 ELSE 'agent-' || g * 7919 %% {AGENTS} END AS name,
            'db-' || g * 13 %% 40 AS resource, md5('s' || g / 50) AS session, 'gateway-' || g %% 4 AS node,
            now() - interval '{DAYS} days' * (1 - g::float / %(size)s) AS at,
            to_char(now() - interval '{DAYS} days' * (1 - g::float / %(size)s), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS text_at
        FROM generate_series(%(first)s::bigint, %(last)s::bigint - 1) AS g
    ) AS said
) AS made
"""


@contextmanager
def built(folder: Path, size: int) -> Iterator[None]:
    """Django points at a ledger of `size` entries, of an earlier run or made now. The server stops at the end."""
    from bench.ledger_world import point_at
    from console import database, embedded

    cluster = embedded.start(folder, "large", durable=False)
    try:
        logins = database.prepare(cluster, database.role_passwords(folder / "passwords.json"))
        point_at(folder, logins, "console.settings")
        database.migrate(logins.owner)
        import psycopg

        with psycopg.connect(cluster.admin_dsn("narrowgate"), autocommit=True) as admin:
            _build(admin, folder, size)
        yield
    finally:
        cluster.stop()


def _build(admin: Connection[Any], folder: Path, size: int) -> None:
    found = admin.execute("SELECT size FROM ledger_head").fetchone()
    if found is not None and found[0] == size:
        return
    began = time.monotonic()
    admin.execute("SET session_replication_role = replica")  # what an earlier run left half done goes
    admin.execute("SET max_parallel_maintenance_workers = 2")
    admin.execute("SET maintenance_work_mem = '256MB'")
    for table in ("entry", "tile", "checkpoint", "key"):
        admin.execute(f"DELETE FROM ledger_{table}")
        admin.execute(f"VACUUM ledger_{table}")
    with _without_indexes(admin):
        for first in range(0, size, STEP):
            last = min(size, first + STEP)
            statement = ENTRIES_SQL.replace("%(events)s", EVENTS)
            admin.execute(statement.encode(), {"first": first, "last": last, "size": size})
            print(f"\rbuilding a ledger: {last:,} of {size:,} entries", end="", file=sys.stderr)
    _sign(admin, folder, size)
    admin.execute("VACUUM ANALYZE ledger_entry")
    admin.execute("VACUUM ANALYZE ledger_tile")
    print(f"\nbuilt in {time.monotonic() - began:.0f} s", file=sys.stderr)


@contextmanager
def _without_indexes(admin: Connection[Any]) -> Iterator[None]:
    """Indexes other than the key's, made at once at the end."""
    kept = admin.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'ledger_entry' AND indexname LIKE 'entry_%'"
    ).fetchall()
    for name, _ in kept:
        admin.execute(f"DROP INDEX {name}")
    try:
        yield
    finally:
        for _, definition in kept:
            admin.execute(definition)


def _sign(admin: Connection[Any], folder: Path, size: int) -> None:
    """Tiles of every level, and one checkpoint over all of it."""
    from ledger import checkpoint, merkle, tiles
    from ledger.signer import FileSigner

    signer = FileSigner.load_or_create(folder / "keys" / f"{secrets.token_hex(4)}.pem", "bench", name="bench/ledger")
    tree = merkle.CompactRange()
    level, hashes = 0, _leaves(admin, tree, size)
    while len(hashes) >= tiles.WIDTH * merkle.HASH_SIZE:
        hashes = _store(admin, level, hashes)
        level += 1
    root = tree.root()
    note = checkpoint.sign(checkpoint.Checkpoint(signer.key.name, size, root), signer.key, signer.sign)
    admin.execute("INSERT INTO ledger_checkpoint (size, root, note) VALUES (%s, %s, %s)", [size, root, note])
    key = [signer.key.key_id.hex(), str(signer.key)]
    admin.execute("INSERT INTO ledger_key (key_id, verifier, first_size) VALUES (%s, %s, 0)", key)
    moved = [size, root, tiles.join(tree.hashes)]
    admin.execute("UPDATE ledger_head SET size = %s, root = %s, frontier = %s", moved)


def _leaves(admin: Connection[Any], tree: Any, size: int) -> bytes:  # noqa: ANN401 -- a CompactRange
    """Every leaf's hash, joined: 32 bytes an entry."""
    joined = bytearray()
    for first in range(0, size, STEP):
        found = admin.execute(
            "SELECT leaf_hash FROM ledger_entry WHERE index >= %s AND index < %s ORDER BY index", [first, first + STEP]
        ).fetchall()
        for (leaf,) in found:
            tree.append(bytes(leaf))
            joined += leaf
    return bytes(joined)


def _store(admin: Connection[Any], level: int, hashes: bytes) -> bytes:
    """Store the full tiles of a level; gives the hashes of the next."""
    from ledger import merkle, tiles

    whole, roots = tiles.WIDTH * merkle.HASH_SIZE, bytearray()
    with admin.cursor() as cursor, cursor.copy(COPY_TILES_SQL) as copy:
        for number in range(len(hashes) // whole):
            data = hashes[number * whole : (number + 1) * whole]
            middles = tiles.join(tiles.middles(tiles.cut(data)))
            root = tiles.perfect_root(middles)
            copy.write_row((level, number, data, middles, root))
            roots += root
    return bytes(roots)
