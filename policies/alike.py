"""Pure: which agents, and which resources, the policies cannot tell apart, so that one of each kind is asked about for all.

Ten thousand agents are a few dozen kinds: policies tell them apart by segment, by the functions and agents they name, and by the
attributes they read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from policies.parse import Policy
from policies.parts import Uid
from policies.world import AgentFacts, ResourceFacts


@dataclass(frozen=True)
class Kind:
    """Agents that every policy answers alike: one that stands for them, and the names of all, in order."""

    one: AgentFacts
    names: tuple[str, ...]


class Alike:
    """What a set of policies can tell apart."""

    def __init__(self, rules: Mapping[str, Policy]) -> None:
        policies = tuple(rules.values())
        self._named = frozenset[Uid]().union(*(policy.names for policy in policies))
        self._reads = frozenset().union(*(_agent_reads(policy) for policy in policies))
        self._permits = frozenset(policy.scope.sides for policy in policies if policy.terms.effect == "permit")

    def kinds(self, agents: Iterable[AgentFacts]) -> list[Kind]:
        """The agents by kind, in the order of their first names."""
        found: dict[tuple[str, ...], list[AgentFacts]] = defaultdict(list)
        for agent in agents:
            found[self._key(agent)].append(agent)
        kinds = [Kind(same[0], tuple(sorted(one.name for one in same))) for same in found.values()]
        return sorted(kinds, key=lambda kind: kind.names[0])

    def may_meet(self, agent: AgentFacts, resource: ResourceFacts) -> bool:
        """Whether any permit's scope can match: where none can, nothing is allowed, and nothing need be asked."""
        return any(
            (one, other) in self._permits for one in (None, *agent.lineage) for other in (None, *resource.lineage)
        )

    def _key(self, agent: AgentFacts) -> tuple[str, ...]:
        named, reads = self._named, self._reads
        by_name = "name" in reads or ("Agent", agent.name) in named
        return (
            agent.segment,
            agent.function if ("Function", agent.function) in named else "",
            agent.environment if "environment" in reads else "",
            agent.purpose if "purpose" in reads else "",
            agent.name if by_name else "",
        )


def _agent_reads(policy: Policy) -> frozenset[str]:
    """The attributes of an agent that a policy looks at, or at what an action's context repeats of them.

    What an agent is in is told by its segment and the names in the policies: conditions compare with nothing else.
    """
    repeated = frozenset({"environment", "purpose"})
    return policy.of_agent | (repeated if policy.reads is None else policy.reads & repeated)
