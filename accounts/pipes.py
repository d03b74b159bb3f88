"""Websockets of signed-in people: pipes that say that something changed, and ask again each time whether this person may know."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from accounts.models import User

BEAT = 5.0
"""Seconds between signs of life; a page that hears nothing for 12 says that it is lost."""


def group_of(person: UUID) -> str:
    """The group that a person's open pages are in: what is said in it is for them alone."""
    return f"person-{person.hex}"


class Pipe(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels publishes no types
    """One open page. Who it belongs to is asked again for every message, and with every sign of life.

    It hears what is said to its person, and in `group`, if it names one.
    """

    group: ClassVar[str] = ""
    beat_every: ClassVar[float] = BEAT
    whose: UUID | None = None
    """The account of who opened it; whether they are still signed in is asked again for whatever is said to them."""
    _joined: tuple[str, ...] = ()
    _beating: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Let in a signed-in person."""
        person = await self.person()
        if person is None:
            await self.close(code=4401)
            return
        self.whose = person.id
        self._joined = tuple(filter(None, (group_of(person.id), self.group)))
        for group in self._joined:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self._beating = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        """Leave the groups and stop beating."""
        for group in self._joined:
            await self.channel_layer.group_discard(group, self.channel_name)
        if self._beating:
            self._beating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beating

    async def notified(self, message: dict[str, Any]) -> None:
        """Say that this person was told something: the page asks what, if they are still signed in."""
        if await self.person() is not None:
            await self.send_json({"type": "notified"})

    async def _beat(self) -> None:
        while True:
            await self.send_json({"type": "beat"})
            await asyncio.sleep(self.beat_every)
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
