"""Group commit: a task that writes what has queued up while it wrote, many rows a transaction; a bad row fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, LiteralString, TypeVar

import psycopg
import structlog

from gateway.lane import Lane
from ledger.entries import Draft

BATCH = 256
"""Rows in one transaction."""
RETRY_AFTER = 0.2
"""Seconds after the database was lost."""
log = structlog.get_logger()

T = TypeVar("T")
Composed = tuple[LiteralString, tuple[str, ...], list[Draft]]


class Writer(Generic[T]):
    """Writes items of one kind over a lane; while one transaction commits, the next gathers.

    `compose` makes the statement for some items, `done` is told of those whose transaction committed, `refused` of
    one that the database does not take, `lost` of those of which it is not known, for want of a connection. Items
    wait `patience` seconds for others, unless there are `enough`. Without patience what has gathered is sent before
    those who wait for the last transaction run: the database works while they do.
    """

    def __init__(
        self,
        lane: Lane,
        compose: Callable[[Sequence[T]], Composed],
        *,
        done: Callable[[Sequence[T]], None],
        refused: Callable[[T], None],
        lost: Callable[[Sequence[T]], None],
        patience: float = 0.0,
        enough: int = 1,
    ) -> None:
        self._lane = lane
        self._patience = patience
        self._enough = enough
        self._compose = compose
        self._done = done
        self._refused = refused
        self._lost = lost
        self.queue: list[T] = []
        self.stopping = False
        self._work = asyncio.Event()
        self._filled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and begin to write."""
        await self._lane.open()
        self._task = asyncio.create_task(self._run())

    def put(self, item: T) -> None:
        """Queue an item."""
        self.queue.append(item)
        self._work.set()
        if len(self.queue) >= self._enough:
            self._filled.set()

    async def stop(self) -> None:
        """Write what is queued, then end."""
        self.stopping = True
        self._work.set()
        self._filled.set()
        if self._task is not None:
            await self._task
        await self._lane.close()

    async def _run(self) -> None:
        while not self.stopping or self.queue:
            await self._work.wait()
            if len(self.queue) < self._enough and not self.stopping:
                await self._gather()
            items, self.queue = self.queue[:BATCH], self.queue[BATCH:]
            if not self.queue and not self.stopping:
                self._work.clear()
            if items:
                await self._write(items)

    async def _gather(self) -> None:
        self._filled.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await self._filled.wait()

    async def _write(self, items: Sequence[T]) -> None:
        try:
            await self._lane.write(*self._compose(items))
        except psycopg.OperationalError as error:
            await self._without_database(items, error)
        except (psycopg.Error, ValueError) as error:
            await self._singly(items, error)
        else:
            self._done(items)

    async def _without_database(self, items: Sequence[T], error: psycopg.Error) -> None:
        log.warning("record_unavailable", error=str(error), rows=len(items))
        await self._lane.close()
        self._lost(items)
        if self.stopping:
            self.queue.clear()
        else:
            await asyncio.sleep(RETRY_AFTER)
            self._work.set()

    async def _singly(self, items: Sequence[T], error: Exception) -> None:
        if len(items) == 1:
            log.error("row_refused", error=str(error))
            self._refused(items[0])
            return
        for item in items:
            await self._write([item])
