"""Who can reach what, answered from the policies and the registry as they are now: of an agent, of a resource, between segments.

Agents that policies cannot tell apart are asked about once, so that an answer takes as long as there are kinds of agents, not agents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from activity.models import Action
from agents.models import Agent, ColumnTag, Resource
from agents.revision import current_revision
from core.errors import NarrowgateError
from policies import sealing
from policies.alike import Alike, Kind
from policies.decision import Verdict
from policies.effective import ASKABLE, Effective, Place, Told, effective, told
from policies.evaluate import Engine
from policies.parse import Rules
from policies.queries import active
from policies.snapshot import agent_facts, registered, resource_facts
from policies.world import World

USED_WITHIN: Final = timedelta(days=30)
NEWEST: Final = 5_000
"""An agent's newest actions that are looked at for what it uses: a bound on how long that takes."""
MOST_KINDS: Final = 300
"""Kinds of agents that are asked about at one resource."""
MOST_RESOURCES: Final = 300
"""Resources that are asked about for one agent."""


@dataclass(frozen=True)
class Used:
    """One permission of an agent's (a resource and a verb), and when it was last used in 30 days: None for never."""

    resource: str
    verb: str
    last: datetime | None


@dataclass(frozen=True)
class AgentReach:
    """What an agent may do today: lines by resource, each permission with its use, and how much was not looked at."""

    version: int
    closed: str
    lines: list[Told]
    used: list[Used]
    depends: Mapping[str, frozenset[str]]
    looked_at: int
    actions: int
    unasked: int

    @property
    def unused(self) -> list[Used]:
        """The least-privilege gap: what it may do and did not in 30 days."""
        return [one for one in self.used if one.last is None]


@dataclass(frozen=True)
class Reacher:
    """Agents that may do the same at a resource."""

    kind: Kind
    lines: list[Told]


@dataclass(frozen=True)
class ResourceReach:
    """Who can reach a resource: kinds of agents, and how many kinds were not asked about."""

    version: int
    closed: str
    reachers: list[Reacher]
    depends: frozenset[str]
    unasked: int

    @property
    def agents(self) -> int:
        """How many agents can."""
        return sum(len(one.kind.names) for one in self.reachers)


def rules_in_force() -> tuple[Rules, int, str]:
    """The policies by their ids, the number of their version, and why nothing is allowed where that is so."""
    version = active()
    if version is None:
        return Rules({}), 0, "No version of the policies is active, so nothing is allowed."
    try:
        sealing.require_approved(version)
        return sealing.rules(version), version.number, ""
    except NarrowgateError as error:
        return Rules({}), version.number, f"The active policies cannot be used, so nothing is allowed: {error.message}"


def agent_reach(agent: Agent, now: datetime) -> AgentReach:
    """Everything `agent` may do by the policies in force, were it active; and what of that it used."""
    rules, number, closed = rules_in_force()
    facts = agent_facts(agent)
    alike = Alike(rules)
    live = Resource.objects.filter(retired_at=None).select_related("segment").order_by("name")
    near = [(one, of) for one in live if alike.may_meet(facts, of := resource_facts(one))]
    asked, left = near[:MOST_RESOURCES], near[MOST_RESOURCES:]
    used, looked_at = _used(agent, now)
    places = places_of([one for one, _ in asked], {resource: tables for (resource, _), (_, tables) in used.items()})
    engine = engine_of(rules, World.of([facts], [of for _, of in asked]), number)
    found = effective(engine, facts, places) if rules else Effective()
    ids = {one.name: one.id for one, _ in asked}
    uses = [Used(name, verb, used.get((ids[name], verb), (None, set()))[0]) for name, verb in sorted(found.pairs)]
    return AgentReach(number, closed, told(found.permissions), uses, found.depends, looked_at, NEWEST, len(left))


def resource_reach(resource: Resource) -> ResourceReach:
    """Every agent that may do anything at `resource` by the policies in force, by kind."""
    rules, number, closed = rules_in_force()
    alike, of = Alike(rules), resource_facts(resource)
    near = (kind for kind in kinds_now() if alike.may_meet(kind.one, of))
    kinds = list(islice(near, MOST_KINDS))
    left = sum(1 for _ in near)
    (place,) = places_of([resource], {})
    engine = engine_of(rules, World.of([kind.one for kind in kinds], [of]), number)
    reachers, depends = [], frozenset[str]()
    for kind in kinds if rules else ():
        found = effective(engine, kind.one, [place])
        depends |= found.depends.get(resource.name, frozenset())
        if found.permissions:
            reachers.append(Reacher(kind, told(found.permissions)))
    return ResourceReach(number, closed, sorted(reachers, key=_mildest), depends, left)


def _mildest(reacher: Reacher) -> tuple[bool, int, str]:
    """Who is let through without people comes first, then whoever are many."""
    held = all(line.outcome is Verdict.HOLD for line in reacher.lines)
    return held, -len(reacher.kind.names), reacher.kind.names[0]


def engine_of(rules: Rules, world: World, version: int) -> Engine:
    """An engine over a part of the world: what is not in it is not asked about."""
    return Engine(rules, world, version=version, snapshot="")


# ---- what the registry says ----
def kinds_now() -> tuple[Kind, ...]:
    """Every active agent, by kind: read again whenever policies or registry have changed, and kept until then."""
    return kinds_at(current_revision())


@lru_cache(maxsize=1)
def kinds_at(_revision: int) -> tuple[Kind, ...]:
    """As `kinds_now`, at one revision."""
    rules, _, _ = rules_in_force()
    return tuple(Alike(rules).kinds(registered(resources=()).agents.values()))


def places_of(resources: Iterable[Resource], tables: Mapping[UUID, set[str]]) -> list[Place]:
    """The resources as they are asked about, with the tags of their columns and the tables that `tables` adds."""
    resources = list(resources)
    tagged: dict[UUID, set[tuple[str, str, str]]] = defaultdict(set)
    columns: QuerySet[ColumnTag] = ColumnTag.objects.filter(resource__in=[one.id for one in resources])
    for place, schema, table, column, tag in columns.values_list("resource_id", "schema", "table", "column", "tag"):
        tagged[place].add((f"{schema}.{table}", column, tag))
    return [Place(one.name, frozenset(tagged[one.id]), frozenset(tables.get(one.id, ()))) for one in resources]


Uses = dict[tuple[UUID, str], tuple[datetime, set[str]]]


def _used(agent: Agent, now: datetime) -> tuple[Uses, int]:
    """When the agent last did each verb at each resource and to which tables, by its newest actions; how many those were."""
    lately = Action.objects.filter(agent_id=agent.id, asked_at__gte=now - USED_WITHIN).order_by("-asked_at")
    found: Uses = {}
    rows = list(lately.values_list("resource_id", "verb", "asked_at", "tables", "decision")[:NEWEST])
    for resource, verb, at, tables, decision in rows:
        if verb in ASKABLE and decision != Action.Decision.DENY:
            found.setdefault((resource, verb), (at, set()))[1].update(tables)
    return found, len(rows)
