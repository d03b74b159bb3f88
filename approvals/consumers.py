"""The live queue and the bell: pipes that say "this hold changed" or "you were told something", and nothing about it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path

from accounts.models import User
from accounts.pipes import Pipe
from approvals.live import queue_of


class QueueConsumer(Pipe):
    """One open queue."""

    def groups_of(self, person: User) -> tuple[str, ...]:
        """What is said to its person, and the holds that they may see."""
        return (*super().groups_of(person), queue_of(person.id))

    async def hold_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person is still signed in; that they may see the hold was asked as it changed."""
        if await self.person() is not None:
            await self.send_json({"type": "hold", "hold": message["hold"]})


class BellConsumer(Pipe):
    """Any other open page: it hears what is said to its person, and nothing else."""

    beat_every: ClassVar[float] = 30.0


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi()), path("ws/bell/", BellConsumer.as_asgi())]
