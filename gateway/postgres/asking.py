"""One statement's side of the pipeline: its obligations, its notices, its second reading, its estimate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from gateway.action import Action
from gateway.postgres.arguments import arguments_of
from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import Classified
from gateway.postgres.estimates import estimate, planned
from gateway.postgres.messages import notice_response
from gateway.postgres.reader import Parameters
from gateway.postgres.run import Masks, masks_for
from gateway.refusal import Refusal
from policies.decision import Decision

if TYPE_CHECKING:
    from gateway.postgres.session import Session


class Asking:
    """What the pipeline needs of a statement; see `gateway.pipeline.Party`."""

    __slots__ = ("_parameters", "_session", "_types", "action", "classified")

    def __init__(
        self, session: Session, classified: Classified, parameters: Parameters, types: Sequence[int] = ()
    ) -> None:
        self._session = session
        self._parameters = parameters
        self.classified = classified
        self._types = types
        self.action = self._bound(session.reader.action(classified, parameters))

    @property
    def left(self) -> asyncio.Event:
        """Set when the client is gone."""
        return self._session.client.gone

    @property
    def cancelled(self) -> asyncio.Event:
        """Set when the client asks to cancel."""
        return self._session.cancelled

    @property
    def in_transaction(self) -> bool:
        """Whether waiting now would keep a transaction open."""
        return self._session.in_transaction

    @property
    def locks(self) -> tuple[str, ...]:
        """Tables that its open transaction has written to."""
        return self._session.locks()

    def obligations(self, decision: Decision) -> Masks:
        """What to mask. Raises Refusal where a masked agent may not run it."""
        return masks_for(self.classified, decision.unmask, self._session.keeper.detecting())

    def masks(self, obligations: Masks) -> bool:
        """Whether any output column is masked for the agent."""
        return obligations.masked_in_answer()

    def tell(self, words: str) -> None:
        """A NOTICE, between whole messages."""
        self._session.client.write(notice_response(words))

    async def again(self, salt: bytes) -> Action:
        """Read it again by a catalog that is read now: its names may mean something else since it was approved."""
        catalog: Catalog = await self._session.keeper.reloaded(since=time.monotonic())
        self.classified = await self._session.reader.classify(
            self.classified.sql, catalog, [oid for oid, _, _ in self._parameters]
        )
        return self._bound(
            self._session.reader.action(self.classified, self._parameters, salt=salt, number=self.action.number)
        )

    def _bound(self, action: Action) -> Action:
        if self._parameters:
            action.bound = partial(arguments_of, self._parameters, self._types)
        return action

    async def so_far(self) -> tuple[int, int]:
        """Rows and bytes of the session's actions before this one, once what is on its way has come back."""
        return await self._session.so_far()

    async def planned(self) -> int | None:
        """The planner's figure, by the reading login."""
        try:
            return await planned(self._session.keeper, self.classified, self._parameters)
        except Refusal:
            return None

    async def estimate(self) -> Mapping[str, object] | None:
        """Counted or estimated by the reading login."""
        try:
            return await estimate(self._session.keeper, self.classified, self._parameters)
        except Refusal:
            return None
