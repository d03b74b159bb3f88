"""The live queue and the bell: pipes that say "this hold changed" or "you were told something", and nothing about it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from accounts.pipes import Pipe
from approvals.live import GROUP
from approvals.queries import visible_to


class QueueConsumer(Pipe):
    """One open queue."""

    group: ClassVar[str] = GROUP

    async def hold_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person may see the hold."""
        if await self._may_see(UUID(message["hold"])):
            await self.send_json({"type": "hold", "hold": message["hold"]})

    @database_sync_to_async  # type: ignore[untyped-decorator]  # channels publishes no types
    def _may_see(self, hold: UUID) -> bool:
        person = self.still_signed_in()
        return person is not None and visible_to(person).filter(id=hold).exists()


class BellConsumer(Pipe):
    """Any other open page: it hears what is said to its person, and nothing else."""

    beat_every: ClassVar[float] = 30.0


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi()), path("ws/bell/", BellConsumer.as_asgi())]
