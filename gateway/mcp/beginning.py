"""How a session begins: `initialize` is decided and recorded like anything else; the gate then begins one of its own with the server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from mcp_types import SERVER_INFO_META_KEY

from activity.hotpath import Outcome
from agents.tools import INSTRUCTIONS
from gateway.action import Caller
from gateway.mcp.asked_back import CAPABILITIES
from gateway.mcp.jsonrpc import Request
from gateway.mcp.link import HANDSHAKE, MODERN
from gateway.mcp.offers import Accepted
from gateway.mcp.party import Party
from gateway.mcp.reading import action_of, understand
from gateway.mcp.sessions import Session
from gateway.mcp.tasks import CAPABILITY
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.visits import Visit
from policies.decision import Decision

TASKS_SINCE: Final = HANDSHAKE[0]
SPOKEN: Final = HANDSHAKE[:2]
"""The revisions with a session that agents may speak."""
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "tools": ("listChanged",),
    "prompts": ("listChanged",),
    "resources": ("listChanged", "subscribe"),
    "logging": (),
    "completions": (),
}
"""What a server may be able to do that the gate knows how to carry."""


class _Arranging(Party):
    """See `gateway.pipeline.Party`."""

    def obligations(self, _decision: Decision) -> None:
        """None: nothing comes back that could be masked."""

    def masks(self, _obligations: None) -> bool:
        """Nothing is."""
        return False

    async def again(self, salt: bytes) -> Any:  # noqa: ANN401 -- it is never held
        """What only arranges a session is never held."""
        raise Refusal("A session is not begun by people's approval.", code="not_available")


class Beginning:
    """One `initialize`, as an action."""

    def __init__(self, asked: Request, pipeline: Pipeline, visit: Visit, caller: Caller) -> None:
        self._pipeline, self._visit, self._caller = pipeline, visit, caller
        call = understand(Request(asked.id, "initialize", {}), Accepted(), {})
        self._action = action_of(call, caller, frozenset(), number=visit.next())
        self._begun: Admission[None] | None = None

    @property
    def action_id(self) -> str:
        """The action's identifier."""
        return self._action.id

    async def decided(self) -> None:
        """Decide and record it. Raises Refusal."""
        party = _Arranging(self._visit, asyncio.Event(), lambda _words: None)
        self._begun = await self._pipeline.admit(self._caller, self._action, party)

    def done(self) -> None:
        """The session has begun."""
        self._finish("done", "")

    def failed(self, refusal: Refusal) -> None:
        """It has not; where it was refused before that, that is recorded already."""
        self._finish("failed", refusal.message)

    def _finish(self, status: str, message: str) -> None:
        if self._begun is None:
            return
        texts = self._visit.caller.texts
        self._pipeline.finish(
            Outcome(
                self._begun.action_id, texts[0], status, datetime.now(UTC), message=message, shared=self._begun.shared
            )
        )


def negotiated(params: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The revision that is spoken, and what the agent can do of what a server may ask: nothing else of it is told to a server."""
    wanted = params.get("protocolVersion")
    return (wanted if wanted in SPOKEN else SPOKEN[0]), capabilities_of(params.get("capabilities"))


def capabilities_of(said: object) -> Mapping[str, Any]:
    """What an agent can do of what a server may ask."""
    given = said if isinstance(said, dict) else {}
    return {name: _flags(given[name]) for name in CAPABILITIES.values() if isinstance(given.get(name), dict)}


def _flags(said: Mapping[str, Any]) -> dict[str, Any]:
    """The switches in a capability that the protocol knows, without anything else."""
    known: dict[str, Any] = {
        name: {} for name in ("form", "url", "tools", "context") if isinstance(said.get(name), dict)
    }
    return known | ({"listChanged": True} if said.get("listChanged") is True else {})


def welcome(session: Session) -> dict[str, Any]:
    """What the agent is told of the server when a session begins."""
    told = introduced(session)
    told["capabilities"] = {**told["capabilities"], "logging": {}}
    if session.version == TASKS_SINCE and "tools" in told["capabilities"]:
        told["capabilities"]["tasks"] = dict(CAPABILITY)
    return {"protocolVersion": session.version, **told}


def discovered(session: Session) -> dict[str, Any]:
    """The same in the newest revision, in which nothing is told later."""
    told = introduced(session)
    told["capabilities"] = {name: {} for name in told["capabilities"] if name != "logging"}
    return {"supportedVersions": [MODERN], "_meta": {SERVER_INFO_META_KEY: told.pop("serverInfo")}, **told}


def introduced(session: Session) -> dict[str, Any]:
    """What a server says of itself: its instructions too, where people have accepted them as they are."""
    offered = session.welcome.capabilities
    capabilities: dict[str, Any] = {
        name: {part: True for part in parts if offered[name].get(part) is True}
        for name, parts in PARTS.items()
        if isinstance(offered.get(name), dict)
    }
    accepted = session.server.accepted.definitions.get((INSTRUCTIONS, ""))
    known = accepted is not None and accepted.body.get("text") == session.welcome.instructions
    return {
        "capabilities": capabilities,
        "serverInfo": dict(session.welcome.about),
        **({"instructions": session.welcome.instructions} if known else {}),
    }
