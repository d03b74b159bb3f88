"""The ORM beside the event loop: in threads of our own, each with a connection that it keeps, checks, and closes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from django.db import connection, connections

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
CHECK_AFTER = 1.0
"""Seconds of rest after which a connection is checked before it is used again."""


class Pool:
    """Threads that say goodbye to the database before they end, which an executor's threads cannot."""

    def __init__(self, name: str, size: int) -> None:
        self._tasks: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(size)]
        for thread in self._threads:
            thread.start()

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns or raises, run by the next free thread."""
        result: Future[T] = Future()
        self._tasks.put((result, partial(work, *args, **kwargs)))
        return await asyncio.wrap_future(result)

    async def close(self) -> None:
        """Finish what was asked for, close every connection, end the threads."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        used = 0.0
        while (order := self._tasks.get()) is not None:
            result, task = order
            if not result.set_running_or_notify_cancel():
                continue
            if time.monotonic() - used > CHECK_AFTER or connection.errors_occurred:
                _check()
            _run(result, task)
            used = time.monotonic()
        connections.close_all()


def _check() -> None:
    """Close the connection if it does not work; the next statement opens another."""
    if connection.connection is None:
        return
    if connection.is_usable():
        connection.errors_occurred = False
    else:
        connections.close_all()


def _run(result: Future[T], task: Callable[[], T]) -> None:
    try:
        value = task()
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it belongs to whoever asked
        result.set_exception(error)
    else:
        result.set_result(value)


class _Current:
    """The pool in use: made at first need, gone when the gateway stops."""

    pool: Pool | None = None


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, run in a thread. Holds and sign-ins only: never on the way of an allowed action."""
    pool = _Current.pool = _Current.pool or Pool("gateway-orm", THREADS)
    return await pool.run(work, *args, **kwargs)


async def end_threads() -> None:
    """Close the threads' connections and end them; the next `in_thread` makes new ones."""
    pool, _Current.pool = _Current.pool, None
    if pool is not None:
        await pool.close()
