"""Whether gateways live: each holds a lock that PostgreSQL gives back however its process ends, and settles what those that died left open.

One that lost its connection, and with it the lock, lives: it beats over another connection (`snapshot.py`), and takes its lock again. So
one is dead whose lock is free and whose beat is old, looked at for DEAD_AFTER seconds over one connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import psycopg
import structlog
from django.db import Error as OrmError
from psycopg.rows import TupleRow

from activity import actions
from gateway.threads import in_thread

LOCK_CLASS = 0x4E47
"""First half of the advisory lock's number; the second is the node's hash."""
LOOK_EVERY = 1.0
DEAD_AFTER = 5.0
"""Seconds; a gateway that lives beats every second, and comes back to its database in less."""

OTHERS_SQL = "SELECT id FROM activity_gatewaynode WHERE stopped_at IS NULL AND id <> %s"
SILENT_SQL = f"{OTHERS_SQL} AND beat_at < clock_timestamp() - %s * interval '1 second'"
OWN_SQL = "SELECT stopped_at IS NULL FROM activity_gatewaynode WHERE id = %s"
LOCK_SQL = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
UNLOCK_SQL = "SELECT pg_advisory_unlock(%s, hashtext(%s))"
log = structlog.get_logger()


class Liveness:
    """The lock of one gateway, and its look at the others. `on_taken_for_dead` is called when one of them settled what this one does."""

    def __init__(self, dsn: str, node_id: UUID) -> None:
        self.on_taken_for_dead: Callable[[], None] = lambda: None
        self._dsn, self._node_id = dsn, node_id
        self._connection: psycopg.AsyncConnection[TupleRow] | None = None
        self._suspected: dict[UUID, float] = {}
        """Others whose lock was free and whose beat was old, each since when (`time.monotonic()`)."""
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the lock, and settle what is left of those without one: nobody comes back within a start. Raises what the database raises."""
        connection = await self._connect()
        for (node_id,) in await (await connection.execute(OTHERS_SQL, [self._node_id])).fetchall():
            if await _taken(connection, node_id):
                await _settle(connection, node_id)

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._watch(), name="liveness")

    async def stop(self) -> None:
        """Look no more; the lock stays."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def close(self) -> None:
        """Give the lock back."""
        await self.stop()
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[TupleRow]:
        connection: psycopg.AsyncConnection[TupleRow] = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="narrowgate alive"
        )
        self._connection = connection
        await _taken(connection, self._node_id)
        return connection

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self._look()
            except (psycopg.Error, OrmError, OSError) as error:
                log.warning("liveness_unknown", error=str(error))
                self._suspected.clear()
                if self._connection is not None:
                    with suppress(psycopg.Error):
                        await self._connection.close()
                    self._connection = None

    async def _look(self) -> None:
        connection = self._connection or await self._connect()
        own = await (await connection.execute(OWN_SQL, [self._node_id])).fetchone()
        if own is not None and not own[0]:
            await in_thread(actions.resume_node, self._node_id)
            self.on_taken_for_dead()
        rows = await (await connection.execute(SILENT_SQL, [self._node_id, DEAD_AFTER])).fetchall()
        now = time.monotonic()
        self._suspected = {node_id: self._suspected.get(node_id, now) for (node_id,) in rows}
        for node_id, since in list(self._suspected.items()):
            if not await _taken(connection, node_id):
                del self._suspected[node_id]
            elif now - since >= DEAD_AFTER:
                await _settle(connection, node_id)
            else:
                await _give_back(connection, node_id)


async def _taken(connection: psycopg.AsyncConnection[TupleRow], node_id: UUID) -> bool:
    """Take a node's lock; False where it lives, and holds it itself."""
    row = await (await connection.execute(LOCK_SQL, [LOCK_CLASS, str(node_id)])).fetchone()
    return bool(row and row[0])


async def _give_back(connection: psycopg.AsyncConnection[TupleRow], node_id: UUID) -> None:
    await connection.execute(UNLOCK_SQL, [LOCK_CLASS, str(node_id)])


async def _settle(connection: psycopg.AsyncConnection[TupleRow], node_id: UUID) -> None:
    """What a dead gateway released without seeing the result is uncertain; the holds it waited for stay."""
    lost = await in_thread(actions.mark_uncertain, node_id)
    log.warning("gateway_was_dead", node=str(node_id), uncertain=lost)
    await _give_back(connection, node_id)
