"""The ORM beside the event loop: in threads of our own, whose connections are closed after each piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 4
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway-orm")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises, run in a thread. Holds and sign-ins only: never on the way of an allowed action."""
    return await asyncio.get_running_loop().run_in_executor(_pool, partial(_hygienic, partial(work, *args, **kwargs)))


def _hygienic(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connections.close_all()
