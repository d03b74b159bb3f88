"""Step 7 for SSH: what a command writes on its way to the agent and into the recording, without what detectors find in it.

Every byte keeps its place, so that columns, cursors and the protocols of other programs stay whole. What may be the beginning of a value is held
back until more comes, and no longer than a moment: a prompt is not waited for in vain.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, Protocol

from agents.detectors.acting import NONE, Detecting
from agents.detectors.forms import Form
from agents.detectors.masker import Masker
from gateway.ssh.recording import ERROR, OUT, Recording

MOMENT: Final = 0.03
"""Seconds for which a piece of a line is held back, in case a value goes on."""


class Receiver(Protocol):
    """Who gets the output."""

    def output(self, data: bytes, *, error: bool) -> None:
        """Some of it."""
        ...


class Passing:
    """The output of one command. `patient`: a value is found also where it comes in two pieces; programs that answer each other do not wait."""

    def __init__(
        self,
        receiver: Receiver,
        recording: Recording,
        detecting: Detecting = NONE,
        lifted: frozenset[str] = frozenset(),
        *,
        patient: bool = True,
    ) -> None:
        self.recording = recording
        self._receiver = receiver
        self._patient = patient
        scanner = detecting.without(lifted)
        self._maskers = {error: Masker(scanner, Form.FIT) for error in (False, True)}
        self._keepers = {error: Masker(detecting.scanner, Form.FIT) for error in (False, True)}
        self._is_lifted = scanner is not detecting.scanner
        self._clock: asyncio.TimerHandle | None = None

    @property
    def detected(self) -> Counter[str]:
        """How many values each detector has found so far in what the agent got."""
        return self._maskers[False].counts + self._maskers[True].counts

    def give(self, data: bytes, *, error: bool) -> None:
        """Some of what it writes."""
        self._pass(
            self._maskers[error].feed(data), self._keepers[error].feed(data) if self._is_lifted else b"", error=error
        )
        if self._clock is not None:
            self._clock.cancel()
        if self._patient:
            self._clock = asyncio.get_running_loop().call_later(MOMENT, self._flush)
        else:
            self._flush()

    def end(self) -> None:
        """It writes nothing more."""
        if self._clock is not None:
            self._clock.cancel()
        for error in (False, True):
            self._pass(self._maskers[error].end(), self._keepers[error].end(), error=error)

    def _flush(self) -> None:
        for error in (False, True):
            self._pass(self._maskers[error].flush(), self._keepers[error].flush(), error=error)

    def _pass(self, shown: bytes, kept: bytes, *, error: bool) -> None:
        if kept or shown:
            self.recording.add(ERROR if error else OUT, kept if self._is_lifted else shown)
        if shown:
            self._receiver.output(shown, error=error)
