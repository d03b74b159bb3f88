"""The fleet as a treemap: segments, in them agents, the riskiest on tiles of their own. Pure of requests.

Colour is risk. Area is risk too, with some for everybody; where there are more agents than tiles can be told apart, one
tile stands for all of a segment and band, says how many they are and takes at most what lets the others be seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agents.models import Agent
from agents.risk import BANDS, band
from monitoring.fleet_counts import FleetCounts
from monitoring.treemap import Box, squarified

ALL_SHOWN = 240
"""Up to so many agents each have a tile of their own."""
ALONE = 60
"""Beyond that, so many of the riskiest have, from this band on:"""
ALONE_FROM = 3
WIDTH, HEIGHT = 100.0, 100.0
_HEADING, _GAP = 8.0, 0.35
_BASE = 12.0
_GROUPS_MOST = 1.5
_NOWHERE = Box(0, 0, 0, 0)
_WORDS = {number: word for _, number, word in BANDS}


@dataclass(frozen=True)
class Tile:
    """One agent's rectangle, or that of `agents` of one band, in per cent of the whole."""

    segment: str
    band: int
    weight: float
    agent: Agent | None = None
    agents: int = 1
    box: Box = _NOWHERE

    @property
    def word(self) -> str:
        """Its band."""
        return _WORDS[self.band]

    @property
    def roomy(self) -> bool:
        """Whether a name fits into it."""
        return self.box.width > 11 and self.box.height > 14

    @property
    def counts(self) -> bool:
        """Whether there is room for the number alone."""
        return self.agent is None and not self.roomy and self.box.width > 5 and self.box.height > 7

    @property
    def label(self) -> str:
        """An agent's name without the usual environment, or the band that it stands for; where there is room."""
        if not self.roomy:
            return ""
        return self.agent.name.replace(".production", "") if self.agent else self.word

    @property
    def number(self) -> int:
        """The agent's risk, or how many agents there are."""
        return self.agent.risk if self.agent else self.agents


@dataclass(frozen=True)
class Group:
    """One segment's rectangle and its tiles."""

    name: str
    count: int
    box: Box
    tiles: list[Tile]


def treemap(counts: FleetCounts, riskiest: Sequence[Agent]) -> list[Group]:
    """Lay out the fleet; `riskiest` are the first of all by risk: everybody up to ALL_SHOWN, else ALONE."""
    by_segment = _tiles(counts, _alone(counts, riskiest))
    weights = {name: sum(tile.weight for tile in tiles) for name, tiles in by_segment.items()}
    names = sorted(weights, key=lambda name: (-weights[name], name))
    boxes = squarified([weights[name] for name in names], Box(0, 0, WIDTH, HEIGHT))
    return [_group(name, by_segment[name], box) for name, box in zip(names, boxes, strict=True)]


def _alone(counts: FleetCounts, riskiest: Sequence[Agent]) -> list[Agent]:
    if counts.agents <= ALL_SHOWN:
        return list(riskiest)
    return [agent for agent in riskiest[:ALONE] if band(agent.risk)[0] >= ALONE_FROM]


def _tiles(counts: FleetCounts, alone: Sequence[Agent]) -> Mapping[str, list[Tile]]:
    found: dict[str, list[Tile]] = {}
    for agent in alone:
        tile = Tile(agent.segment.name, band(agent.risk)[0], _BASE + agent.risk, agent)
        found.setdefault(tile.segment, []).append(tile)
    grouped: dict[str, list[Tile]] = {}
    for cell in counts.cells:
        own = [one for one in found.get(cell.segment, []) if one.band == cell.band]
        rest = cell.agents - len(own)
        if rest > 0:
            risk = cell.risk - sum(one.agent.risk for one in own if one.agent)
            grouped.setdefault(cell.segment, []).append(
                Tile(cell.segment, cell.band, rest * _BASE + max(0, risk), None, rest)
            )
    for name, tiles in grouped.items():
        found.setdefault(name, []).extend(_held_back(tiles, sum(one.weight for one in found[name])))
    return found


def _held_back(groups: Sequence[Tile], alone: float) -> list[Tile]:
    """The tiles that stand for many, no larger together than lets single agents beside them be seen."""
    together = sum(tile.weight for tile in groups)
    share = min(1.0, _GROUPS_MOST * alone / together) if alone else 0.05
    return [replace(tile, weight=tile.weight * share) for tile in groups]


def _group(name: str, tiles: Sequence[Tile], box: Box) -> Group:
    ordered = sorted(tiles, key=lambda tile: -tile.weight)
    boxes = squarified([tile.weight for tile in ordered], box.inside(_HEADING, _GAP))
    placed = [replace(tile, box=place.rounded) for tile, place in zip(ordered, boxes, strict=True)]
    return Group(name, sum(tile.agents for tile in tiles), box.rounded, placed)
