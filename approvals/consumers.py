"""The live queue: a pipe that says "this hold changed", and nothing about it, to those who may see it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from accounts.pipes import Pipe
from approvals.queries import visible_to

GROUP = "holds"


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


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi())]
