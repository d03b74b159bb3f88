"""Pure. What a tool server offers against what people have accepted of it: what an agent may be shown, and what may be called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.tools import INSTRUCTIONS, PROMPT, TOOL, Definition, named, read
from core.errors import Invalid
from gateway.refusal import Refusal

Key = tuple[str, str]
LISTS: Final[Mapping[str, tuple[str, str]]] = {"tools/list": (TOOL, "tools"), "prompts/list": (PROMPT, "prompts")}
"""The kind of what a list has, and where in its result."""
CAPABILITY: Final[Mapping[str, str]] = {"tools/list": "tools", "prompts/list": "prompts"}


@dataclass(frozen=True)
class Accepted:
    """The definitions that people have accepted, by kind and name, and the hashes of those that were seen."""

    definitions: Mapping[Key, Definition] = field(default_factory=dict)
    seen: Mapping[Key, str] = field(default_factory=dict)

    def differs(self, offered: Mapping[Key, Definition]) -> bool:
        """Whether anything is offered that was not seen so, or no longer."""
        return {key: one.digest for key, one in offered.items()} != self.seen

    def standing(self, offered: Mapping[Key, Definition]) -> Mapping[Key, Definition]:
        """What is offered as it was accepted."""
        return {
            key: one for key, one in self.definitions.items() if key in offered and offered[key].digest == one.digest
        }


def require(kind: str, name: str, accepted: Accepted, offered: Mapping[Key, Definition]) -> Definition:
    """The definition by which a call is understood. Raises Refusal, in words, for what nobody has accepted as it is."""
    key = kind, name
    if key not in offered:
        raise Refusal(
            f"The tool server offers no {kind} {name[:60]}.", code="unlisted_tool", remedy=f"Ask for its {kind}s."
        )
    known = accepted.definitions.get(key)
    if known is None:
        raise Refusal(
            f"Nobody has accepted the {kind} {name[:60]} yet, so the gate leads nowhere.",
            code="tool_quarantined",
            remedy="A platform engineer accepts it on the resource's page.",
        )
    if known.digest != offered[key].digest:
        raise Refusal(
            f"The {kind} {name[:60]} is not what was accepted: its server has changed it.",
            code="tool_quarantined",
            remedy="A platform engineer looks at the difference and accepts it, on the resource's page.",
        )
    return known


def offered_by(lists: Mapping[str, Iterable[object]], instructions: object) -> dict[Key, Definition]:
    """What a server's lists and its instructions say. Raises Refusal for what cannot be kept."""
    try:
        found = [read(LISTS[method][0], one) for method, entries in lists.items() for one in entries]
        if isinstance(instructions, str) and instructions:
            found.append(read(INSTRUCTIONS, {"text": instructions}))
        return named(found)
    except Invalid as error:
        raise unusable(error.message) from None


def unusable(why: str) -> Refusal:
    """What a server says cannot be used."""
    return Refusal(f"The tool server's list cannot be used: {why}", code="answer_unclear", remedy="Its owner mends it.")


def told(definition: Definition) -> dict[str, Any]:
    """A definition as an agent gets it: as it was accepted, and nothing beside it."""
    return dict(definition.body)
