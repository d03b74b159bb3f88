"""Pure. What a tool server asks of an agent while it answers: its model, its user, its folders. Denied unless policy permits."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from activity.digest import SALT_BYTES, canonical, digest
from core.ids import new_id
from gateway.action import Action, Caller
from gateway.mcp.jsonrpc import Request
from gateway.refusal import Refusal
from policies.verbs import MCP_ELICIT, MCP_ROOTS, MCP_SAMPLE

VERBS: Final[Mapping[str, str]] = {
    "sampling/createMessage": MCP_SAMPLE,
    "elicitation/create": MCP_ELICIT,
    "roots/list": MCP_ROOTS,
}
CAPABILITIES: Final[Mapping[str, str]] = {MCP_SAMPLE: "sampling", MCP_ELICIT: "elicitation", MCP_ROOTS: "roots"}
"""What a client must have said that it can do."""
LONGEST_SHOWN: Final = 20_000


def action_of(asked: Request, caller: Caller, during: str, *, number: int, salt: bytes = b"") -> Action:
    """The action of letting it through once. `during` is the action it is asked in. Raises Refusal for what nothing permits."""
    verb = VERBS.get(asked.method)
    if verb is None:
        raise Refusal(f"Tool servers ask no {asked.method[:40]} of agents here.", code="unknown_method")
    salt = salt or os.urandom(SALT_BYTES)
    try:
        covered = canonical(
            {
                "agent": caller.agent,
                "during": during,
                "method": asked.method,
                "params": asked.params,
                "resource": caller.resource,
            }
        )
    except ValueError:
        raise Refusal("What the tool server asks cannot be read.", code="answer_unclear") from None
    said = json.dumps(asked.params, ensure_ascii=False, indent=2, sort_keys=True) if asked.params else ""
    return Action(
        str(new_id()), number, verb, f"{asked.method} {said}".strip()[:LONGEST_SHOWN], covered, salt, digest(covered, salt),
        datetime.now(UTC), frozenset({verb}), shape=asked.method, summary=_summary(asked), operation=asked.method,
    )  # fmt: skip


def _summary(asked: Request) -> str:
    said = asked.params.get("message", "")
    return f"{asked.method}: {said}"[:300] if isinstance(said, str) and said else asked.method


def capability(offered: Mapping[str, Any], verb: str) -> bool:
    """Whether a client has said that it can do that."""
    return isinstance(offered.get(CAPABILITIES[verb]), dict)
