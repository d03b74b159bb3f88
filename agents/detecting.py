"""Which detectors act at a resource: what is usual, unless the resource says otherwise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from uuid import UUID

from django.utils.crypto import salted_hmac

from agents.detector_models import OFF, OwnDetector, ResourceDetector
from agents.detectors.acting import Detecting
from agents.detectors.known import KNOWN, USUAL, Group, Strategy
from agents.detectors.scanner import Own
from agents.models import Resource

NOWHERE: Final = UUID(int=0)


@dataclass(frozen=True)
class Line:
    """One detector as a resource has it: what is usual, and what the resource says of it (empty where nothing)."""

    name: str
    title: str
    group: str
    usual: str
    said: str
    example: str

    @property
    def acts(self) -> str:
        """What it does."""
        return self.said or self.usual


def lines_of(resource: Resource) -> list[Line]:
    """Every detector as a resource has it: those that come with the gate, then the customer's."""
    said = dict(ResourceDetector.objects.filter(resource=resource).values_list("detector", "strategy"))
    known = [
        Line(one.name, one.title, one.group, USUAL.get(one.name, OFF), said.get(one.name, ""), one.example)
        for one in KNOWN.values()
    ]
    return known + [
        Line(
            one.name, one.title, Group.OWN, one.strategy if one.everywhere else OFF, said.get(one.name, ""), one.sample
        )
        for one in OwnDetector.objects.all()
    ]


@dataclass(frozen=True)
class Detectors:
    """All that is said of detectors: by each resource that says anything, by its identifier, and those of the customer's own."""

    said: Mapping[UUID, Mapping[str, str]] = field(default_factory=dict)
    own: tuple[tuple[Own, str], ...] = ()
    """Each with what it does where a resource says nothing."""
    _known: dict[UUID, Detecting] = field(default_factory=dict, compare=False, repr=False)

    def at(self, resource: UUID) -> Detecting:
        """What acts at a resource."""
        if resource not in self._known:
            self._known[resource] = self._at(resource)
        return self._known[resource]

    def _at(self, resource: UUID) -> Detecting:
        wished = {**USUAL, **{one.name: usual for one, usual in self.own}, **self.said.get(resource, {})}
        acting = tuple([(name, Strategy(strategy)) for name, strategy in wished.items() if strategy != OFF])
        return _detecting(resource, acting, tuple([one for one, _ in self.own]))


NO_DETECTORS: Final = Detectors()


@lru_cache(1_024)
def _detecting(resource: UUID, acting: tuple[tuple[str, Strategy], ...], own: tuple[Own, ...]) -> Detecting:
    """What acts, with the secret of its hashes: a value has the same hash in all answers of a resource, and in no other's."""
    key = salted_hmac("narrowgate.detectors", str(resource), algorithm="sha256").digest()
    return Detecting(dict(acting), own, key)


def load() -> Detectors:
    """What is said now. Patterns that are new are compiled here, so that no answer waits for it."""
    said: dict[UUID, dict[str, str]] = defaultdict(dict)
    rows = ResourceDetector.objects.filter(resource__retired_at=None).values_list("resource_id", "detector", "strategy")
    for resource, detector, strategy in rows:
        said[resource][detector] = strategy
    own = tuple(
        (Own(one.name, one.pattern), one.strategy if one.everywhere else OFF) for one in OwnDetector.objects.all()
    )
    found = Detectors(dict(said), own)
    for resource in [NOWHERE, *said]:
        bool(found.at(resource).scanner)
    return found


def names() -> set[str]:
    """All that a permit can lift."""
    return {*KNOWN, *OwnDetector.objects.values_list("name", flat=True)}
