"""Lists as an agent gets them: what people have accepted, in the words that they accepted, and what policy may let this agent use."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from agents.tools import PROMPT, TOOL
from core.errors import Invalid
from gateway.action import Action, Caller
from gateway.mcp.link import HANDSHAKE
from gateway.mcp.masking import unclear
from gateway.mcp.offers import LISTS, told
from gateway.mcp.party import Party
from gateway.mcp.reading import LONGEST_URI, Call, action_of
from gateway.mcp.sessions import Session
from gateway.pipeline import Pipeline
from gateway.refusal import Refusal
from gateway.visits import Visit
from policies.decision import Code, Verdict
from policies.expressions import mentions
from policies.parse import Policy
from policies.verbs import MCP_CALL, MCP_PROMPT, MCP_READ

METHODS: Final[Mapping[str, tuple[str, str]]] = {TOOL: ("tools/call", MCP_CALL), PROMPT: ("prompts/get", MCP_PROMPT)}
BY_URI: Final[Mapping[str, tuple[str, str]]] = {
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}
DESCRIBES: Final = ("name", "title", "description", "mimeType", "size", "annotations")
MOST: Final = 5_000
"""Entries of one page."""


class Lists:
    """What one agent may be shown of what a server offers."""

    def __init__(self, session: Session, pipeline: Pipeline, caller: Caller, visit: Visit) -> None:
        self._session, self._pipeline, self._caller = session, pipeline, caller
        self._party = Party(visit, asyncio.Event(), lambda _words: None)

    async def known(self, call: Call) -> Mapping[str, Any] | None:
        """The list that a request asks for, where the gate knows it already. Raises Refusal."""
        if call.method not in LISTS:
            return None
        kind, member = LISTS[call.method]
        standing = self._session.server.accepted.standing(self._session.offered)
        shown = [told(one) for one in standing.values() if one.kind == kind and await self._may(kind, one.name)]
        tasks = kind == TOOL and self._session.version == HANDSHAKE[0]
        return {member: [_with_task(one) for one in shown] if tasks else shown}

    async def filtered(self, call: Call, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """A page of a server's resources without those that this agent may not read. Raises Refusal."""
        if call.method not in BY_URI:
            return given
        member, name = BY_URI[call.method]
        entries, cursor = given.get(member), given.get("nextCursor")
        if not isinstance(entries, list) or len(entries) > MOST or not isinstance(cursor, (str, type(None))):
            raise unclear("Its list has not the form of MCP.")
        shown = [one for one in entries if isinstance(one, dict) and await self._readable(one.get(name))]
        kept = [{part: one[part] for part in (name, *DESCRIBES) if part in one} for one in shown]
        return {member: kept, **({"nextCursor": cursor} if cursor else {})}

    async def _readable(self, uri: object) -> bool:
        if not isinstance(uri, str) or not 0 < len(uri) <= LONGEST_URI:
            return False
        said = {"uri": uri}
        verdict, _ = await self._would(Call("resources/read", MCP_READ, "resources/read", said, said))
        return verdict is not Verdict.DENY

    async def _may(self, kind: str, name: str) -> bool:
        """Whether policy may let it: what only the arguments can say is said when it is called."""
        method, verb = METHODS[kind]
        verdict, code = await self._would(Call(method, verb, name, {}, {}))
        return verdict is not Verdict.DENY or (code == Code.NO_MATCH and self._may_by_arguments(verb, name))

    def _may_by_arguments(self, verb: str, name: str) -> bool:
        engine, caller = self._pipeline.engine, self._caller
        return any(_may_permit(one, name) for one in engine.concerning(caller.agent, verb, caller.resource))

    async def _would(self, call: Call) -> tuple[Verdict, Code]:
        try:
            action: Action = action_of(call, self._caller, frozenset(), number=1)
            decision = await self._pipeline.would(self._caller, action, self._party)
        except (Refusal, Invalid):
            return Verdict.DENY, Code.MALFORMED_REQUEST
        return decision.verdict, decision.code


def _with_task(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool with what the gate adds: its client may come back for the answer, whatever the server knows of that."""
    return {**tool, "execution": {"taskSupport": "optional"}}


def _may_permit(policy: Policy, name: str) -> bool:
    """Whether a permit that looks at arguments could speak of the operation `name`."""
    if policy.terms.effect != "permit" or not policy.arguments:
        return False
    return "operation" not in (policy.reads or ("operation",)) or mentions(policy.rule, name)
