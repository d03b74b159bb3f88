"""What a tool server sends while it answers: how far it is, what it logs, and what it asks of the agent, which is an action of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

import structlog

from activity.hotpath import Outcome
from gateway.action import Caller
from gateway.holds import Left
from gateway.mcp.asked_back import capability
from gateway.mcp.down import Down
from gateway.mcp.jsonrpc import (
    Fault,
    Notification,
    Request,
    Response,
    Said,
    message_of,
    notification,
    refused,
    request,
)
from gateway.mcp.masking import unclear
from gateway.mcp.modern import wishes
from gateway.mcp.party import AskedBack
from gateway.mcp.reading import PROGRESS, Call
from gateway.mcp.sessions import LOST, Session
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.visits import Visit

ANSWER_WITHIN: Final = 300.0
"""Seconds that an agent may take to answer what a server asks."""
MOST: Final = 10_000
"""Messages of a server beside one answer."""
LISTS_CHANGED: Final = frozenset({"notifications/tools/list_changed", "notifications/prompts/list_changed"})
PASSED: Final = LISTS_CHANGED | {"notifications/resources/list_changed", "notifications/resources/updated"}
LONGEST_WORDS: Final = 1_000
log = structlog.get_logger()


class Backwards:
    """The messages beside one answer. What a server asks is decided, held and recorded like anything else, and denied by absence."""

    def __init__(  # noqa: PLR0917 -- one place makes it
        self,
        session: Session,
        pipeline: Pipeline,
        visit: Visit,
        caller: Caller,
        down: Down,
        during: str,
        left: asyncio.Event,
        *,
        may_ask: bool = True,
    ) -> None:
        self._may_ask = may_ask
        self._session, self._pipeline, self._visit, self._caller = session, pipeline, visit, caller
        self._down, self._during, self._left = down, during, left
        self._asking: set[asyncio.Task[None]] = set()
        self._count = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def take(self, said: Said, *, call: Call | None = None, number: int = 0, quiet: bool = False) -> None:
        """Pass a message on, or not. With `quiet` nothing that it says in words passes. Raises Refusal for too many."""
        self._count += 1
        if self._count > MOST:
            raise Refusal("The tool server says too much beside its answer.", code="answer_too_long")
        try:
            message = message_of(said)
        except Fault:
            return  # it is none, and nobody waits for it
        if isinstance(message, Request):
            task = asyncio.create_task(self._ask(message))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        elif isinstance(message, Notification):
            told = self._told(message, call, number, quiet=quiet)
            if told is not None:
                await self._down.tell(told)

    def _told(self, one: Notification, call: Call | None, number: int, *, quiet: bool) -> Said | None:
        """A notification as the agent gets it; None for one that does not pass."""
        if one.method == "notifications/progress":
            return _progress(one.params, call, number, quiet=quiet)
        if one.method == "notifications/message":
            kept = {name: one.params[name] for name in ("level", "logger", "data") if name in one.params}
            return None if quiet else notification(one.method, kept)
        if one.method in LISTS_CHANGED:
            self._session.stale()
        uri = one.params.get("uri")
        params = {"uri": uri} if isinstance(uri, str) and one.method == "notifications/resources/updated" else {}
        return notification(one.method, params) if one.method in PASSED else None

    # ---- what a server asks ----
    async def _ask(self, asked: Request) -> None:
        try:
            answered = await self._decided(asked)
        except Refusal as refusal:
            answered = refused(asked.id, refusal)
        except Left:
            return
        try:
            await self._session.link.tell(answered)
        except (Refusal, *LOST) as error:
            log.info("answer_not_delivered", error=str(error))

    async def _decided(self, asked: Request) -> Said:
        if asked.method == "ping":
            return {"jsonrpc": "2.0", "id": asked.id, "result": {}}
        if not self._may_ask:
            raise Refusal("This agent is asked nothing while it waits for the answer.", code="not_available")
        return await self._forwarded(asked, await self._admitted(asked, self._session.client))

    async def _admitted(self, asked: Request, client: Mapping[str, Any]) -> Admission[None]:
        party = AskedBack(asked, self._during, visit=self._visit, left=self._left, tell=lambda _words: None)
        if not capability(client, party.action.verb):
            because = Refusal("The agent's program cannot do that.", code="not_available")
            raise await self._pipeline.refuse(self._caller, party.action, because)
        return await self._pipeline.admit(self._caller, party.action, party)

    async def wanted(self, asking: Mapping[str, Any], client: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What an agent says to all that a server needs before it can answer; None where the agent is to be told, and says it with its
        next request. Raises Refusal where policy does not permit one of them.
        """
        found = wishes(asking)
        if found is None:
            raise unclear("What it needs has not the form of MCP.")
        begun = [
            (name, one, await self._admitted(one, self._session.client if client is None else client))
            for name, one in found.items()
        ]
        if client is not None:
            for _, _, admission in begun:
                self._finish(admission, "done", "")
            return None
        answers = {}
        for name, one, admission in begun:
            said = await self._forwarded(one, admission)
            if "error" in said:
                raise Refusal("The agent did not say what the tool server needs.", code="cancelled")
            answers[name] = said["result"]
        return answers

    async def _forwarded(self, asked: Request, begun: Admission[None]) -> Said:
        """Ask the agent, and give its answer under the server's own identifier."""
        name = f"narrowgate-{begun.action_id}"
        waiting: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._session.back[name] = waiting
        status, message = "failed", "The agent did not answer."
        try:
            params = {key: value for key, value in asked.params.items() if key != "_meta"}
            await self._down.tell(request(name, asked.method, params))
            async with asyncio.timeout(ANSWER_WITHIN):
                answer = await waiting
            status, message = ("failed", "The agent answered with an error.") if answer.error else ("done", "")
        except TimeoutError:
            raise Refusal("The agent did not answer.", code="resource_timeout") from None
        finally:
            self._session.back.pop(name, None)
            self._finish(begun, status, message)
        if answer.error is not None:
            return {"jsonrpc": "2.0", "id": asked.id, "error": _error(answer.error)}
        return {"jsonrpc": "2.0", "id": asked.id, "result": dict(answer.result)}

    def _finish(self, begun: Admission[None], status: str, message: str) -> None:
        texts = self._caller.texts
        self._pipeline.finish(
            Outcome(begun.action_id, texts[0], status, datetime.now(UTC), message=message, shared=begun.shared)
        )


def _error(said: Mapping[str, Any]) -> dict[str, Any]:
    code, message = said.get("code"), said.get("message")
    return {
        "code": code if isinstance(code, int) else -32603,
        "message": str(message)[:LONGEST_WORDS] if message else "The agent answered with an error.",
    }


def _progress(params: Mapping[str, Any], call: Call | None, number: int, *, quiet: bool) -> Said | None:
    """How far it is, under the token that the client chose: of this request and of no other."""
    if call is None or call.progress is None or params.get(PROGRESS) != number:
        return None
    told: dict[str, Any] = {PROGRESS: call.progress}
    told |= {name: params[name] for name in ("progress", "total") if isinstance(params.get(name), (int, float))}
    message = params.get("message")
    if isinstance(message, str) and not quiet:
        told["message"] = message[:LONGEST_WORDS]
    return notification("notifications/progress", told)
