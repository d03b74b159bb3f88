"""What is different from the last time that the same agent asked the same of the same resource, line by line. Reads holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Final

from approvals.models import Hold

MOST: Final = 60
"""Lines that are shown."""
ALIKE: Final = ("http:", "mcp:", "app:")
"""Verbs of what has arguments; statements and commands of one shape differ in what is hidden or said elsewhere."""


@dataclass(frozen=True)
class Line:
    """One line: `sign` is + for what is new, - for what is gone, a space for what is as it was."""

    sign: str
    text: str


@dataclass(frozen=True)
class Changed:
    """The last time, and the lines that tell the two apart; none where they say the same."""

    last: Hold
    lines: Sequence[Line]
    more: int


def since_last(hold: Hold) -> Changed | None:
    """What changed since the last hold of this shape; None where there was none, or it is of no kind that is compared."""
    if not (hold.shape and hold.verb.startswith(ALIKE)):
        return None
    same = Hold.objects.filter(shape=hold.shape, agent=hold.agent_id, resource=hold.resource_id, verb=hold.verb)
    last = same.filter(asked_at__lt=hold.asked_at).exclude(salt=b"").order_by("-asked_at").first()
    if last is None:
        return None
    lines = compared(last.shown, hold.shown)
    return Changed(last, lines[:MOST], max(0, len(lines) - MOST))


def compared(before: str, now: str) -> list[Line]:
    """The lines that differ, each with one beside it."""
    told = list(unified_diff(before.splitlines(), now.splitlines(), n=1, lineterm=""))[2:]
    return [Line(one[0], one[1:]) if one[:2] != "@@" else Line(" ", "…") for one in told]
