"""What the gate decides by, kept current: it hears from the database at least every 250 ms, or releases nothing.

NOTIFY wakes it for changes and settled holds; the poll behind it makes a lost notification harmless, and every
wake-up reads the rows again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import psycopg
import structlog
from django.db import Error as OrmError
from psycopg import AsyncConnection

from agents.detecting import NO_DETECTORS, NOWHERE
from agents.detectors.acting import Detecting
from gateway.refusal import Refusal
from gateway.threads import in_thread
from policies import snapshot as policies
from policies.snapshot import Snapshot

POLL = 0.25
"""Seconds between reads when nothing wakes it."""
DEAF_AFTER = 1.0
"""Seconds without hearing from the database after which nothing is released."""
PATIENCE = 3.0
"""Seconds that an action waits to hear from the database again before it is refused."""
BEAT = 1.0
"""Seconds between heartbeats of the node's row."""
RECONNECT_AFTER = 0.2
REVOKED_SQL = "SELECT id FROM agents_credential WHERE revoked_at IS NOT NULL AND id = ANY(%s)"
HOLDS_SQL = "SELECT id, status, settled_because, deadline FROM approvals_hold WHERE id = ANY(%s)"
NEXT_SQL = """
    (SELECT id FROM policies_policyversion WHERE status IN ('proposed', 'approved') ORDER BY number DESC LIMIT 3)
    UNION ALL
    (SELECT id FROM policies_policyversion WHERE status = 'retired' ORDER BY activated_at DESC LIMIT 1)"""
"""What may come into force next: whatever waits for it, and what was in force last."""
CUT_SQL = "SELECT id, cut_reason FROM activity_session WHERE node_id = %s AND cut_at IS NOT NULL AND ended_at IS NULL"
log = structlog.get_logger()

Settled = Callable[[Iterable[tuple[Any, ...]]], None]
Changed = Callable[[Snapshot, frozenset[UUID]], Awaitable[None]]


class Watch:
    """Holds the current snapshot. `node_id` is the row whose heartbeat it keeps."""

    def __init__(self, dsn: str, node_id: UUID) -> None:
        self._dsn = dsn
        self._node_id = node_id
        self._snapshot: Snapshot | None = None
        self.risks: Mapping[str, int] = {}
        """Agents that have any risk, and how much: kept where policies look at it."""
        self._heard = 0.0
        self._beat = 0.0
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ahead: frozenset[UUID] = frozenset()
        self._reading: asyncio.Task[None] | None = None
        self.credentials: Callable[[], set[UUID]] = set
        """The credentials of open sessions."""
        self.holds: Callable[[], list[UUID]] = list
        """The holds that sessions here wait for."""
        self.on_changed: Changed | None = None
        self.on_holds: Settled = lambda _rows: None
        self.on_cut: Callable[[UUID, str], None] = lambda _session, _reason: None
        """What to do with a session of this node that a person cut; asked again until it has ended."""

    async def start(self) -> None:
        """Load the first snapshot and begin to listen."""
        connection = await self._connect()
        await self._hear(connection)
        self._task = asyncio.create_task(self._run(connection), name="watch")

    async def stop(self) -> None:
        """End listening."""
        tasks = [task for task in (self._task, self._reading) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def current(self) -> Snapshot:
        """The snapshot to decide by. Raises Refusal when the database has not been heard for DEAF_AFTER seconds."""
        if self._snapshot is None or self.is_deaf:
            raise Refusal(
                "The gate has not heard from its database for a second, and releases nothing until it does.",
                code="deaf",
                sqlstate="57P03",
                remedy="Try again in a moment.",
            )
        return self._snapshot

    def detecting(self, resource: str) -> Detecting:
        """The detectors that act at a resource, as far as was heard: while nothing is heard nothing new is released."""
        return self._snapshot.detecting(resource) if self._snapshot is not None else NO_DETECTORS.at(NOWHERE)

    @property
    def is_deaf(self) -> bool:
        """Whether the database has not been heard for DEAF_AFTER seconds."""
        return time.monotonic() - self._heard > DEAF_AFTER

    async def heard(self) -> None:
        """Return at once while the database is heard; else wait PATIENCE seconds for it, and no longer."""
        if not self.is_deaf:
            return
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._again.wait()

    async def refresh(self) -> Snapshot:
        """Load a snapshot now."""
        return await self._load()

    # ---- the task ----
    async def _run(self, connection: AsyncConnection[Any] | None) -> None:
        while True:
            try:
                connection = connection or await self._connect()
                async for _ in connection.notifies(timeout=POLL, stop_after=1):
                    pass
                await self._hear(connection)
            except (psycopg.Error, OrmError) as error:
                log.warning("database_not_heard", error=str(error))
                if connection is not None:
                    await connection.close()
                connection = None
                await asyncio.sleep(RECONNECT_AFTER)
            except asyncio.CancelledError:
                if connection is not None:
                    await connection.close()
                raise

    async def _hear(self, connection: AsyncConnection[Any]) -> None:
        asked = time.monotonic()
        row = await (await connection.execute("SELECT number FROM agents_revision")).fetchone()
        revision = row[0] if row else 0
        if self._snapshot is None or self._snapshot.revision != revision:
            if self._snapshot is not None:
                await self._tell(connection)  # what was revoked does not wait until everything is read again
            await self._load()
            await self._tell(connection)
        if self._snapshot is not None and self._snapshot.engine.looks_at("risk"):
            self.risks = await in_thread(policies.risks)
        self._heard = asked
        self._again.set()
        await self._hear_holds(connection)
        await self._look_ahead(connection)
        for session, reason in await (await connection.execute(CUT_SQL, [self._node_id])).fetchall():
            self.on_cut(session, reason)
        if asked - self._beat > BEAT:
            self._beat = asked
            await connection.execute(
                "UPDATE activity_gatewaynode SET beat_at = clock_timestamp() WHERE id = %s", [self._node_id]
            )

    async def _look_ahead(self, connection: AsyncConnection[Any]) -> None:
        """Have what may come into force next read beside everything else, so that activating it takes no reading."""
        found = frozenset(row[0] for row in await (await connection.execute(NEXT_SQL)).fetchall())
        fresh = found - self._ahead
        if fresh and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read_ahead(fresh), name="read ahead")
            self._ahead = found

    async def _read_ahead(self, versions: Iterable[UUID]) -> None:
        for version in versions:
            await in_thread(policies.read_ahead, version)

    async def _load(self) -> Snapshot:
        snapshot = await in_thread(policies.load)
        if snapshot.engine.looks_at("risk"):  # known before it decides anything: an agent that is not named has none
            self.risks = await in_thread(policies.risks)
        self._snapshot = snapshot
        return snapshot

    async def _tell(self, connection: AsyncConnection[Any]) -> None:
        open_credentials = list(self.credentials())
        revoked: frozenset[UUID] = frozenset()
        if open_credentials:
            rows = await (await connection.execute(REVOKED_SQL, [open_credentials])).fetchall()
            revoked = frozenset(row[0] for row in rows)
        if self.on_changed is not None and self._snapshot is not None:
            await self.on_changed(self._snapshot, revoked)

    async def _hear_holds(self, connection: AsyncConnection[Any]) -> None:
        waited_for = self.holds()
        if waited_for:
            self.on_holds(await (await connection.execute(HOLDS_SQL, [waited_for])).fetchall())

    async def _connect(self) -> AsyncConnection[Any]:
        connection = await AsyncConnection.connect(self._dsn, autocommit=True, application_name="narrowgate watch")
        await connection.execute("LISTEN narrowgate_changed")
        await connection.execute("LISTEN narrowgate_settled")
        return connection
