"""Loads what decides: the active policies, the active agents, the resources and their tags, at one revision."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from agents.detecting import NO_DETECTORS, NOWHERE, Detectors
from agents.detecting import load as load_detectors
from agents.detectors.acting import Detecting
from agents.models import Agent, ColumnTag, Halt, Resource, Revision
from core.errors import NarrowgateError
from policies import sealing
from policies.evaluate import Engine
from policies.models import PolicyVersion
from policies.queries import active
from policies.world import AgentFacts, ResourceFacts, World

ATTEMPTS = 10
A_BREATH = 0.01
"""Seconds between a few policies and the next, in which decisions go on."""


@dataclass(frozen=True)
class AgentRow:
    """An active agent."""

    id: UUID
    facts: AgentFacts


@dataclass(frozen=True)
class ResourceRow:
    """A resource that is not retired."""

    id: UUID
    facts: ResourceFacts


@dataclass(frozen=True)
class TagRow:
    """A confirmed tag on a column; `lookup` lets it stand in an equality with a constant."""

    schema: str
    table: str
    column: str
    tag: str
    lookup: bool


@dataclass(frozen=True)
class Snapshot:
    """Everything a gateway decides by, immutable. Agents, resources and tags are by name of agent or resource."""

    engine: Engine
    revision: int
    policy_version: int
    agents: Mapping[str, AgentRow]
    resources: Mapping[str, ResourceRow]
    tags: Mapping[str, tuple[TagRow, ...]]
    halted: bool = False
    """Whether everything is stopped, so that nothing may be released at all."""
    detectors: Detectors = NO_DETECTORS

    def detecting(self, resource: str) -> Detecting:
        """The detectors that act at a resource."""
        row = self.resources.get(resource)
        return self.detectors.at(row.id if row is not None else NOWHERE)


def load() -> Snapshot:
    """Read one consistent snapshot. Where no policies are active, or they cannot be used, its engine denies all."""
    for _ in range(ATTEMPTS):
        revision = _revision()
        agents, resources, tags, version = _agents(), _resources(), _tags(), active()
        detectors = load_detectors()
        halted = Halt.objects.filter(lifted_at=None).exists()
        if _revision() == revision:
            break
    # Were it still moving, the older number makes the gateway load again at once.
    engine = _engine(
        version, World.of((row.facts for row in agents.values()), (row.facts for row in resources.values()))
    )
    number = version.number if version else 0
    everything = MappingProxyType(agents), MappingProxyType(resources), MappingProxyType(tags)
    return Snapshot(engine, revision, number, *everything, halted, detectors)


def read_ahead(version_id: UUID) -> None:
    """Read a version's policies without haste, so that coming into force takes no reading."""
    version = PolicyVersion.objects.filter(id=version_id).first()
    with suppress(NarrowgateError):  # whoever activates it is told
        if version is not None:
            sealing.rules(version, rest=lambda: time.sleep(A_BREATH))


def risks() -> dict[str, int]:
    """The active agents that have any risk, from 1 to 100; whoever is not named has none."""
    return dict(Agent.objects.filter(status=Agent.Status.ACTIVE, risk__gt=0).values_list("name", "risk"))


def registered(agents: Collection[str] | None = None, resources: Collection[str] | None = None) -> World:
    """The agents and resources of now: all, or those named."""
    active = Agent.objects.order_by("name").filter(
        status=Agent.Status.ACTIVE, **({} if agents is None else {"name__in": agents})
    )
    there = Resource.objects.filter(retired_at=None, **({} if resources is None else {"name__in": resources}))
    return World.of(
        (AgentFacts(*row) for row in active.values_list("name", "function", "environment", "segment__name", "purpose")),
        (ResourceFacts(*row) for row in there.values_list("name", "kind", "segment__name")),
    )


def _revision() -> int:
    return Revision.objects.filter(id=1).values_list("number", flat=True).first() or 0


def _engine(version: PolicyVersion | None, world: World) -> Engine:
    if version is None:
        return Engine.closed("No version of the policies is active, so nothing is allowed.")
    try:
        sealing.require_approved(version)
        return sealing.engine(version, world)
    except NarrowgateError as error:
        return Engine.closed(
            f"The active policies cannot be used, so nothing is allowed: {error.message}", version=version.number
        )


def _agents() -> dict[str, AgentRow]:
    found = Agent.objects.filter(status=Agent.Status.ACTIVE).select_related("segment")
    return {agent.name: AgentRow(agent.id, agent_facts(agent)) for agent in found}


def agent_facts(agent: Agent) -> AgentFacts:
    """What policies can say about `agent`."""
    return AgentFacts(agent.name, agent.function, agent.environment, agent.segment.name, agent.purpose)


def _resources() -> dict[str, ResourceRow]:
    found = Resource.objects.filter(retired_at__isnull=True).select_related("segment")
    return {resource.name: ResourceRow(resource.id, resource_facts(resource)) for resource in found}


def resource_facts(resource: Resource) -> ResourceFacts:
    """What policies can say about `resource`."""
    return ResourceFacts(resource.name, resource.kind, resource.segment.name)


def _tags() -> dict[str, tuple[TagRow, ...]]:
    rows: dict[str, list[TagRow]] = defaultdict(list)
    for tag in ColumnTag.objects.select_related("resource").order_by("resource__name", "schema", "table", "column"):
        rows[tag.resource.name].append(TagRow(tag.schema, tag.table, tag.column, tag.tag, tag.lookup))
    return {resource: tuple(found) for resource, found in rows.items()}
