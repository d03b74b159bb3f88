"""Statements of the gate's own at a resource, over the same connection code that agents' statements go through."""

from __future__ import annotations

import asyncio

from gateway.postgres.backend import read_data_row, read_report
from gateway.postgres.framing import HEADER, Span
from gateway.postgres.messages import query
from gateway.postgres.upstream import Target, Upstream, connect

Row = tuple[str | None, ...]


class FetchError(Exception):
    """The resource refused a statement of the gate's own."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate


class Fetching:
    """One connection that runs one text at a time and gives its rows as text."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._rows: list[Row] = []
        self._error: FetchError | None = None
        self._done: asyncio.Future[None] | None = None
        upstream.on_messages = self._take
        upstream.on_lost = self._lost

    @classmethod
    async def open(cls, target: Target) -> Fetching:
        """Connect. Raises UpstreamError."""
        return cls(await connect(target))

    @property
    def gone(self) -> bool:
        """Whether the connection is closed."""
        return self._upstream.gone.is_set()

    async def fetch(self, sql: str) -> list[Row]:
        """The rows of `sql`, all of its statements together. Raises FetchError."""
        self._rows, self._error = [], None
        self._done = asyncio.get_running_loop().create_future()
        if self.gone:
            raise FetchError("08006", "the connection is closed")
        self._upstream.write(query(sql))
        await self._done
        if self._error is not None:
            raise self._error
        return self._rows

    def _take(self, chunk: bytes, spans: list[Span]) -> None:
        for kind, start, end in spans:
            if kind == ord("D"):
                values = read_data_row(chunk[start:end])
                self._rows.append(tuple([None if value is None else value.decode() for value in values]))
            elif kind == ord("E"):
                report = read_report(chunk[start + HEADER : end])
                self._error = FetchError(report.get("C", ""), report.get("M", ""))
            elif kind == ord("Z") and self._done is not None and not self._done.done():
                self._done.set_result(None)

    def _lost(self) -> None:
        if self._done is not None and not self._done.done():
            self._error = FetchError("08006", "the connection was lost")
            self._done.set_result(None)

    def close(self) -> None:
        """Hang up."""
        self._upstream.close()
