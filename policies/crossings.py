"""What may cross from segment to segment by the policies in force, each with who lets it: asked of the engine, kind by kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from agents.models import Resource, Segment
from agents.revision import current_revision
from policies.alike import Alike, Kind
from policies.decision import Verdict
from policies.effective import Permission, effective, verbs_told
from policies.reaching import engine_of, kinds_now, places_of, rules_in_force
from policies.snapshot import resource_facts
from policies.world import ResourceFacts, World

MOST_PAIRS: Final = 1_500
"""Kinds of agents at resources that are asked about: a bound on how long the map takes."""


@dataclass
class Crossing:
    """What agents of one segment may do at resources of another, or of their own. `allowed` and `held` are verbs."""

    begins: str
    ends: str
    agents: int = 0
    resources: set[str] = field(default_factory=set)
    allowed: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)

    @property
    def within(self) -> bool:
        """Whether it stays inside a segment."""
        return self.begins == self.ends

    @property
    def names(self) -> list[str]:
        """Its resources, in order."""
        return sorted(self.resources)

    @property
    def ids(self) -> list[str]:
        """The policies that say so, in order."""
        return sorted(self.policies)

    @property
    def verdicts(self) -> list[str]:
        """`allow` where anything goes without people, `hold` where anything waits for them."""
        told = ((Verdict.ALLOW, self.allowed_told), (Verdict.HOLD, self.held_told))
        return [verdict.value for verdict, verbs in told if verbs]

    @property
    def allowed_told(self) -> tuple[str, ...]:
        """The verbs that are allowed at some resource, as groups where whole."""
        return verbs_told(self.allowed)

    @property
    def held_told(self) -> tuple[str, ...]:
        """The verbs that are held wherever they are possible."""
        return verbs_told(self.held - self.allowed)

    def add(self, permissions: tuple[Permission, ...]) -> None:
        """Count what one kind of agents may do at one resource."""
        for one in permissions:
            (self.allowed if one.outcome is Verdict.ALLOW else self.held).add(one.verb)
            self.resources.add(one.resource)
            self.policies.update(one.policies)


@dataclass(frozen=True)
class Inside:
    """A segment with how many active agents and live resources are in it."""

    name: str
    purpose: str
    agents: int
    resources: int


@dataclass(frozen=True)
class SegmentMap:
    """All segments, what may cross between them, and how many pairs were too many to ask about."""

    version: int
    closed: str
    segments: tuple[Inside, ...]
    crossings: tuple[Crossing, ...]
    unasked: int

    @property
    def between(self) -> list[Crossing]:
        """Those that leave a segment."""
        return [one for one in self.crossings if not one.within]

    @property
    def inside(self) -> list[Crossing]:
        """Those that stay within one."""
        return [one for one in self.crossings if one.within]


def segment_map() -> SegmentMap:
    """The map as it is now: made again whenever policies or registry have changed, and kept until then."""
    return map_at(current_revision())


@lru_cache(maxsize=1)
def map_at(_revision: int) -> SegmentMap:
    """As `segment_map`, at one revision."""
    rules, number, closed = rules_in_force()
    alike = Alike(rules)
    live = list(Resource.objects.filter(retired_at=None).select_related("segment").order_by("name"))
    facts = [resource_facts(one) for one in live]
    kinds = kinds_now()
    near = [
        (kind, of, place)
        for kind in kinds
        for of, place in zip(facts, places_of(live, {}), strict=True)
        if alike.may_meet(kind.one, of)
    ]
    asked, left = near[:MOST_PAIRS], near[MOST_PAIRS:]
    engine = engine_of(rules, World.of([kind.one for kind in kinds], facts), number)
    found: dict[tuple[str, str], Crossing] = {}
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for kind, of, place in asked:
        permissions = effective(engine, kind.one, [place]).permissions
        if permissions:
            key = kind.one.segment, of.segment
            found.setdefault(key, Crossing(*key)).add(permissions)
            names[key].update(kind.names)
    for key, crossing in found.items():
        crossing.agents = len(names[key])
    return SegmentMap(
        number, closed, tuple(_inside(kinds, facts)), tuple(found[key] for key in sorted(found)), len(left)
    )


def _inside(kinds: Iterable[Kind], resources: Iterable[ResourceFacts]) -> Iterator[Inside]:
    """The segments that are not retired, in the order of their names."""
    acting = Counter[str]()
    for kind in kinds:
        acting[kind.one.segment] += len(kind.names)
    there = Counter(one.segment for one in resources)
    for name, purpose in Segment.objects.filter(retired_at=None).order_by("name").values_list("name", "purpose"):
        yield Inside(name, purpose, acting[name], there[name])
