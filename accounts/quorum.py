"""How many people from which groups an approval needs, and whether those who approved fill the seats. Pure.

A quorum counts people: each person takes one seat, however many groups they are in and accounts they have.

    requirement = stage [" then " stage] [" not " group {"," group}]
    stage       = seats {"," seats}
    seats       = who {"|" who} ":" number
    who         = group | "@data-owner" | "@owner-manager"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from core.errors import Invalid

DATA_OWNER: Final = "@data-owner"
"""Who fills a seat as the owner of the resource, in whatever group they are."""
OWNER_MANAGER: Final = "@owner-manager"
"""Who fills a seat as the manager of the agent's owner."""
NAMED: Final[Mapping[str, str]] = {DATA_OWNER: "the data owner", OWNER_MANAGER: "the owner's manager"}
"""Seats that are for somebody by what they are, in words; the rest are for groups."""
WHO: Final = rf"(?:[a-z][a-z0-9-]{{0,39}}|{'|'.join(NAMED)})"
SEAT: Final = re.compile(rf"({WHO}(?:\s*\|\s*{WHO})*)\s*:\s*([0-9]{{1,2}})")
GROUP: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
MOST_SEATS: Final = 20
THEN, NOT = "then", "not"
EXAMPLE: Final = 'Write "dba:2, security:1", "dba|oncall:1" for either, "dba:1 then security:1" for an order, and "dba:2 not trainees" to leave a group out.'


@dataclass(frozen=True)
class Seat:
    """One approval: the person who gave it (accounts of one person share it) and the groups that count for them."""

    person: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Requirement:
    """How many people each group must bring, `dba|oncall` being either; whom it takes after them, and whom it takes never.

    Never empty: a requirement nobody has to meet is no requirement.
    """

    seats: Mapping[str, int]
    then: Mapping[str, int] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        counts = [*self.seats.values(), *self.then.values()]
        if not self.seats or any(count < 1 for count in counts) or self.people > MOST_SEATS:
            raise Invalid("requirement", f"A requirement needs between 1 and {MOST_SEATS} people.", EXAMPLE)
        for name, stage in (("seats", self.seats), ("then", self.then)):
            object.__setattr__(self, name, MappingProxyType(dict(sorted(stage.items()))))

    def __hash__(self) -> int:
        return hash((tuple(self.seats.items()), tuple(self.then.items()), self.without))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Requirement) and self.as_json() == other.as_json()

    def __reduce__(self) -> tuple[type[Requirement], tuple[dict[str, int], dict[str, int], frozenset[str]]]:
        return Requirement, (dict(self.seats), dict(self.then), self.without)

    def __str__(self) -> str:
        stages = f" {THEN} ".join(_written(stage) for stage in (self.seats, self.then) if stage)
        return stages + (f" {NOT} {', '.join(sorted(self.without))}" if self.without else "")

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read `dba|oncall:2, security:1 then legal:1 not trainees`. Raises Invalid."""
        stages, leaves_out, without = text.partition(f" {NOT} ")
        first, then, rest = stages.partition(f" {THEN} ")
        if f" {THEN} " in rest:
            raise Invalid("requirement", "There are three stages.", "An order has two: “first” then “second”.")
        left_out = [part.strip() for part in without.split(",")] if leaves_out else []
        wrong = next((part for part in left_out if not GROUP.fullmatch(part)), None)
        if wrong is not None:
            raise Invalid("requirement", f"“{wrong}” is not a group to leave out.", EXAMPLE)
        found = cls(_stage(first), _stage(rest) if then else {}, frozenset(left_out))
        if lost := sorted(found.without & found.names):
            raise Invalid("requirement", f"The group {lost[0]} is both asked for and left out.", "Name it once.")
        return found

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Requirement:
        """What `as_json` wrote."""
        seats = {name: count for name, count in kept.items() if name not in {THEN, NOT}}
        return cls(seats, kept.get(THEN, {}), frozenset(kept.get(NOT, ())))

    def as_json(self) -> dict[str, Any]:
        """The seats by group, with `then` and `not` where there are any."""
        return {
            **self.seats,
            **({THEN: dict(self.then)} if self.then else {}),
            **({NOT: sorted(self.without)} if self.without else {}),
        }

    @property
    def people(self) -> int:
        """How many different people it takes."""
        return sum(self.seats.values()) + sum(self.then.values())

    @property
    def first(self) -> Requirement:
        """Its first stage alone."""
        return Requirement(self.seats, without=self.without)

    @property
    def names(self) -> frozenset[str]:
        """Everybody whom a seat is for: groups, the data owner, the owner's manager."""
        return frozenset(name for seat in (*self.seats, *self.then) for name in seat.split("|"))

    @property
    def groups(self) -> frozenset[str]:
        """Every group that it names."""
        return (self.names | self.without) - NAMED.keys()

    @property
    def words(self) -> str:
        """It in words: “2 of dba or oncall and 1 of security, then 1 of legal; nobody of trainees”."""
        stages = ", then ".join(_told(stage) for stage in (self.seats, self.then) if stage)
        return stages + (f"; nobody of {' or '.join(sorted(self.without))}" if self.without else "")

    def widened(self, group: str) -> Requirement:
        """The same people, each of whom may be of `group` as well."""
        return Requirement(_widened(self.seats, group), _widened(self.then, group), self.without)

    def merge(self, other: Requirement) -> Requirement:
        """What meets both: the larger count of each group, in each stage, and nobody whom either leaves out."""
        return Requirement(
            _larger(self.seats, other.seats), _larger(self.then, other.then), self.without | other.without
        )


