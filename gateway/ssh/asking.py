"""One action's side of the pipeline, over SSH: see `gateway.pipeline.Party`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.action import Action
from gateway.refusal import Refusal
from gateway.ssh.reading import Place, Wish, action_of
from policies.decision import Decision, Verdict

if TYPE_CHECKING:
    from gateway.ssh.session import Session


@dataclass(frozen=True)
class Plain:
    """An answer is passed on as it comes."""


class Outlet(Protocol):
    """Where the agent is: told things beside the answer, and gone or cancelling by two events."""

    left: asyncio.Event
    cancelled: asyncio.Event

    def tell(self, words: str) -> None:
        """Say something to the agent that is no answer."""
        ...


class Asking:
    """A wish, at a place, of an agent that waits at an outlet."""

    in_transaction = False
    locks: tuple[str, ...] = ()

    def __init__(self, session: Session, outlet: Outlet, wish: Wish, place: Place) -> None:
        self._session, self._outlet, self._wish, self._place = session, outlet, wish, place
        self.left, self.cancelled = outlet.left, outlet.cancelled
        self.action = action_of(wish, place, session.caller, number=session.next())

    def obligations(self, decision: Decision) -> Plain:
        """Nothing is masked for the agent. Raises Refusal for what only people may let through, and for a limit of rows."""
        if decision.limit is not None:
            raise Refusal(
                "Policy limits the rows that come back, and a command's output has none.",
                code="not_available",
                remedy="Leave @limit out of policies about hosts.",
            )
        if self._wish.unclear and decision.verdict is not Verdict.HOLD:
            raise Refusal(
                f"What it would do cannot be told: {self._wish.unclear}.",
                code="unclear_command",
                remedy="Write it plainly. A policy can hold ssh:unknown for people; none lets it through without them.",
            )
        return Plain()

    def masks(self, obligations: Plain) -> bool:
        """Nothing is masked for the agent."""
        return False

    def tell(self, words: str) -> None:
        """On the agent's standard error."""
        self._outlet.tell(words)

    async def again(self, salt: bytes) -> Action:
        """The same wish at the same place: nothing that an agent can change gives it another meaning."""
        return action_of(self._wish, self._place, self._session.caller, number=self.action.number, salt=salt)

    async def so_far(self) -> tuple[int, int]:
        """What the session's actions returned before this one."""
        return 0, self._session.bytes

    async def planned(self) -> int | None:
        """A host plans nothing."""
        return None

    async def estimate(self) -> Mapping[str, object] | None:
        """What it would start and open, each with what policy says of it alone."""
        return {"parts": await self._session.alone(self.action, self._wish.parts)}
