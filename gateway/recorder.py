"""Group commit: one task writes what every session of this gateway has to record, many rows a transaction.

An intent's future is done only after its transaction committed: no record, no release. Outcomes wait a little so
that many share a transaction; nobody waits for them, but a queue that is full refuses new actions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from activity.hotpath import Intent, Outcome
from gateway import batches
from gateway.refusal import Refusal
from ledger.entries import Actor, Draft

BATCH = 256
"""Rows of one kind in one transaction."""
QUEUE_LIMIT = 20_000
"""Outcomes not yet written at which new actions are refused."""
OUTCOMES_WAIT = 0.05
"""Seconds that outcomes wait for others, unless so many have come that they fill a transaction well:"""
OUTCOMES_ENOUGH = 64
RETRY_AFTER = 0.2
log = structlog.get_logger()


@dataclass(slots=True)
class Intention:
    """An intent with what its entry says; `draft` is None where it may share an entry."""

    intent: Intent
    draft: Draft | None
    committed: asyncio.Future[None] = field(repr=False)


class Recorder:
    """Owns the writing connection of a gateway. `node` is its name in the ledger, `actor` who shared entries are by."""

    def __init__(self, dsn: str, *, node: str, actor: Actor) -> None:
        self._dsn = dsn
        self._node = node
        self._actor = actor
        self._intentions: list[Intention] = []
        self._outcomes: list[Outcome] = []
        self._work = asyncio.Event()
        self._outcomes_due = False
        self._stopping = False
        self._connection: AsyncConnection[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and begin to write."""
        self._connection = await self._connect()
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """Write what is queued, then end."""
        self._stopping = True
        self._work.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def intend(self, intent: Intent, draft: Draft | None) -> None:
        """Return once the intent is committed. Raises Refusal when it cannot be."""
        if self._stopping or len(self._outcomes) > QUEUE_LIMIT:
            raise cannot_record()
        waiting = asyncio.get_running_loop().create_future()
        self._intentions.append(Intention(intent, draft, waiting))
        self._work.set()
        await waiting

    def finish(self, outcome: Outcome) -> None:
        """Note what became of an action; written soon."""
        self._outcomes.append(outcome)
        if len(self._outcomes) == 1:
            asyncio.get_running_loop().call_later(OUTCOMES_WAIT, self._let_outcomes_go)
        elif len(self._outcomes) == OUTCOMES_ENOUGH:
            self._let_outcomes_go()

    def _let_outcomes_go(self) -> None:
        self._outcomes_due = True
        self._work.set()

    # ---- the task ----
    async def _run(self) -> None:
        while not self._stopping or self._intentions or self._outcomes:
            await self._work.wait()
            self._work.clear()
            while self._intentions or (self._outcomes and (self._outcomes_due or self._stopping)):
                await self._turn()

    async def _turn(self) -> None:
        intentions, self._intentions = self._intentions[:BATCH], self._intentions[BATCH:]
        outcomes = self._take_outcomes()
        try:
            await self._write(intentions, outcomes)
        except psycopg.OperationalError as error:
            await self._lost(intentions, outcomes, error)
        except (psycopg.Error, ValueError) as error:
            await self._singly(intentions, outcomes, error)
        else:
            _settle(intentions, None)

    def _take_outcomes(self) -> list[Outcome]:
        if not self._outcomes_due and not self._stopping:
            return []
        taken, self._outcomes = self._outcomes[:BATCH], self._outcomes[BATCH:]
        self._outcomes_due = bool(self._outcomes)
        return batches.merged(taken)

    async def _write(self, intentions: Sequence[Intention], outcomes: Sequence[Outcome]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = await self._connect()
        async with self._connection.transaction():
            await batches.write(self._connection, self._node, self._actor, [(one.intent, one.draft) for one in intentions], outcomes)

    async def _lost(self, intentions: Sequence[Intention], outcomes: Sequence[Outcome], error: psycopg.Error) -> None:
        """Without the database nothing is released; outcomes are kept. A commit whose answer was lost is taken back."""
        log.warning("record_unavailable", error=str(error))
        _settle(intentions, cannot_record())
        self._outcomes = [*outcomes, *(batches.never_released(one.intent) for one in intentions), *self._outcomes]
        if self._connection is not None:
            await self._connection.close()
            self._connection = None
        if self._stopping:
            log.error("outcomes_lost", count=len(self._outcomes))
            self._outcomes.clear()
            return
        self._outcomes_due = True
        await asyncio.sleep(RETRY_AFTER)
        self._work.set()

    async def _singly(self, intentions: Sequence[Intention], outcomes: Sequence[Outcome], error: Exception) -> None:
        """A bad row fails alone."""
        if len(intentions) + len(outcomes) == 1:
            log.error("row_refused", error=str(error))
            _settle(intentions, cannot_record())
            return
        for one in intentions:
            await self._one([one], [])
        for done in outcomes:
            await self._one([], [done])

    async def _one(self, intentions: Sequence[Intention], outcomes: Sequence[Outcome]) -> None:
        try:
            await self._write(intentions, outcomes)
        except psycopg.OperationalError as error:
            await self._lost(intentions, outcomes, error)
        except (psycopg.Error, ValueError) as error:
            await self._singly(intentions, outcomes, error)
        else:
            _settle(intentions, None)

    async def _connect(self) -> AsyncConnection[Any]:
        return await AsyncConnection.connect(self._dsn, autocommit=True, prepare_threshold=1, application_name="narrowgate recorder")


def cannot_record() -> Refusal:
    """Why nothing is released while the record cannot be written."""
    return Refusal(
        "The gate cannot write its record just now, and releases nothing that is not recorded.",
        code="record_unavailable",
        sqlstate="57P03",
        remedy="Try again in a moment.",
    )


def _settle(intentions: Sequence[Intention], refusal: Refusal | None) -> None:
    for one in intentions:
        if one.committed.done():
            continue
        if refusal is None:
            one.committed.set_result(None)
        else:
            one.committed.set_exception(refusal)
