"""The end of something that others have to hear of at once: a client's connection, a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LEFT: Final = "narrowgate.left"
"""The scope's key for the end of a request's connection."""


class Ending(asyncio.Event):
    """An event that is set once. Whoever only has to be called needs no task that waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: list[Callable[[], object]] = []

    def set(self) -> None:
        """It has ended."""
        if self.is_set():
            return
        super().set()
        for call in tuple(self._calls):
            call()

    @contextmanager
    def calls(self, call: Callable[[], object]) -> Iterator[None]:
        """Call this when it ends, once, unless it ends later than this `with`; at once where it has ended already."""
        if self.is_set():
            call()
        self._calls.append(call)
        try:
            yield
        finally:
            self._calls.remove(call)
