"""Push "this changed" to open pages through the channel layer, from any thread.

The in-memory layer of the one-process server is not safe across threads, so messages are handed to the
event loop that owns it. Messages carry identifiers only: each page fetches what its user may see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

log = structlog.get_logger()
_loop: asyncio.AbstractEventLoop | None = None


def set_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """Name the loop that owns the in-memory layer; None where the layer is Redis."""
    global _loop  # noqa: PLW0603 -- one process, one loop, named once at start
    _loop = loop


def announce(groups: Sequence[str], message: Mapping[str, str]) -> None:
    """Send `message` (with its `type`) to each of `groups`. Never raises: a lost push only delays a page's own poll."""
    layer = get_channel_layer()
    if layer is None or not groups:
        return
    sending = _send(layer, groups, dict(message))
    if _loop is not None and _loop.is_running():
        asyncio.run_coroutine_threadsafe(sending, _loop)
        return
    try:
        async_to_sync(_await)(sending)
    except OSError as error:
        log.warning("push_failed", groups=len(groups), error=str(error))


async def _await(sending: Awaitable[None]) -> None:
    await sending


async def _send(layer: Any, groups: Sequence[str], message: dict[str, str]) -> None:  # noqa: ANN401 -- layers are untyped
    for group in groups:
        await layer.group_send(group, message)
