"""Websockets of signed-in people: pipes that say that something changed, and ask again each time whether this person may know."""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from accounts.models import User

BEAT = 5.0
"""Seconds between signs of life; a page that hears nothing for 12 says that it is lost."""


class Pipe(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels publishes no types
    """One open page. Who it belongs to is asked again for every message, and with every sign of life."""

    group: ClassVar[str]
    _beating: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Let in a signed-in person."""
        if await self.person() is None:
            await self.close(code=4401)
            return
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        self._beating = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        """Leave the group and stop beating."""
        await self.channel_layer.group_discard(self.group, self.channel_name)
        if self._beating:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating

    async def _beat(self) -> None:
        while True:
            await self.send_json({"type": "beat"})
            await asyncio.sleep(BEAT)
            if await self.person() is None:
                await self.close(code=4401)
                return

    @database_sync_to_async  # type: ignore[untyped-decorator]  # as above
    def person(self) -> User | None:
        """Whose page it is, if they still may have one."""
        return self.still_signed_in()

    def still_signed_in(self) -> User | None:
        """The session's person, asked afresh: signed out, password changed or account closed, it is nobody."""
        key = getattr(self.scope.get("session"), "session_key", None)
        if not key:
            return None
        request = HttpRequest()
        request.session = SessionStore(key)
        person = get_user(request)
        return person if isinstance(person, User) and person.is_active else None