def seat_in_words(name: str) -> str:
    """Whom a seat is for."""
    return " or ".join(NAMED.get(part, part) for part in name.split("|"))


def _stage(text: str) -> dict[str, int]:
    seats: dict[str, int] = {}
    for part in text.split(","):
        match = SEAT.fullmatch(part.strip())
        if match is None:
            raise Invalid("requirement", f"“{part.strip()}” is not a group and a number.", EXAMPLE)
        name = "|".join(sorted({one.strip() for one in match[1].split("|")}))
        if name in seats:
            raise Invalid("requirement", f"The group {name} is named twice.", "Name each group once.")
        if {THEN, NOT} & set(name.split("|")):
            raise Invalid("requirement", f"“{name}” has a meaning of its own here.", "Give the group another name.")
        seats[name] = int(match[2])
    return seats


def _written(stage: Mapping[str, int]) -> str:
    return ", ".join(f"{group}:{count}" for group, count in stage.items())


def _told(stage: Mapping[str, int]) -> str:
    return " and ".join(f"{count} of {seat_in_words(name)}" for name, count in stage.items())


def _widened(stage: Mapping[str, int], group: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in stage.items():
        wider = "|".join(sorted({*name.split("|"), group}))
        found[wider] = found.get(wider, 0) + count
    return found


def _larger(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {group: max(one.get(group, 0), other.get(group, 0)) for group in {*one, *other}}


def could_fill(requirement: Requirement, people: Iterable[Seat]) -> bool:
    """Whether there are enough of the right people, in whatever order they would approve."""
    chairs = _chairs(requirement.seats) + _chairs(requirement.then)
    return len(_matched(chairs, _known(people))) == len(chairs)


def satisfied(requirement: Requirement, approvals: Iterable[Seat]) -> bool:
    """Whether the people who approved fill every seat, each person once; `approvals` in the order they were given."""
    return seated(requirement, approvals) == requirement.people


def missing(requirement: Requirement, approvals: Iterable[Seat]) -> int:
    """How many more people it takes, at least."""
    return requirement.people - seated(requirement, approvals)


def seated(requirement: Requirement, approvals: Iterable[Seat]) -> int:
    """The most seats that these people can fill."""
    return sum(person is not None for _, person in seating(requirement, approvals))


def seating(requirement: Requirement, approvals: Iterable[Seat]) -> list[tuple[str, str | None]]:
    """Each seat's group and who takes it, those of the first stage before those of the second.

    A maximum matching, by augmenting paths. Only who approved after the first stage was full sits in the second.
    """
    first, second = _chairs(requirement.seats), _chairs(requirement.then)
    known = _known(approvals)
    if not second:
        taken = _matched(first, known)
        return [(group, taken.get(number)) for number, group in enumerate(first)]
    before: dict[str, frozenset[str]] = {}
    after: dict[str, frozenset[str]] = {}
    for person, groups in known.items():
        full = len(_matched(first, before)) == len(first)
        (after if full else before)[person] = groups
    taken, later = _matched(first, before), _matched(second, after)
    return [
        *((group, taken.get(number)) for number, group in enumerate(first)),
        *((group, later.get(number)) for number, group in enumerate(second)),
    ]


def open_seats(requirement: Requirement, seats: list[tuple[str, str | None]]) -> Iterator[int]:
    """The places, in what `seating` gave, of seats that can be taken now: of the second stage once the first is full."""
    first = sum(requirement.seats.values())
    waits = any(person is None for _, person in seats[:first])
    return (number for number, (_, person) in enumerate(seats) if person is None and (number < first or not waits))


def _chairs(stage: Mapping[str, int]) -> list[str]:
    return [group for group, count in stage.items() for _ in range(count)]


def _known(approvals: Iterable[Seat]) -> dict[str, frozenset[str]]:
    """Each person's groups, in the order in which they came first."""
    people: dict[str, frozenset[str]] = {}
    for approval in approvals:
        people[approval.person] = people.get(approval.person, frozenset()) | approval.groups
    return people


def _matched(chairs: list[str], people: Mapping[str, frozenset[str]]) -> dict[int, str]:
    taken: dict[int, str] = {}
    for person in sorted(people):
        _place(person, people, chairs, taken, set())
    return taken


def fits(name: str, groups: frozenset[str]) -> bool:
    """Whether somebody in `groups` can take a seat of this name."""
    return not groups.isdisjoint(name.split("|"))


def _place(
    person: str, people: Mapping[str, frozenset[str]], chairs: list[str], taken: dict[int, str], tried: set[int]
) -> bool:
    """Find `person` a chair, moving others to other chairs of theirs where that frees one."""
    for number, group in enumerate(chairs):
        if number in tried or not fits(group, people[person]):
            continue
        tried.add(number)
        if number not in taken or _place(taken[number], people, chairs, taken, tried):
            taken[number] = person
            return True
    return False
