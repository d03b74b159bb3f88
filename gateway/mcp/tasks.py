"""Tasks (revision 2025-11-25, experimental): a call whose client comes back for its answer, under the identifier of its action.

The gate keeps tasks itself, whatever its servers know of them. A call that waits for people needs no open stream then, and nobody's
patience. They are kept by one gateway, in memory; an approval whose task is gone is collected by calling again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from gateway.mcp.jsonrpc import Request, Said, error, result
from gateway.mcp.sessions import Who

USUAL: Final = 600_000
LONGEST: Final = 3_600_000
"""Milliseconds that a task is kept."""
MOST: Final = 2_000
MOST_OF_ONE: Final = 50
POLL: Final = 2_000
METHODS: Final = frozenset({"tasks/get", "tasks/result", "tasks/list", "tasks/cancel"})
CAPABILITY: Final[Mapping[str, Any]] = {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}
RELATED: Final = "io.modelcontextprotocol/related-task"
INVALID: Final = -32602


@dataclass(eq=False)
class Task:
    """One call. `answer` is there once it has ended."""

    id: str
    who: Who
    ttl: int
    cancel: Callable[[], None]
    made: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))
    expires: float = 0.0
    answer: Said | None = None
    cancelled: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.expires = time.monotonic() + self.ttl / 1_000

    def end(self, answer: Said | None) -> None:
        """Keep its answer."""
        self.answer, self.changed = answer, datetime.now(UTC)
        self.ended.set()

    @property
    def said(self) -> dict[str, Any]:
        """What a client is told of it."""
        return {
            "taskId": self.id,
            "status": self._status,
            "createdAt": self.made.isoformat(),
            "lastUpdatedAt": self.changed.isoformat(),
            "ttl": self.ttl,
            "pollInterval": POLL,
        }

    @property
    def _status(self) -> str:
        if not self.ended.is_set():
            return "working"
        if self.cancelled:
            return "cancelled"
        given = (self.answer or {}).get("result")
        return "completed" if isinstance(given, dict) and given.get("isError") is not True else "failed"


class Tasks:
    """Those of this gateway."""

    def __init__(self) -> None:
        self._known: dict[str, Task] = {}

    def has_room(self, who: Who) -> bool:
        """Whether one more may be kept."""
        self._forget()
        return len(self._known) < MOST and sum(one.who == who for one in self._known.values()) < MOST_OF_ONE

    def keep(self, task: Task) -> None:
        """Keep it for its time. A call that joins one that waits already takes its place."""
        self._known[task.id] = task

    def _forget(self) -> None:
        now = time.monotonic()
        for one in [one for one in self._known.values() if one.expires < now and one.ended.is_set()]:
            del self._known[one.id]

    async def answer(self, asked: Request, who: Who, left: asyncio.Event) -> Said | None:
        """The answer to a request about tasks; None where the client left before there was one."""
        self._forget()
        if asked.method == "tasks/list":
            return result(asked.id, {"tasks": [one.said for one in self._known.values() if one.who == who]})
        task = self._known.get(str(asked.params.get("taskId", "")))
        if task is None or task.who != who:
            return error(asked.id, INVALID, "There is no such task, or it is kept no longer.")
        if asked.method == "tasks/cancel":
            if task.ended.is_set():
                return error(asked.id, INVALID, "The task has ended.")
            task.cancelled = True
            task.cancel()
            await _either(task.ended, left)
        if asked.method != "tasks/result":
            return result(asked.id, task.said)
        await _either(task.ended, left)
        return _result(asked, task) if task.ended.is_set() else None


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (one, other)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _result(asked: Request, task: Task) -> Said:
    """What the call itself would have answered."""
    if task.answer is None:
        return error(asked.id, INVALID, "The task has no answer.")
    said = {**task.answer, "id": asked.id}
    if isinstance(said.get("result"), dict):
        said["result"] = {**said["result"], "_meta": {RELATED: {"taskId": task.id}}}
    return said


def ttl_of(said: Mapping[str, Any]) -> int:
    """How long a client wants it kept, in milliseconds."""
    wanted = said.get("ttl")
    return min(wanted, LONGEST) if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0 else USUAL
