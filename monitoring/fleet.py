"""The fleet as a treemap: segments, in them agents; area is what an agent does, colour is its risk. Pure of requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.models import Agent
from approvals.risk import band
from monitoring.score import Score
from monitoring.treemap import Box, squarified

WIDTH, HEIGHT = 100.0, 100.0
_HEADING, _GAP = 8.0, 0.35


@dataclass(frozen=True)
class Tile:
    """One agent's rectangle, in per cent of the whole."""

    agent: Agent
    score: int
    band: int
    word: str
    box: Box

    @property
    def label(self) -> str:
        """Its name, without the usual environment, where there is room for one."""
        room = self.box.width > 11 and self.box.height > 14
        return self.agent.name.replace(".production", "") if room else ""


@dataclass(frozen=True)
class Group:
    """One segment's rectangle and its agents."""

    name: str
    count: int
    box: Box
    tiles: list[Tile]


@dataclass(frozen=True)
class Fleet:
    """All segments."""

    groups: list[Group]


def fleet_of(ranked: Sequence[tuple[Agent, Score]]) -> Fleet:
    """Lay out the agents: each has some area, a risky one more."""
    by_segment: dict[str, list[tuple[Agent, Score]]] = defaultdict(list)
    for agent, total in ranked:
        by_segment[agent.segment.name].append((agent, total))
    weights = {name: sum(_weight(total) for _, total in members) for name, members in by_segment.items()}
    names = sorted(weights, key=lambda name: (-weights[name], name))
    boxes = squarified([weights[name] for name in names], Box(0, 0, WIDTH, HEIGHT))
    return Fleet([_group(name, by_segment, box) for name, box in zip(names, boxes, strict=True)])


def _group(name: str, by_segment: Mapping[str, list[tuple[Agent, Score]]], box: Box) -> Group:
    members = sorted(by_segment[name], key=lambda pair: -_weight(pair[1]))
    boxes = squarified([_weight(total) for _, total in members], box.inside(_HEADING, _GAP))
    tiles = [
        Tile(agent, total.score, *band(total.score), place)
        for (agent, total), place in zip(members, boxes, strict=True)
    ]
    return Group(name, len(members), box, tiles)


def _weight(total: Score) -> float:
    return 12.0 + total.score
