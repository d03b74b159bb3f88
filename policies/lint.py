"""Pure: what is allowed to be written and is probably not meant. Each finding is a sentence about one policy, or about an agent.

Unlike a problem (`policies/check.py`) a finding keeps nothing from coming into force: whoever approves decides what it is worth.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from accounts.quorum import Requirement, Seat, could_fill
from core.words import listing, plural
from policies.parse import Policy
from policies.parts import Uid, chain, is_part
from policies.verbs import VERBS
from policies.world import World, action_lineage

MOST_OF_A_KIND: Final = 25
"""Findings of one kind that are told one by one: of ten thousand alike, nobody reads more, and what is of another kind has to be seen."""
NOBODY: Final = "No active agent at any resource can meet it."
NAMED: Final = 3
"""Names given as examples in one sentence."""


class Kind(StrEnum):
    """What is probably not meant."""

    UNREACHABLE = "unreachable"
    BEATEN = "always-beaten"
    WIDE = "wider-than-a-segment"
    IDLE = "agent-without-policy"
    HOPELESS = "hold-nobody-could-approve"
    OWN = "hold-only-its-owner-could-approve"


@dataclass(frozen=True)
class Finding:
    """One of them: `policy` is empty where it is about agents."""

    kind: Kind
    says: str
    policy: str = ""


@dataclass(frozen=True)
class People:
    """Who could approve: seats of everybody in a group, and the owners of agents with how many agents each has."""

    seats: Collection[Seat] = ()
    owners: Mapping[str, int] = field(default_factory=dict)


def lint(rules: Mapping[str, Policy], world: World, people: People | None = None) -> list[Finding]:
    """What is worth a look, by kind: so many of each, and how many more there are. Who could approve is looked at where it is given."""
    met = _met(rules, world)
    found = [
        *(Finding(Kind.UNREACHABLE, NOBODY, name) for name in sorted(rules.keys() - met)),
        *_beaten(rules, world),
        *_wide(rules),
        *_idle([rules[name] for name in met if rules[name].terms.effect == "permit"], world),
        *(_hopeless(rules, people) if people is not None else ()),
    ]
    kinds = ([one for one in found if one.kind is kind] for kind in Kind)
    return [one for same in kinds for one in _some(same)]


def _some(same: list[Finding]) -> list[Finding]:
    """The first of one kind, and a sentence for the others."""
    more = len(same) - MOST_OF_A_KIND
    if more <= 0:
        return same
    told = same[:MOST_OF_A_KIND]
    return [*told, Finding(told[0].kind, f"The same goes for {plural(more, 'more policy', 'more policies')}.")]


def _met(rules: Mapping[str, Policy], world: World) -> frozenset[str]:
    """The policies that some agent can meet at some resource: what a scope names on one side says nothing of the other."""
    agents = frozenset[Uid]().union(*(agent.lineage for agent in world.agents.values()))
    resources = frozenset[Uid]().union(*(resource.lineage for resource in world.resources.values()))
    return frozenset(
        name for name, policy in rules.items() if all(map(_within, policy.scope.sides, (agents, resources)))
    )


def _within(scope: Uid | None, lineage: frozenset[Uid]) -> bool:
    return bool(lineage) if scope is None else scope in lineage


def _idle(permits: Iterable[Policy], world: World) -> Iterator[Finding]:
    """Agents that no permit can match."""
    scopes = {policy.scope.agent for policy in permits}
    if None in scopes:
        return
    idle = sorted(agent.name for agent in world.agents.values() if not agent.lineage & scopes)
    if idle:
        some = [*idle[:NAMED], *([f"{len(idle) - NAMED:,} more"] if len(idle) > NAMED else ())]
        have = "has" if len(idle) == 1 else "have"
        yield Finding(
            Kind.IDLE, f"{plural(len(idle), 'agent')} {have} no policy that permits anything: {listing(some)}."
        )


def _beaten(rules: Mapping[str, Policy], world: World) -> Iterator[Finding]:
    """Permits inside what a forbid without conditions, which no approval lifts, forbids."""
    lineages = {("Agent", agent.name): agent.lineage for agent in world.agents.values()}
    lineages |= {("Resource", resource.name): resource.lineage for resource in world.resources.values()}
    plain = [
        policy
        for policy in rules.values()
        if policy.terms.effect == "forbid" and not policy.conditional and not policy.terms.hold
    ]
    inside: dict[tuple[Uid | None, Uid | None], dict[tuple[Uid | None, ...], str]] = {}
    for forbid in plain:
        if not forbid.scope.of:
            key = forbid.scope.agent, forbid.scope.resource
            inside.setdefault(key, {}).setdefault(forbid.scope.actions, forbid.terms.id)
    for name, permit in sorted(rules.items()) if plain else ():
        who, where = (_around(side, lineages) for side in permit.scope.sides)
        where |= _holding(permit.scope.resource)
        over = (named for one in who for other in where for named in inside.get((one, other), {}).items())
        beating = [forbid for actions, forbid in over if _verbs(permit.scope.actions) <= _verbs(actions)]
        if permit.terms.effect == "permit" and beating:
            yield Finding(Kind.BEATEN, f"The policy {min(beating)} forbids all that it permits.", name)


def _around(side: Uid | None, lineages: Mapping[Uid, frozenset[Uid]]) -> frozenset[Uid | None]:
    """What a scope may name on one side to hold whatever `side` holds: everybody, that itself, and what it is in."""
    return frozenset({None, side, *(lineages.get(side, ()) if side else ())})


def _holding(place: Uid | None) -> frozenset[Uid | None]:
    """A part that a scope names, and the parts that it lies in."""
    return frozenset(chain(place)) if place is not None and is_part(place) else frozenset()


@lru_cache(4_096)
def _verbs(actions: tuple[Uid | None, ...]) -> frozenset[str]:
    """The verbs that a scope is about."""
    if None in actions:
        return VERBS
    return frozenset(verb for verb in VERBS if action_lineage(verb).intersection(actions))


def _wide(rules: Mapping[str, Policy]) -> Iterator[Finding]:
    """Permits that name neither who nor where, whatever their conditions."""
    for name, policy in sorted(rules.items()):
        if policy.terms.effect != "permit":
            continue
        sides = zip(("agent", "resource"), policy.scope.sides, strict=True)
        missing = [word for word, named in sides if named is None]
        if missing:
            every = listing([f"every {word}" for word in missing])
            yield Finding(Kind.WIDE, f"It speaks of {every}, beyond any one segment.", name)


def _hopeless(rules: Mapping[str, Policy], people: People) -> Iterator[Finding]:
    """Holds that not enough people could approve, at all or for the agents that one of them owns."""
    told: dict[str, list[tuple[Kind, str]]] = {}  # many policies ask for the same people
    for name, policy in sorted(rules.items()):
        requirement = policy.terms.hold
        if requirement is None:
            continue
        if str(requirement) not in told:
            told[str(requirement)] = list(_of_people(requirement, people))
        yield from (Finding(kind, says, name) for kind, says in told[str(requirement)])


def _of_people(requirement: Requirement, people: People) -> Iterator[tuple[Kind, str]]:
    if not could_fill(requirement, people.seats):
        yield Kind.HOPELESS, f"There are not enough people for {requirement}, each filling one seat."
        return
    groups = set(requirement.names)
    owning = {seat.person for seat in people.seats if seat.groups & groups and seat.person in people.owners}
    for person in sorted(owning):
        others = [seat for seat in people.seats if seat.person != person]
        if not could_fill(requirement, others):
            agents = plural(people.owners[person], "agent")
            yield (
                Kind.OWN,
                f"For the {agents} that one of its reviewers owns there are not enough others for {requirement}: nobody reviews what their own agent asks.",
            )


def seats_of(members: Iterable[tuple[str, str]]) -> list[Seat]:
    """Seats from pairs of person and group."""
    groups: dict[str, set[str]] = {}
    for person, group in members:
        groups.setdefault(person, set()).add(group)
    return [Seat(person, frozenset(names)) for person, names in sorted(groups.items())]
