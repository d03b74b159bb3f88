"""Reads texts of many policies for whoever does not want to wait in a request: ten thousand take Cedar seconds.

What is read is remembered, so that drafting it afterwards takes moments; what a plan of the version in force knows is not read at all.
"""

from __future__ import annotations

import time
from typing import Final

from core.errors import Invalid, NarrowgateError
from policies import intake_actions, sealing
from policies.models import PolicyIntake
from policies.parse import AT_ONCE, known, policies
from policies.queries import active
from policies.source import statements

MOST_IN_A_REQUEST: Final = 1_000
"""Policies that nobody has read yet, of which a request waits for no more: half a second or so."""
EVERY: Final = 0.5
"""Seconds between two words on how far it is."""


class _TakenOver(Exception):
    """It is in other hands."""


def is_large(text: str) -> bool:
    """Whether reading a text takes longer than a request should."""
    sealing.lend(active())
    return _unread(text) > MOST_IN_A_REQUEST


def _unread(text: str) -> int:
    return len({one.text for one in statements(text) if known(one.text) is None})


def make_unfinished() -> int:
    """Read the texts that nobody is reading, one after the other; gives how many."""
    made = 0
    while (intake := intake_actions.take_up()) is not None:
        try:
            _read(intake)
            intake_actions.finish(intake)
        except NarrowgateError as error:
            intake_actions.fail(intake, error)
        except _TakenOver:
            pass
        made += 1
    return made


def _read(intake: PolicyIntake) -> None:
    """Read what is new in it, telling how far that is. What is wrong with it is said when it is drafted, by line."""
    sealing.lend(active())
    progress = _Progress(intake, _unread(intake.text))
    progress.tell()
    try:
        policies(intake.text, progress.step)
    except Invalid:
        return


class _Progress:
    """How far a reading is."""

    def __init__(self, intake: PolicyIntake, of: int) -> None:
        self._intake, self._of = intake, of
        self._read, self._told = 0, 0.0

    def step(self) -> None:
        """A few more were read. Raises _TakenOver."""
        self._read = min(self._read + AT_ONCE, self._of)
        if time.monotonic() - self._told >= EVERY:
            self.tell()

    def tell(self) -> None:
        """Say so. Raises _TakenOver."""
        self._told = time.monotonic()
        if not intake_actions.tell(self._intake, read=self._read, of=self._of):
            raise _TakenOver
