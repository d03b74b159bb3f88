"""A request's side of the pipeline: what is masked in its answer, how it is understood once more, how its client hears that it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from gateway.action import Action
from gateway.http.answering import Plan
from gateway.http.known import Targets
from gateway.mcp.asked_back import action_of as asked_back
from gateway.mcp.jsonrpc import Request
from gateway.mcp.reading import Call, action_of, understand
from gateway.mcp.servers import Server
from gateway.mcp.sessions import Session
from gateway.refusal import Refusal
from gateway.visits import Visit
from policies.decision import Decision

Tell = Callable[[str], None]


class Party:
    """What every request has in common; see `gateway.pipeline.Party`. `left` is set when the client is gone, or its session ends."""

    in_transaction = False
    locks: tuple[str, ...] = ()

    def __init__(self, visit: Visit, left: asyncio.Event, tell: Tell) -> None:
        self._visit, self._tell = visit, tell
        self.left = left
        self.cancelled = asyncio.Event()

    def tell(self, words: str) -> None:
        """Say to the client that it waits."""
        self._tell(words)

    async def so_far(self) -> tuple[int, int]:
        """What the session's answers had before this one."""
        return self._visit.rows, self._visit.bytes

    async def planned(self) -> int | None:
        """A tool server plans nothing."""
        return None

    async def estimate(self) -> Mapping[str, object] | None:
        """Nobody knows."""
        return None

    def _require_no_limit(self, decision: Decision) -> None:
        if decision.limit is not None:
            raise Refusal(
                "Policy limits the rows that come back, and a tool server's answer has none.",
                code="not_available",
                remedy="Leave @limit out of policies about tool servers.",
            )


class Asking(Party):
    """What an agent asks of a tool server."""

    def __init__(
        self,
        request: Request,
        *,
        visit: Visit,
        session: Session,
        servers: Targets[Server],
        left: asyncio.Event,
        tell: Tell,
    ) -> None:
        """Raises Refusal for a request that is not understood."""
        super().__init__(visit, left, tell)
        self._request, self._session, self._servers = request, session, servers
        self.server = session.server
        self.call = self._understood()
        self.action = self._action(number=visit.next())

    def _understood(self) -> Call:
        return understand(self._request, self.server.accepted, self._session.offered)

    def _action(self, *, number: int, salt: bytes = b"") -> Action:
        tags = frozenset(tag for _, tag in self.server.tagged(self.call.operation))
        return action_of(self.call, self._visit.caller, tags, number=number, salt=salt)

    def obligations(self, decision: Decision) -> Plan:
        """What to mask. Raises Refusal for an obligation that cannot be met."""
        self._require_no_limit(decision)
        tagged = self.server.tagged(self.call.operation)
        return Plan(
            tuple(path for path, tag in tagged if tag not in decision.unmask),
            tuple(path for path, _ in tagged),
            self._servers.detecting(self._visit),
            decision.unmask,
        )

    def masks(self, obligations: Plan) -> bool:
        """Whether anything is masked for the agent."""
        return bool(obligations.answer)

    async def again(self, salt: bytes) -> Action:
        """The same request, understood by what is known of the server now."""
        self.server = await self._servers.of(self._visit)
        self.call = self._understood()
        return self._action(number=self.action.number, salt=salt)


class AskedBack(Party):
    """What a tool server asks of the agent while it answers."""

    def __init__(self, request: Request, during: str, visit: Visit, left: asyncio.Event, tell: Tell) -> None:
        """Raises Refusal for what nothing permits."""
        super().__init__(visit, left, tell)
        self._request, self._during = request, during
        self.action = self._action(number=visit.next())

    def _action(self, *, number: int) -> Action:
        return asked_back(self._request, self._visit.caller, self._during, number=number)

    def obligations(self, decision: Decision) -> None:
        """None: what is asked is shown as it is, or not at all."""
        self._require_no_limit(decision)

    def masks(self, obligations: None) -> bool:
        """Nothing is."""
        return False

    async def again(self, salt: bytes) -> Action:
        """The same."""
        return asked_back(self._request, self._visit.caller, self._during, number=self.action.number, salt=salt)
