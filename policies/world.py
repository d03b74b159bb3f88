"""Pure: the registry as Cedar sees it: agents with function and segment, resources with segment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.parts import Uid
from policies.verbs import VERBS, groups_of


@dataclass(frozen=True)
class AgentFacts:
    """What policies can say about an agent that is active."""

    name: str
    function: str
    environment: str
    segment: str
    purpose: str = ""

    @property
    def lineage(self) -> frozenset[Uid]:
        """The agent and everything it is in."""
        return frozenset({("Agent", self.name), ("Function", self.function), ("Segment", self.segment)})


@dataclass(frozen=True)
class ResourceFacts:
    """What policies can say about a resource."""

    name: str
    kind: str
    segment: str

    @property
    def lineage(self) -> frozenset[Uid]:
        """The resource and everything it is in."""
        return frozenset({("Resource", self.name), ("Segment", self.segment)})


@dataclass(frozen=True)
class World:
    """The agents and resources that a snapshot knows, by name. Whatever is not here is denied."""

    agents: Mapping[str, AgentFacts]
    resources: Mapping[str, ResourceFacts]

    @classmethod
    def of(cls, agents: Iterable[AgentFacts], resources: Iterable[ResourceFacts]) -> World:
        """Index the facts by name."""
        return cls(
            MappingProxyType({agent.name: agent for agent in agents}),
            MappingProxyType({resource.name: resource for resource in resources}),
        )

    def uids(self) -> frozenset[Uid]:
        """Every entity a policy can name in this world."""
        facts: tuple[AgentFacts | ResourceFacts, ...] = (*self.agents.values(), *self.resources.values())
        return frozenset().union(*(fact.lineage for fact in facts)) | {("Action", verb) for verb in VERBS}

    def entities_json(self) -> str:
        """The world as Cedar's JSON entities document, in a stable order."""
        return json.dumps(self.entities())

    def entities(self) -> list[dict[str, object]]:
        """The world as Cedar's JSON has entities, in a stable order."""
        attributes: dict[Uid, dict[str, str]] = {uid: {} for uid in self.uids() if uid[0] in {"Function", "Segment"}}
        parents: dict[Uid, frozenset[Uid]] = {}
        for agent in self.agents.values():
            own = ("Agent", agent.name)
            attributes[own] = {"name": agent.name, "environment": agent.environment, "purpose": agent.purpose}
            parents[own] = agent.lineage - {own}
        for resource in self.resources.values():
            own = ("Resource", resource.name)
            attributes[own] = {"name": resource.name, "kind": resource.kind}
            parents[own] = resource.lineage - {own}
        return [_entity(uid, attributes[uid], parents.get(uid, ())) for uid in sorted(attributes)]


def action_lineage(verb: str) -> frozenset[Uid]:
    """The action and the groups it is in."""
    return frozenset({("Action", verb), *(("Action", group) for group in groups_of(verb))})


def _entity(uid: Uid, attributes: Mapping[str, str], parents: Iterable[Uid]) -> dict[str, object]:
    return {"uid": _uid(uid), "attrs": dict(attributes), "parents": [_uid(parent) for parent in sorted(parents)]}


def _uid(uid: Uid) -> dict[str, str]:
    return {"type": uid[0], "id": uid[1]}
