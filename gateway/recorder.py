"""Steps 5 and 8: what every session of this gateway has to record, written in batches by two tasks of their own.

An intent's future is done only after its transaction committed: no record, no release. Outcomes wait a little so
that many share a transaction; nobody waits for them, but a queue that is full refuses new actions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from activity.hotpath import INTENTS_SQL, OUTCOMES_SQL, Intent, Outcome, intent_columns, outcome_columns
from gateway import batches
from gateway.lane import Lane
from gateway.refusal import Refusal
from gateway.writer import Composed, Writer
from ledger.entries import Actor, Draft

QUEUE_LIMIT = 20_000
"""Outcomes not yet written at which new actions are refused."""
OUTCOMES_WAIT = 0.2
"""Seconds that outcomes wait for others, unless so many have come that they fill a transaction well:"""
OUTCOMES_ENOUGH = 256
MOST_QUESTIONS = 65_536
"""Identifiers of kept questions that are remembered."""
log = structlog.get_logger()


@dataclass(slots=True)
class Intention:
    """An intent with what its entry says; `draft` is None where it may share an entry."""

    intent: Intent
    draft: Draft | None
    committed: asyncio.Future[None] = field(repr=False)


class Recorder:
    """Writes for one gateway. `node` begins its names in the ledger, `actor` is who shared entries are by."""

    def __init__(self, dsn: str, *, node: str, actor: Actor) -> None:
        self._questions: set[str] = set()
        """Those that are kept already."""
        self._intentions: Writer[Intention] = Writer(
            Lane(dsn, f"{node}/gateway"),
            partial(_compose_intents, actor, self._questions),
            done=self._written,
            refused=_refuse,
            lost=self._unconfirmed,
        )
        self._outcomes: Writer[Outcome] = Writer(
            Lane(dsn, f"{node}/outcomes"),
            partial(_compose_outcomes, actor),
            done=lambda _done: None,
            refused=lambda _outcome: None,
            lost=self._unwritten,
            patience=OUTCOMES_WAIT,
            enough=OUTCOMES_ENOUGH,
        )

    async def start(self) -> None:
        """Connect and begin to write."""
        self._loop = asyncio.get_running_loop()  # kept: asking for it takes a system call
        await self._intentions.start()
        await self._outcomes.start()

    async def stop(self) -> None:
        """Write what is queued, then end."""
        await self._intentions.stop()
        await self._outcomes.stop()

    def intend(self, intent: Intent, draft: Draft | None) -> asyncio.Future[None]:
        """Done once the intent is committed, with a Refusal when it cannot be. Raises Refusal when it is not tried."""
        if self._intentions.stopping or len(self._outcomes.queue) > QUEUE_LIMIT:
            raise cannot_record()
        committed = self._loop.create_future()
        self._intentions.put(Intention(intent, draft, committed))
        return committed

    def finish(self, outcome: Outcome) -> None:
        """Note what became of an action; written soon."""
        self._outcomes.put(outcome)

    def _written(self, intentions: Sequence[Intention]) -> None:
        if len(self._questions) > MOST_QUESTIONS:
            self._questions.clear()
        self._questions.update([one.intent.question[0] for one in intentions if one.intent.question is not None])
        _settle(None, intentions)

    def _unconfirmed(self, intentions: Sequence[Intention]) -> None:
        """Without the database nothing is released; a commit whose answer was lost is taken back."""
        for one in intentions:
            self.finish(batches.never_released(one.intent))
        _settle(cannot_record(), intentions)

    def _unwritten(self, outcomes: Sequence[Outcome]) -> None:
        """Keep them for the next try; what is lost at the very end is found by the next start, as uncertain."""
        if self._outcomes.stopping:
            log.error("outcomes_lost", count=len(outcomes))
        else:
            self._outcomes.queue[:0] = outcomes


def _compose_intents(actor: Actor, kept: Container[str], intentions: Sequence[Intention]) -> Composed:
    drafts = batches.intent_drafts([(one.intent, one.draft) for one in intentions], actor)
    return INTENTS_SQL, intent_columns([one.intent for one in intentions], kept), drafts


def _compose_outcomes(actor: Actor, outcomes: Sequence[Outcome]) -> Composed:
    last = batches.merged(outcomes)
    drafts = batches.outcome_drafts(last, actor)
    return OUTCOMES_SQL, outcome_columns(last), drafts


def cannot_record() -> Refusal:
    """Why nothing is released while the record cannot be written."""
    return Refusal(
        "The gate cannot write its record just now, and releases nothing that is not recorded.",
        code="record_unavailable",
        sqlstate="57P03",
        remedy="Try again in a moment.",
    )


def _refuse(intention: Intention) -> None:
    _settle(cannot_record(), [intention])


def _settle(refusal: Refusal | None, intentions: Sequence[Intention]) -> None:
    for one in intentions:
        if one.committed.done():
            continue
        if refusal is None:
            one.committed.set_result(None)
        else:
            one.committed.set_exception(refusal)
