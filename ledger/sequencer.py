"""The ledger's one writer: whoever holds the advisory lock turns the outbox into the log; the others stand by.

What is unsequenced is never guessed from an id, because transactions commit in any order. The head keeps a
snapshot in which everything visible is in the log; new is what that snapshot could not see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, LiteralString, NamedTuple

import psycopg
import structlog
from psycopg import Connection

from core.errors import NarrowgateError
from ledger import batch, handover
from ledger.checkpoint import NoteError, VerifierKey, open_note
from ledger.signer import Signer

LOCK = 0x6E67_6C65_6467_6572  # the advisory lock's number, "ngledger"
BUSY = 0.002  # seconds until the next look after one that found a crowd
CALM = 0.04  # seconds after one that found few or none: a look costs the same however little it finds
CROWD = 64  # entries
STANDBY = 0.5  # seconds between two tries for the lock
RETRY = 0.5  # seconds before the next connection after a failure
LARGEST_BATCH = 4_000  # entries in one transaction
LARGEST_CLAIM = 200_000  # outbox rows found in one look

# A leader that hangs, or whose machine is gone, says nothing for a second: then PostgreSQL ends its session, and frees the lock
SILENT_SQL: LiteralString = "SET idle_session_timeout = '1s'; SET idle_in_transaction_session_timeout = '1s'"

LOCK_SQL: LiteralString = "SELECT pg_try_advisory_lock(%s)"

CLAIM_SQL: LiteralString = """
SELECT pg_current_snapshot()::text, coalesce(array_agg(id), '{}')
FROM (SELECT id FROM ledger_unsequenced(%s) ORDER BY id LIMIT %s) AS new
"""

KEY_SQL: LiteralString = """
INSERT INTO ledger_key (key_id, verifier, kept_in, first_size)
SELECT %s, %s, %s, size FROM ledger_head WHERE id = 1 ON CONFLICT DO NOTHING
"""

LAST_SQL: LiteralString = """
SELECT note, leaf FROM ledger_checkpoint AS c LEFT JOIN ledger_entry AS e ON e.index = c.size - 1 ORDER BY size DESC LIMIT 1
"""

FAILURES = (psycopg.Error, batch.HeadMovedError, NarrowgateError, ValueError)

log = structlog.get_logger()


class Claim(NamedTuple):
    """Outbox rows that are not in the log, and the snapshot in which these were all."""

    ids: list[int]
    snapshot: str

    @property
    def whole(self) -> bool:
        """Whether nothing was left for the next look."""
        return len(self.ids) < LARGEST_CLAIM

    def batches(self) -> Iterator[tuple[list[int], str | None]]:
        """Ids to sequence together; with the last of a whole claim the snapshot becomes the head's."""
        for start in range(0, len(self.ids), LARGEST_BATCH):
            last = start + LARGEST_BATCH >= len(self.ids)
            yield self.ids[start : start + LARGEST_BATCH], self.snapshot if last and self.whole else None


class Sequencer:
    """Run one a process; of all that run, one works. `dsn` is the sequencer's login.

    `reload`, if given, is asked for the signer again after each failure: the key may have changed, or an HSM come back.
    """

    def __init__(self, dsn: str, signer: Signer, reload: Callable[[], Signer] | None = None) -> None:
        self._dsn = dsn
        self._signer = signer
        self._reload = reload
        self.leading = threading.Event()
        self.failure = ""  # what stops it from working, in words; empty when nothing does

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set. A failure is logged and tried again: nothing is lost meanwhile, only late."""
        while not stop.is_set():
            try:
                with self._connect() as connection:
                    self._stand_by(connection, stop)
                    self._lead(connection, stop)
            except FAILURES as error:
                self._failed(error)
                stop.wait(RETRY)
                self._renew_signer()
        self.leading.clear()

    def _failed(self, error: Exception) -> None:
        self.leading.clear()
        self.failure = str(error).strip() or type(error).__name__
        log.warning("sequencer_failed", error=self.failure)

    def _renew_signer(self) -> None:
        if self._reload is not None:
            try:
                self._signer = self._reload()
            except NarrowgateError as error:
                self._failed(error)

    def _connect(self) -> Connection[Any]:
        connection = psycopg.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=5,
            application_name="narrowgate sequencer",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
        )
        connection.execute(SILENT_SQL)
        return connection

    def _stand_by(self, connection: Connection[Any], stop: threading.Event) -> None:
        """Wait for the lock; PostgreSQL frees it when its holder's connection ends."""
        while not stop.is_set():
            found = connection.execute(LOCK_SQL, [LOCK]).fetchone()
            if found is not None and found[0]:
                return
            self.failure = ""
            stop.wait(STANDBY)

    def _lead(self, connection: Connection[Any], stop: threading.Event) -> None:
        self._require_own_key(connection)
        seen = batch.read_head(connection).snapshot
        self.failure = ""
        self.leading.set()
        log.info("sequencer_leads", log=self._signer.key.name)
        while not stop.is_set():
            claim = _claim(connection, seen)
            for ids, snapshot in claim.batches():
                batch.sequence(connection, self._signer, ids, seen=snapshot)
            if claim.whole:
                seen = claim.snapshot
            stop.wait(BUSY if len(claim.ids) >= CROWD else CALM)

    def _require_own_key(self, connection: Connection[Any]) -> None:
        """Refuse to continue a log that is another key's, and make this key known."""
        key = self._signer.key
        found = connection.execute(LAST_SQL).fetchone()
        if found is not None:
            _require_turn(key, found[0], bytes(found[1] or b""))
        connection.execute(KEY_SQL, [key.key_id.hex(), str(key), self._signer.kept_in])


def _require_turn(key: VerifierKey, note: str, last_leaf: bytes) -> None:
    """Refuse `key` unless it signed the last checkpoint, or was handed the log in that checkpoint's last entry."""
    handed = handover.read_leaf(last_leaf)
    if handed is not None and _is_by(note, handed.old):
        if handed.new != key:
            raise batch.KeyRetiredError(handed.new)
        return
    try:
        open_note(note, key)
    except NoteError as error:
        raise NarrowgateError(
            f"The ledger's last checkpoint is not by the key {key.name}: {error}",
            "Start with the key and the name that signed it.",
        ) from None


def _is_by(note: str, key: VerifierKey) -> bool:
    try:
        open_note(note, key)
    except NoteError:
        return False
    return True


def _claim(connection: Connection[Any], seen: str) -> Claim:
    found = connection.execute(CLAIM_SQL, [seen, LARGEST_CLAIM]).fetchone()
    if found is None:
        return Claim([], "")
    snapshot, ids = found
    # By id: a node's numbers were given in that order, because its row was locked
    return Claim(sorted(ids), snapshot)
