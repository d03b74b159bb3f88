"""How many people from which groups an approval needs, and whether those who approved fill the seats. Pure.

A quorum counts people: each person takes one seat, however many groups they are in and accounts they have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.errors import Invalid

SEAT = re.compile(r"([a-z][a-z0-9-]{0,39})\s*:\s*([0-9]{1,2})")
MOST_SEATS = 20


@dataclass(frozen=True)
class Seat:
    """One approval: the person who gave it (accounts of one person share it) and the groups that count for them."""

    person: str
    groups: frozenset[str]


@dataclass(frozen=True)
class Requirement:
    """How many people each group must bring. Never empty: a requirement nobody has to meet is no requirement."""

    seats: Mapping[str, int]

    def __post_init__(self) -> None:
        if not self.seats or any(count < 1 for count in self.seats.values()) or self.people > MOST_SEATS:
            raise Invalid(
                "requirement", f"A requirement needs between 1 and {MOST_SEATS} people.", 'For example "dba:2".'
            )
        object.__setattr__(self, "seats", MappingProxyType(dict(sorted(self.seats.items()))))

    def __hash__(self) -> int:
        return hash(tuple(self.seats.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Requirement) and dict(self.seats) == dict(other.seats)

    def __reduce__(self) -> tuple[type[Requirement], tuple[dict[str, int]]]:
        return Requirement, (dict(self.seats),)

    def __str__(self) -> str:
        return ", ".join(f"{group}:{count}" for group, count in self.seats.items())

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """Read `dba:2, security:1`. Raises Invalid."""
        seats: dict[str, int] = {}
        for part in text.split(","):
            match = SEAT.fullmatch(part.strip())
            if match is None:
                raise Invalid(
                    "requirement", f"“{part.strip()}” is not a group and a number.", 'Write "dba:2, security:1".'
                )
            if match[1] in seats:
                raise Invalid("requirement", f"The group {match[1]} is named twice.", "Name each group once.")
            seats[match[1]] = int(match[2])
        return cls(seats)

    @property
    def people(self) -> int:
        """How many different people it takes."""
        return sum(self.seats.values())

    def merge(self, other: Requirement) -> Requirement:
        """What meets both: the larger count of each group."""
        groups = {*self.seats, *other.seats}
        return Requirement({group: max(self.seats.get(group, 0), other.seats.get(group, 0)) for group in groups})


def satisfied(requirement: Requirement, approvals: Iterable[Seat]) -> bool:
    """Whether the people who approved fill every seat, each person once."""
    return seated(requirement, approvals) == requirement.people


def missing(requirement: Requirement, approvals: Iterable[Seat]) -> int:
    """How many more people it takes, at least."""
    return requirement.people - seated(requirement, approvals)


def seated(requirement: Requirement, approvals: Iterable[Seat]) -> int:
    """The most seats that these people can fill."""
    return sum(person is not None for _, person in seating(requirement, approvals))


def seating(requirement: Requirement, approvals: Iterable[Seat]) -> list[tuple[str, str | None]]:
    """Each seat's group and who takes it: a maximum matching, by augmenting paths."""
    people: dict[str, frozenset[str]] = {}
    for approval in approvals:
        people[approval.person] = people.get(approval.person, frozenset()) | approval.groups
    chairs = [group for group, count in requirement.seats.items() for _ in range(count)]
    taken: dict[int, str] = {}
    for person in sorted(people):
        _place(person, people, chairs, taken, set())
    return [(group, taken.get(number)) for number, group in enumerate(chairs)]


def _place(
    person: str, people: Mapping[str, frozenset[str]], chairs: list[str], taken: dict[int, str], tried: set[int]
) -> bool:
    """Find `person` a chair, moving others to other chairs of theirs where that frees one."""
    for number, group in enumerate(chairs):
        if group not in people[person] or number in tried:
            continue
        tried.add(number)
        if number not in taken or _place(taken[number], people, chairs, taken, tried):
            taken[number] = person
            return True
    return False
