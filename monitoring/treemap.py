"""A squarified treemap (Bruls, Huizing, van Wijk 2000) as rectangles. Pure: no Django, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A rectangle in the units of the whole."""

    x: float
    y: float
    width: float
    height: float

    @property
    def rounded(self) -> Box:
        """To a thousandth of a unit, for a page to say."""
        return Box(round(self.x, 3), round(self.y, 3), round(self.width, 3), round(self.height, 3))

    def inside(self, top: float, gap: float) -> Box:
        """What is left of it under a heading of height `top`, `gap` free all around."""
        return Box(self.x + gap, self.y + top, max(0.0, self.width - 2 * gap), max(0.0, self.height - top - gap))


def squarified(values: Sequence[float], box: Box) -> list[Box]:
    """One box for each value, areas in proportion, as square as can be. Values must be positive, largest first."""
    total = sum(values)
    if not values or total <= 0:
        return []
    areas = [value * box.width * box.height / total for value in values]
    done: list[Box] = []
    while areas:
        row = _best_row(areas, min(box.width, box.height))
        placed, box = _lay(areas[:row], box)
        done += placed
        areas = areas[row:]
    return done


def _best_row(areas: Sequence[float], side: float) -> int:
    """How many of `areas` to put along the shorter side: as long as the worst shape does not get worse."""
    size = 1
    while size < len(areas) and _worst(areas[: size + 1], side) <= _worst(areas[:size], side):
        size += 1
    return size


def _worst(areas: Sequence[float], side: float) -> float:
    depth = sum(areas) / side if side else 0.0
    if not depth:
        return float("inf")
    return max(max(depth * depth / area, area / (depth * depth)) for area in areas)


def _lay(areas: Sequence[float], box: Box) -> tuple[list[Box], Box]:
    """The row's boxes along the shorter side, and the box that is left."""
    wide = box.width >= box.height
    depth = sum(areas) / (box.height if wide else box.width)
    at = box.y if wide else box.x
    placed = []
    for area in areas:
        length = area / depth if depth else 0.0
        placed.append(Box(box.x, at, depth, length) if wide else Box(at, box.y, length, depth))
        at += length
    if wide:
        return placed, Box(box.x + depth, box.y, box.width - depth, box.height)
    return placed, Box(box.x, box.y + depth, box.width, box.height - depth)
