"""Websockets of signed-in people: pipes that say that something changed, and ask again each time whether this person may know."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from typing import Any, ClassVar
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError

from accounts.models import User
from accounts.signed_in import signed_in

BEAT = 5.0
"""Seconds between signs of life; a page that hears nothing for 12 says that it is lost."""
IN_A_ROW = 25
"""Pages that are written to before others get a turn."""


def group_of(person: UUID) -> str:
    """The group that a person's open pages are in: what is said in it is for them alone."""
    return f"person-{person.hex}"


class Pipe(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels publishes no types
    """One open page. Who it belongs to is asked again for every message, and with every sign of life.

    It hears what is said to its person, and in `group`, if it names one.
    """

    group: ClassVar[str] = ""
    beat_every: ClassVar[float] = BEAT
    key: str = ""
    """The session's, by which its person is asked for afresh."""
    _joined: tuple[str, ...] = ()
    _heart: Heart | None = None

    async def connect(self) -> None:
        """Let in a signed-in person."""
        self.key = getattr(self.scope.get("session"), "session_key", None) or ""
        person = await self.person()
        if person is None:
            await self.close(code=4401)
            return
        self._joined = self.groups_of(person)
        for group in self._joined:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "beat"})
        self._heart = Heart.of(self.beat_every)
        self._heart.pipes.add(self)

    def groups_of(self, person: User) -> tuple[str, ...]:
        """What this person's page hears."""
        return tuple(filter(None, (group_of(person.id), self.group)))

    async def disconnect(self, code: int) -> None:
        """Leave the groups and stop beating."""
        if self._heart:
            self._heart.pipes.discard(self)
        for group in self._joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def notified(self, message: dict[str, Any]) -> None:
        """Say that this person was told something: the page asks what, if they are still signed in."""
        if await self.person() is not None:
            await self.send_json({"type": "notified"})

    async def person(self) -> User | None:
        """Whose page it is, if they still may have one: asked after this was called, together with whoever else is asked about then."""
        return await Porter.here().person(self.key)

    def still_signed_in(self) -> User | None:
        """The session's person, asked afresh: signed out, password changed or account closed, it is nobody."""
        return signed_in([self.key]).get(self.key)


class Porter:
    """Says who is still signed in, of all who are asked about at about the same time in one asking.

    What is said to five pages is passed on by five of them; asking for each by itself would take longer than all else that is done for it.
    """

    _of: ClassVar[Porter | None] = None

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[asyncio.Future[User | None]]] = {}
        self._asking: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> Porter:
        """The one of this loop."""
        if cls._of is None or not cls._of.is_here():
            cls._of = cls()
        return cls._of

    def is_here(self) -> bool:
        """Whether its loop is the one that is running."""
        return self._loop is asyncio.get_running_loop()

    async def person(self, key: str) -> User | None:
        """The person of a session, as the database has it from now on."""
        answer: asyncio.Future[User | None] = self._loop.create_future()
        self._waiting.setdefault(key, []).append(answer)
        if self._asking is None or self._asking.done():
            self._asking = self._loop.create_task(self._ask())
        return await answer

    async def _ask(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # whoever was told the same comes along
            waiting, self._waiting = self._waiting, {}
            answers = [(key, answer) for key, some in waiting.items() for answer in some]
            try:
                people = await _people(waiting)
            except DatabaseError as error:  # their pages close, come back, and fetch what they did not hear
                for _, answer in answers:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for key, answer in answers:
                if not answer.done():
                    answer.set_result(people.get(key))


class Heart:
    """Gives all pages of this process that are open a sign of life at once, and closes those whose people may have none any more.

    Who that is is asked once for all of them: with a thousand pages open, asking for each would be most of what the process does.
    """

    _of: ClassVar[dict[float, Heart]] = {}

    def __init__(self, every: float) -> None:
        self.pipes: set[Pipe] = set()
        self._every = every
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._beat())

    @classmethod
    def of(cls, every: float) -> Heart:
        """The one that beats so often in this loop."""
        heart = cls._of.get(every)
        if heart is None or not heart.beats_here():
            heart = cls._of[every] = cls(every)
        return heart

    def beats_here(self) -> bool:
        """Whether it still beats, in the loop that is running."""
        return self._loop is asyncio.get_running_loop() and not self._task.done()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            if not self.pipes:
                return
            pipes = list(self.pipes)
            stay = await _still({pipe.key for pipe in pipes})
            for number, pipe in enumerate(pipes):
                if number % IN_A_ROW == 0:
                    await asyncio.sleep(0)
                with contextlib.suppress(OSError, RuntimeError):  # it closed meanwhile
                    await (pipe.send_json({"type": "beat"}) if pipe.key in stay else pipe.close(code=4401))


@database_sync_to_async  # type: ignore[untyped-decorator]  # as above
def _people(keys: Collection[str]) -> dict[str, User]:
    return signed_in(keys)


@database_sync_to_async  # type: ignore[untyped-decorator]  # as above
def _still(keys: Collection[str]) -> frozenset[str]:
    """Those whose people are still signed in; none where that cannot be asked: pages that are closed come back."""
    try:
        return frozenset(signed_in(keys))
    except DatabaseError:
        return frozenset()
