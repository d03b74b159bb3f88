"""One statement's side of the pipeline: its obligations, its notices, its second reading, its estimate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from gateway.action import Action
from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import Classified
from gateway.postgres.estimates import estimate
from gateway.postgres.messages import notice_response
from gateway.postgres.reader import Parameters, Reader
from gateway.postgres.resources import Keeper
from gateway.postgres.run import Masks, masks_for
from gateway.refusal import Refusal
from policies.decision import Decision


class Asking:
    """What the pipeline needs of a statement; see `gateway.pipeline.Party`."""

    def __init__(
        self,
        reader: Reader,
        keeper: Keeper,
        classified: Classified,
        parameters: Parameters,
        *,
        write: Callable[[bytes], None],
        left: asyncio.Event,
        cancelled: asyncio.Event,
        in_transaction: bool,
        locks: tuple[str, ...],
    ) -> None:
        self._reader = reader
        self._keeper = keeper
        self._parameters = parameters
        self._write = write
        self.classified = classified
        self.action = reader.action(classified, parameters)
        self.left = left
        self.cancelled = cancelled
        self.in_transaction = in_transaction
        self.locks = locks

    def obligations(self, decision: Decision) -> Masks:
        """What to mask. Raises Refusal where a masked agent may not run it."""
        return masks_for(self.classified, decision.unmask)

    def masks(self, obligations: Masks) -> bool:
        """Whether any output column is masked for the agent."""
        return obligations.masked_in_answer()

    def tell(self, words: str) -> None:
        """A NOTICE, between whole messages."""
        self._write(notice_response(words))

    async def again(self, salt: bytes) -> Action:
        """Read it again by a catalog that is read now: its names may mean something else since it was approved."""
        catalog: Catalog = await self._keeper.reloaded(since=time.monotonic())
        self.classified = await self._reader.classify(
            self.classified.sql, catalog, [oid for oid, _, _ in self._parameters]
        )
        return self._reader.action(self.classified, self._parameters, salt=salt, number=self.action.number)

    async def estimate(self) -> Mapping[str, object] | None:
        """Counted or estimated by the reading login."""
        try:
            return await estimate(self._keeper, self.classified, self._parameters)
        except Refusal:
            return None
