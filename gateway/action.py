"""What passes through the pipeline, whatever the protocol: who asks, what for, what was decided. Pure, but for a secret of the process."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from activity.hotpath import Intent
from ledger.entries import Actor, Subject
from policies.decision import Ask, Decision, Verdict
from policies.question import Question, question_of
from policies.verbs import HTTP_READ, MCP_READ, MCP_SESSION
from policies.world import AgentFacts, ResourceFacts

SHARED_VERBS = frozenset({"sql:select", "sql:session", HTTP_READ, MCP_READ, MCP_SESSION})
"""Allowed actions with no other verb may share a ledger entry."""
NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Moment(NamedTuple):
    """What differs from one action to the next: `ours` is what the gate alone may say, `context` stands beside the rest."""

    context: Mapping[str, object] = NOTHING
    ours: Mapping[str, object] = NOTHING


STILL: Final = Moment()
"""Where no policy looks at any of it."""
_SECRET = secrets.token_bytes(32)  # of this process, for the salts of questions


@dataclass(frozen=True)
class Caller:
    """Step 1's result: an agent at a resource with a credential, in a recorded session. `purpose` is its claim."""

    session_id: UUID
    node_id: UUID
    agent_id: UUID
    agent: str
    resource_id: UUID
    resource: str
    credential_id: UUID
    expires: float
    """Seconds since 1970."""
    kind: str = "bearer"
    issued: float = 0.0
    """When its credential was, seconds since 1970."""
    proved: float = 0.0
    """When it was last proved that the agent's key is held, seconds since 1970; 0 for never."""
    purpose: str = ""
    on_behalf_of: UUID | None = None
    acts_for: str = ""
    """The user name of that person, who let it; empty where it only claims so."""
    through: tuple[str, ...] = ()
    """The agents that handed the delegation on to it."""
    verbs: frozenset[str] | None = None
    """The only verbs that its credential is good for; None for whatever policy lets it do."""
    source: str = ""
    actor: Actor = field(init=False)
    texts: tuple[str, str, str, str, str] = field(init=False, repr=False)
    """Its identifiers as the rows of its actions have them: session, node, agent, resource, credential."""
    says: tuple[str, str, str, str, str] = field(init=False, repr=False)
    """What policies read of it: names of agent and resource, kind of credential, claimed purpose, the user name of whoever let it act for them."""

    def __post_init__(self) -> None:
        ids = (self.session_id, self.node_id, self.agent_id, self.resource_id, self.credential_id)
        object.__setattr__(self, "actor", Actor(kind="agent", id=str(self.agent_id), name=self.agent))
        object.__setattr__(self, "texts", tuple(map(str, ids)))
        says = (self.agent, self.resource, self.kind, self.purpose, self.acts_for)
        object.__setattr__(self, "says", says)


@dataclass(slots=True)
class Action:
    """Step 2's result: one thing an agent asks for. `shown` is safe to store; `canonical` is what the digest covers."""

    id: str
    number: int
    verb: str
    shown: str
    canonical: bytes
    salt: bytes
    digest: str
    asked_at: datetime
    verbs: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    shape: str = ""
    summary: str = ""
    has_where: bool = True
    shared: bool = False
    """Whether an entry that allows it may be shared with others."""
    question: Question | None = None
    """What it was decided by, once it was asked."""
    operation: str = ""
    """What it does by the name that its resource has for it; empty where the verb says it all."""
    arguments: Mapping[str, object] = field(default_factory=dict)
    """Those of the operation, as policies read them."""
    bound: Callable[[Collection[str] | None], Mapping[str, object]] | None = None
    """What was bound to it from outside its text, by the names wanted (None: all), where a policy looks at that. Raises Refusal."""
    enforced: bool = True
    """Whether it can only happen through the gate."""
    tagged: frozenset[str] = frozenset()
    """The columns with a tag that it touches, each with its tag behind a space."""
    each: tuple[tuple[str, Mapping[str, object]], ...] = ()
    """The parts that it comes down to, each a verb with what policies read of that part alone; none where it is one thing."""

    def subject(self) -> Subject:
        """What an entry about it is about."""
        return Subject(kind="action", id=self.id, name=self.verb)

    def asked(self, caller: Caller, agent: AgentFacts, resource: ResourceFacts | None, moment: Moment = STILL) -> Ask:
        """What policies are asked. Actions alike in all that policies may read share one question."""
        reads = (self.verbs, self.tables, self.columns, self.tags, self.has_where, self.shape)
        if self.each:
            ask = replace(_ask(caller.says, agent, reads, {}), each=self.each)
            self.question = question_of(ask, agent, resource, _SECRET)
        elif self.operation:
            ask = _ask(caller.says, agent, reads, {"operation": self.operation, "args": self.arguments})
            self.question = question_of(ask, agent, resource, _SECRET)
        else:
            ask, self.question = _asked(caller.says, agent, resource, reads)
        if moment.context or moment.ours:
            ask = replace(ask, context={**ask.context, **moment.context}, ours=moment.ours)
            self.question = question_of(ask, agent, resource, _SECRET)
        return ask


Reads = tuple[frozenset[str], frozenset[str], frozenset[str], frozenset[str], bool, str]


@lru_cache(16_384)
def _asked(
    caller: tuple[str, str, str, str, str],
    agent: AgentFacts,
    resource: ResourceFacts | None,
    reads: Reads,
) -> tuple[Ask, Question]:
    """What policies may read of an action, and the same to keep."""
    ask = _ask(caller, agent, reads, {})
    return ask, question_of(ask, agent, resource, _SECRET)


def _ask(caller: tuple[str, str, str, str, str], agent: AgentFacts, reads: Reads, more: Mapping[str, object]) -> Ask:
    """What policies may read of an action; what an agent says about itself lives under `claimed`."""
    name, target, kind, claim, acts_for = caller
    verbs, tables, columns, tags, where, shape = reads
    context: dict[str, object] = {
        "tables": tables,
        "columns": columns,
        "tags": tags,
        "environment": agent.environment,
        "purpose": agent.purpose,
        "credential": kind,
        "where": where,
        "claimed": {"purpose": claim} if claim else {},
        **more,
    }
    if shape:
        context["shape"] = shape
    if acts_for:
        context["on_behalf_of"] = acts_for
    return Ask(name, verbs, target, context)


def intent_of(
    action: Action, caller: Caller, decision: Decision, *, status: str, code: str = "", reason: str = ""
) -> Intent:
    """The row of an action that was decided. `code` and `reason` are those of a refusal."""
    denied = status == "denied"
    return Intent(  # by place: names would cost four times as much
        action.id,
        *caller.texts,
        action.number,
        action.verb,
        action.shown,
        action.digest,
        action.salt,
        (Verdict.DENY if denied else decision.verdict).value,
        status,
        action.asked_at,
        action.summary,
        action.shape,
        action.tables,
        action.tags,
        False,
        reason or decision.why,
        code,
        decision.policies,
        decision.policy_version,
        action.question,
        action.enforced,
    )


def decided_details(action: Action, decision: Decision) -> Mapping[str, object]:
    """What an entry of an action's own says of the decision."""
    severity = {"severity": decision.severity} if decision.severity else {}
    return severity | {
        "verb": action.verb,
        "policies": list(decision.policies),
        "question": action.question.id if action.question else None,
        "snapshot": decision.snapshot,
        "tables": sorted(action.tables),
        **({"operation": action.operation} if action.operation else {}),
        **({} if action.enforced else {"enforced": False}),
    }
