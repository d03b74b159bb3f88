"""Pure. The detectors that act at one resource: for the agent less those that its permit lifts, for recordings all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from agents.detectors.known import Strategy
from agents.detectors.scanner import Own, Scanner


@dataclass(frozen=True)
class Detecting:
    """What acts, by name; `key` is the secret by which values are hashed at this resource."""

    strategies: Mapping[str, Strategy] = field(default_factory=dict)
    own: tuple[Own, ...] = ()
    key: bytes = field(default=b"", repr=False)
    _lifted: dict[frozenset[str], Scanner] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def scanner(self) -> Scanner:
        """All of them: for recordings, and for an agent whose permit lifts none."""
        return Scanner(self.strategies, self.own, self.key)

    def without(self, unmask: frozenset[str]) -> Scanner:
        """What is left for an agent whose permits lift some."""
        lifted = frozenset(unmask & self.strategies.keys())
        if not lifted:
            return self.scanner
        if lifted not in self._lifted:
            rest = {name: strategy for name, strategy in self.strategies.items() if name not in lifted}
            self._lifted[lifted] = Scanner(rest, self.own, self.key)
        return self._lifted[lifted]


NONE: Final = Detecting()
"""Nothing is looked for."""
