"""Pure: what is asked of the policies and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from accounts.quorum import Requirement
from policies.context import frozen
from policies.terms import Escalation


class Verdict(StrEnum):
    """What becomes of an action. Deny beats hold beats allow."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


class Code(StrEnum):
    """Which rule answered."""

    PERMITTED = "permitted"
    HELD = "held"
    FORBIDDEN = "forbidden"
    NO_MATCH = "no_match"
    NOTHING_ASKED = "nothing_asked"
    UNKNOWN_VERB = "unknown_verb"
    UNKNOWN_AGENT = "unknown_agent"
    UNKNOWN_RESOURCE = "unknown_resource"
    RESERVED_CONTEXT = "reserved_context"
    OVERSIZED_CONTEXT = "oversized_context"
    MALFORMED_REQUEST = "malformed_request"
    EVALUATION_ERROR = "evaluation_error"
    ENGINE_ERROR = "engine_error"
    NO_POLICIES = "no_policies"


@dataclass(frozen=True)
class Ask:
    """One action as policies see it: names of agent and resource, verbs like `sql:select`.

    `ours` is what only the gate says: the time, the agent's risk, what its session did before. `each` are the parts of an action that
    comes down to several (the programs of a command), each a verb and what of the context is its own: each is asked about alone.
    """

    agent: str
    verbs: frozenset[str]
    resource: str
    context: Mapping[str, object] = field(default_factory=dict)
    ours: Mapping[str, object] = field(default_factory=dict)
    each: tuple[tuple[str, Mapping[str, object]], ...] = ()

    @property
    def questions(self) -> tuple[tuple[str, Mapping[str, object]], ...]:
        """Each verb that is asked about, with all of its context."""
        if self.each:
            return tuple([(verb, {**self.context, **own}) for verb, own in self.each])
        return tuple([(verb, self.context) for verb in sorted(self.verbs)])

    @cached_property
    def keyed(self) -> Keyed:
        """What it is remembered under. Raises TypeError when the context holds what no request can."""
        return Keyed(self)


@dataclass(frozen=True)
class Reason:
    """One policy that determined the answer: its id, its own words, its effect (permit or forbid)."""

    policy: str
    why: str
    effect: str


@dataclass(frozen=True)
class Decision:
    """The answer. `snapshot` and `policy_version` name what it was made from, so it can be made again.

    `requirement` and `ttl` are there for a hold; `unmask` names the tags that every determining permit
    unmasks; `limit` is the most rows that may be returned, None where no permit sets one; `proof` is how
    long ago, at most, the agent has to have proved that it holds its key, None where nobody asks. `severity` is the gravest that the
    forbids say (empty where none does); `breakglass` names the groups that every one of the holds lets break the glass;
    `passkey` is whether each approval is signed with a passkey, `escalate` who may fill in after a while.
    """

    verdict: Verdict
    code: Code
    why: str
    reasons: tuple[Reason, ...] = ()
    requirement: Requirement | None = None
    ttl: timedelta | None = None
    unmask: frozenset[str] = frozenset()
    limit: int | None = None
    proof: timedelta | None = None
    severity: str = ""
    breakglass: frozenset[str] = frozenset()
    passkey: bool = False
    escalate: Escalation | None = None
    policy_version: int = 0
    snapshot: str = ""

    @cached_property
    def policies(self) -> tuple[str, ...]:
        """The ids of the policies that determined the answer."""
        return tuple([one.policy for one in self.reasons])


class Keyed:
    """An Ask that is hashable by everything it contains."""

    __slots__ = ("_hash", "ask", "key")

    def __init__(self, ask: Ask) -> None:
        """Raises TypeError when the context holds what no request can."""
        self.ask = ask
        each = tuple([(verb, frozen(own)) for verb, own in ask.each])
        ours = frozen(ask.ours) if ask.ours else None
        self.key = (ask.agent, ask.verbs, ask.resource, frozen(ask.context), ours, each)
        self._hash = hash(self.key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyed) and self.key == other.key
