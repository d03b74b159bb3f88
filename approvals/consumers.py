"""The live queue and the bell: pipes that say "this hold changed" or "you were told something", and nothing about it."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Final
from uuid import UUID

from channels.db import database_sync_to_async
from django.urls import path

from accounts.models import User
from accounts.pipes import Pipe
from approvals.live import queue_of
from approvals.presence import look
from core.ids import identifiers

LONGEST: Final = 200
"""Characters of what a page says."""


class QueueConsumer(Pipe):
    """One open queue."""

    def groups_of(self, person: User) -> tuple[str, ...]:
        """What is said to its person, and the holds that they may see."""
        return (*super().groups_of(person), queue_of(person.id))

    async def hold_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person is still signed in; that they may see the hold was asked as it changed."""
        if await self.person() is not None:
            await self.send_json({"type": "hold", "hold": message["hold"]})

    async def hold_looked_at(self, message: dict[str, Any]) -> None:
        """The same, where somebody has opened it: only a page that shows it need ask who."""
        if await self.person() is not None:
            await self.send_json({"type": "looked", "hold": message["hold"]})

    async def receive_json(self, content: object, **_about: object) -> None:
        """Which hold is open in this page. What is none of that is not understood, and not answered."""
        said = content.get("looking") if isinstance(content, dict) else None
        hold = next(iter(identifiers([said])), None) if isinstance(said, str) else None
        if hold:
            await self._look(hold)

    @classmethod
    async def decode_json(cls, text_data: str) -> object:
        """What a page says; nothing, where it is no JSON."""
        try:
            return json.loads(text_data[:LONGEST])
        except ValueError:
            return None

    @database_sync_to_async  # type: ignore[untyped-decorator]  # channels publishes no types
    def _look(self, hold: UUID) -> None:
        person = self.still_signed_in()
        if person:
            look(hold, person)


class BellConsumer(Pipe):
    """Any other open page: it hears what is said to its person, and nothing else."""

    beat_every: ClassVar[float] = 30.0


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi()), path("ws/bell/", BellConsumer.as_asgi())]
