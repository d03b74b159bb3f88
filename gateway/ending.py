"""The end of something that others have to hear of at once: a client's connection, a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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

    def calls(self, call: Callable[[], object]) -> _Calls:
        """Call this when it ends, once, unless it ends later than the `with` of this; at once where it has ended already."""
        return _Calls(self, call, self._calls)


class _Calls:
    """See `Ending.calls`: a context manager made of a generator costs three times as much."""

    __slots__ = ("_call", "_calls", "_ending")

    def __init__(self, ending: Ending, call: Callable[[], object], calls: list[Callable[[], object]]) -> None:
        self._ending, self._call, self._calls = ending, call, calls

    def __enter__(self) -> None:
        if self._ending.is_set():
            self._call()
        self._calls.append(self._call)

    def __exit__(self, *_error: object) -> None:
        self._calls.remove(self._call)
