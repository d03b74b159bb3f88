"""Connections to one API, kept for its next requests: as many as it may have, the youngest first, each for one request at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, Self

from gateway.http.answers import Headers, Reader
from gateway.http.connection import Connection, Sending
from gateway.http.lost import Unreached

FREE_WITHIN: Final = 5.0
"""Seconds that a request waits for a connection while all are in use."""
KEPT: Final = 30.0
"""Seconds that an unused connection is kept."""
Connect = Callable[[Callable[[], Connection]], Awaitable[Connection]]


class Answer:
    """What one request is answered with. Whoever leaves its `with` before it is over ends the connection."""

    def __init__(self, pool: Pool, connection: Connection, reader: Reader) -> None:
        self._pool, self._connection, self._reader = pool, connection, reader

    @property
    def status(self) -> int:
        """Its status."""
        return self._reader.status

    @property
    def headers(self) -> Headers:
        """Names in small letters, with values, as often as they came."""
        return self._reader.headers

    def header(self, name: bytes) -> str:
        """The first value of a header; empty where there is none."""
        return next((value.decode("latin-1") for given, value in self.headers if given == name), "")

    @property
    def is_over(self) -> bool:
        """Whether all of it has come."""
        return self._reader.is_over

    def body(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises Lost."""
        return self._connection.body(self._reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.take_back(self._connection)


class Pool:
    """At most `most` connections, each made by `connect`."""

    def __init__(self, connect: Connect, most: int) -> None:
        self._connect = connect
        self._room = most
        self._used: set[Connection] = set()
        self._unused: list[Connection] = []
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, asked: Sending, *, silent_for: float) -> Answer:
        """Send a request, and return once the head of its answer is there. Raises Lost, and what the rest of the request raises."""
        connection = await self._free()
        self._used.add(connection)
        try:
            return Answer(self, connection, await connection.ask(asked, silent_for=silent_for))
        except BaseException:
            self.take_back(connection)
            raise

    def take_back(self, connection: Connection) -> None:
        """A request is over."""
        if connection not in self._used:
            return
        self._used.remove(connection)
        if connection.finish():
            self._give(connection)
        else:
            self._give(None)

    def close(self) -> None:
        """End every connection."""
        for connection in (*self._used, *self._unused):
            connection.cut()

    # ---- which connection ----
    async def _free(self) -> Connection:
        """One that nobody uses, or another one. Raises Unreached."""
        while self._unused:
            connection = self._unused.pop()
            if connection.is_open:
                return connection
            self._room += 1
        if self._room:
            self._room -= 1
        else:
            given = await self._next()
            if given is not None and given.is_open:
                return given
        try:
            return await self._connect(lambda: Connection(self._lost))
        except BaseException:
            self._give(None)
            raise

    async def _next(self) -> Connection | None:
        """The first that is free again; None for room to make another. Raises Unreached."""
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(FREE_WITHIN):
                return await waiting
        except (TimeoutError, asyncio.CancelledError) as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif not waiting.cancelled():  # it was given one in the same moment
                self._give(waiting.result())
            if isinstance(error, TimeoutError):
                raise Unreached("all of its connections are in use") from None
            raise

    def _give(self, connection: Connection | None) -> None:
        """Give a connection, or the room for one, to whoever waits longest, or keep it."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.cancelled():
                waiting.set_result(connection)
                return
        if connection is None:
            self._room += 1
            return
        loop = asyncio.get_running_loop()
        connection.unused_since = loop.time()
        self._unused.append(connection)
        if self._timer is None:
            self._timer = loop.call_later(KEPT, self._end_old)

    def _end_old(self) -> None:
        """End what was unused for long; the oldest are first."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for connection in self._unused:
            left = connection.unused_since + KEPT - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._end_old)
                return
            connection.cut()

    def _lost(self, connection: Connection) -> None:
        """One is no more; one in use is given back by whoever uses it."""
        if connection in self._unused:
            self._unused.remove(connection)
            self._give(None)
