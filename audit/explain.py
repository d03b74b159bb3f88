"""Why an action was decided as it was, in sentences. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core import words
from policies.decision import Code

_ALLOWED = "A policy permits it, and none forbids it or holds it for people."
_HELD = "A policy lets it through only once people have approved exactly this."
_DENIED: Mapping[str, str] = {
    Code.FORBIDDEN: "A policy forbids it, and forbidding beats every permission.",
    Code.NO_MATCH: "No policy permits it, and nothing is allowed by absence.",
    Code.NO_POLICIES: "No policies were in force, and nothing is allowed by absence.",
    Code.NOTHING_ASKED: "It asked for nothing that policies could be asked about.",
    Code.UNKNOWN_VERB: "What it would do could not be told, and what is not understood is denied.",
    Code.UNKNOWN_AGENT: "The agent was not an active one.",
    Code.UNKNOWN_RESOURCE: "The resource was not one behind the gate.",
    Code.RESERVED_CONTEXT: "It claimed something that only the gate may say.",
    Code.OVERSIZED_CONTEXT: "What came with it was too large to be decided on.",
    Code.MALFORMED_REQUEST: "It could not be put to the policies.",
    Code.EVALUATION_ERROR: "A policy could not be evaluated, and any error denies.",
    Code.ENGINE_ERROR: "The policies could not be asked, and any error denies.",
    "hold_denied": "It was held for people, and one of them denied it.",
    "hold_expired": "It was held for people, and nobody decided before the deadline.",
    "hold_withdrawn": "It was held for people, and its request was taken back.",
    "hold_lapsed": "It was approved, and not collected in time or no longer allowed when it was.",
    "too_many_holds": "It would have waited for people, and too much was waiting already.",
}
_BEFORE_POLICY = "It was refused before any policy was asked: {rule}."


def decided(decision: str, code: str) -> str:
    """What kind of decision it was and what follows from it, in one sentence."""
    if decision == "allow":
        return _ALLOWED
    if decision == "hold" and (code not in _DENIED or code == Code.HELD):
        return _HELD
    return _DENIED.get(code) or _BEFORE_POLICY.format(rule=code.replace("_", " ") or "no rule is named")


def masked(values: int, tags: Sequence[str], was_masked: bool, detected: Mapping[str, int] | None = None) -> str:
    """What was hidden from the agent, and which of it detectors have found; empty where nothing was."""
    if values:
        by = words.listing([f"{name} {count}" for name, count in sorted((detected or {}).items())])
        found = f" Found by detectors: {by}." if by else ""
        return f"{words.plural(values, 'value')} stayed masked, for the agent and for everybody who reads this.{found}"
    if was_masked:
        return (
            f"What is tagged {words.listing(sorted(tags))} was to be masked." if tags else "Values were to be masked."
        )
    if tags:
        return f"It touches what is tagged {words.listing(sorted(tags))}; recordings mask that always."
    return ""
