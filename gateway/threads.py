"""The ORM beside the event loop: in threads of our own, each with a connection that it keeps and checks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connection, connections

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
CHECK_AFTER = 1.0
"""Seconds of rest after which a connection is checked before it is used again."""


class _Pool:
    """Threads that have to say goodbye to the database before they end."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-orm", initializer=self._count)
        self._started = 0
        self._used = threading.local()

    def _count(self) -> None:
        self._started += 1

    def work(self, task: Callable[[], T]) -> T:
        """Run `task` on a connection that works."""
        if time.monotonic() - getattr(self._used, "at", 0.0) > CHECK_AFTER and not connection.is_usable():
            connections.close_all()
        try:
            return task()
        finally:
            self._used.at = time.monotonic()

    def close(self) -> None:
        """Close every thread's connection, then end the threads."""
        all_here = threading.Barrier(max(1, self._started))
        for _ in range(self._started):
            self.executor.submit(_farewell, all_here)
        self.executor.shutdown()


def _farewell(all_here: threading.Barrier) -> None:
    connections.close_all()
    all_here.wait(10)  # so that no thread says it twice and another not at all


class _Current:
    """The pool in use: made at first need, gone when the gateway stops."""

    pool: _Pool | None = None


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, run in a thread. Holds and sign-ins only: never on the way of an allowed action."""
    pool = _Current.pool = _Current.pool or _Pool()
    return await asyncio.get_running_loop().run_in_executor(pool.executor, partial(pool.work, partial(work, *args, **kwargs)))


async def end_threads() -> None:
    """Close the threads' connections and end them; the next `in_thread` makes new ones."""
    pool, _Current.pool = _Current.pool, None
    if pool is not None:
        await asyncio.to_thread(pool.close)
