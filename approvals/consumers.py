"""The live queue: a pipe that says "this hold changed", and nothing about it, to those who may see it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.urls import path

from accounts.models import User
from approvals.queries import visible_to

GROUP = "holds"
BEAT = 5.0
"""Seconds between signs of life; a page that hears nothing for 12 says that it is lost."""


class QueueConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels publishes no types
    """One open queue. Who it belongs to, and what they may see, is asked again for every message."""

    _beating: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Let in a signed-in person."""
        if await self._person() is None:
            await self.close(code=4401)
            return
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        self._beating = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        """Leave the group and stop beating."""
        await self.channel_layer.group_discard(GROUP, self.channel_name)
        if self._beating:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating

    async def hold_changed(self, message: dict[str, Any]) -> None:
        """Pass the identifier on, if this person may see the hold."""
        if await self._may_see(UUID(message["hold"])):
            await self.send_json({"type": "hold", "hold": message["hold"]})

    async def _beat(self) -> None:
        while True:
            await self.send_json({"type": "beat"})
            await asyncio.sleep(BEAT)
            if await self._person() is None:
                await self.close(code=4401)
                return

    @database_sync_to_async  # type: ignore[untyped-decorator]  # as above
    def _may_see(self, hold: UUID) -> bool:
        person = self._still_signed_in()
        return person is not None and visible_to(person).filter(id=hold).exists()

    @database_sync_to_async  # type: ignore[untyped-decorator]  # as above
    def _person(self) -> User | None:
        return self._still_signed_in()

    def _still_signed_in(self) -> User | None:
        """The session's person, asked afresh: signed out, password changed or account closed, it is nobody."""
        key = getattr(self.scope.get("session"), "session_key", None)
        if not key:
            return None
        request = HttpRequest()
        request.session = SessionStore(key)
        person = get_user(request)
        return person if isinstance(person, User) and person.is_active else None


websocket_urls = [path("ws/queue/", QueueConsumer.as_asgi())]
