"""Where the boxes and lines of the segments' map are drawn. Pure: shares of the width, and pixels down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ROW: Final = 40
"""Pixels from one box to the next."""
BOX: Final = 32
HEAD: Final = 24
"""Pixels that the two headings take."""


APART: Final = {"allow": -3, "hold": 3}
"""Pixels from the middle, so that what is allowed and what is held between the same two stand side by side."""


@dataclass(frozen=True)
class Box:
    """A segment on one side; `y` is its top edge, `middle` where lines begin and end."""

    name: str
    number: int
    y: int

    @property
    def middle(self) -> int:
        """Half way down."""
        return self.y + BOX // 2

    @property
    def text_y(self) -> int:
        """Where its words stand."""
        return self.y + BOX // 2 + 4


@dataclass(frozen=True)
class Link:
    """A line from a box on the left to one on the right; `verdict` is its look."""

    y1: int
    y2: int
    verdict: str
    within: bool


@dataclass(frozen=True)
class Drawing:
    """The whole of it, `height` pixels high."""

    left: list[Box]
    right: list[Box]
    links: list[Link]
    height: int


def drawn(
    left: Sequence[tuple[str, int]], right: Sequence[tuple[str, int]], crossings: Sequence[tuple[str, str, str]]
) -> Drawing:
    """Segments with how many agents on the left, with how many resources on the right, and what crosses."""
    agents, resources = _boxes(left), _boxes(right)
    begins, ends = ({box.name: box.middle for box in boxes} for boxes in (agents, resources))
    links = [
        Link(begins[one] + APART[verdict], ends[other] + APART[verdict], verdict, one == other)
        for one, other, verdict in sorted(crossings)
        if one in begins and other in ends
    ]
    return Drawing(agents, resources, links, HEAD + ROW * max(len(agents), len(resources), 1))


def _boxes(named: Sequence[tuple[str, int]]) -> list[Box]:
    return [Box(name, number, HEAD + ROW * place) for place, (name, number) in enumerate(named)]
