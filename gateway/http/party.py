"""A request's side of the pipeline: what is masked in its answer, and how it is understood once more before it goes up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from gateway.action import Action
from gateway.http.answering import Plan
from gateway.http.known import Targets
from gateway.http.reading import LONGEST_BODY, Call, Request, action_of, understand
from gateway.http.targets import Target
from gateway.refusal import Refusal
from gateway.visits import Visit
from policies.decision import Decision, Verdict


class Asking:
    """See `gateway.pipeline.Party`. `left` is set when the client is gone, or has waited as long as it would."""

    in_transaction = False
    locks: tuple[str, ...] = ()

    def __init__(
        self, request: Request, visit: Visit, targets: Targets[Target], target: Target, left: asyncio.Event
    ) -> None:
        """Raises Refusal for a request that is not understood."""
        self._request, self._visit, self._targets = request, visit, targets
        self.left = left
        self.cancelled = asyncio.Event()
        self.target = target
        self.call = self._understood()
        self.action = self._action(number=visit.next())

    def _understood(self) -> Call:
        return understand(self._request, self.target.routes, self.target.base, self.target.description)

    def _action(self, *, number: int, salt: bytes = b"") -> Action:
        tags = frozenset(tag for _, tag in self.target.tagged(self.call.operation.name))
        return action_of(self.call, self._visit.caller, tags, number=number, salt=salt)

    def obligations(self, decision: Decision) -> Plan:
        """What to mask. Raises Refusal for an obligation that cannot be met."""
        if decision.limit is not None:
            raise Refusal(
                "Policy limits the rows that come back, and an API's answer has none.",
                code="not_available",
                remedy="Leave @limit out of policies about APIs.",
            )
        if decision.verdict is Verdict.HOLD and self.call.follows:
            raise Refusal(
                f"What people approve is pinned byte by byte, and a body of more than {LONGEST_BODY} bytes is not.",
                code="body_denied",
                remedy="Send it in parts; or policy has to allow it without people.",
            )
        tagged = self.target.tagged(self.call.operation.name)
        return Plan(
            tuple(path for path, tag in tagged if tag not in decision.unmask),
            tuple(path for path, _ in tagged),
            self._targets.detecting(self._visit),
            decision.unmask,
        )

    def masks(self, obligations: Plan) -> bool:
        """Whether anything is masked for the agent."""
        return bool(obligations.answer)

    def tell(self, words: str) -> None:
        """Nothing: HTTP has no words between a request and its answer."""

    async def again(self, salt: bytes) -> Action:
        """The same bytes, understood by what is known of the API now."""
        self.target = await self._targets.of(self._visit)
        self.call = self._understood()
        return self._action(number=self.action.number, salt=salt)

    async def so_far(self) -> tuple[int, int]:
        """What the session's answers had before this one."""
        return self._visit.rows, self._visit.bytes

    async def planned(self) -> int | None:
        """An API plans nothing."""
        return None

    async def estimate(self) -> Mapping[str, object] | None:
        """Nobody knows."""
        return None
