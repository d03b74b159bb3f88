"""The live queue and the bell: pipes that say "this hold changed" or "you were told something", and nothing about it."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from accounts.pipes import Pipe
from approvals.live import GROUP
from approvals.queries import watchers
from core.ids import new_id

MOST_EVENTS: Final = 256
_watching: dict[str, asyncio.Task[frozenset[UUID]]] = {}
"""Who may see the hold of an event, asked once for all the pages that are open in this process."""


class QueueConsumer(Pipe):
    """One open queue."""

    group: ClassVar[str] = GROUP

    async def hold_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person may see the hold and is still signed in."""
        may = await may_see(message.get("event") or str(new_id()), UUID(message["hold"]))
        if self.whose in may and await self.person() is not None:
            await self.send_json({"type": "hold", "hold": message["hold"]})


async def may_see(event: str, hold: UUID) -> frozenset[UUID]:
    """The accounts of those who may see the hold, as of this event: asked once for all who ask meanwhile."""
    task = _watching.get(event)
    if task is None:
        while len(_watching) >= MOST_EVENTS:
            del _watching[next(iter(_watching))]
        task = _watching[event] = asyncio.ensure_future(_watchers(hold))
    return await asyncio.shield(task)  # a page that closes meanwhile takes nobody's answer along


@database_sync_to_async  # type: ignore[untyped-decorator]  # channels publishes no types
def _watchers(hold: UUID) -> frozenset[UUID]:
    return watchers(hold)


class BellConsumer(Pipe):
    """Any other open page: it hears what is said to its person, and nothing else."""

    beat_every: ClassVar[float] = 30.0


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi()), path("ws/bell/", BellConsumer.as_asgi())]
