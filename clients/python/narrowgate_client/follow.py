"""What is told of an action, each time it changes: server-sent events, taken up where they broke."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx

from narrowgate_client.errors import Unavailable
from narrowgate_client.gate import Gate, lost, parts, told_by
from narrowgate_client.steps import Sent, refused

OVER = 204
"""The answer to one who has heard everything."""
PAUSE = 2.0
"""Seconds before coming back."""
BREAKS = 5
"""In a row, without a word in between: then the gate is called unavailable."""


def changes(gate: Gate, action: str) -> Iterator[Mapping[str, Any]]:
    """The action as it is, and again at each change, until it is over. Releases what was approved, as `ask` does.

    A stream that breaks, or ends with its token, is taken up where it was. Raises Denied and Unavailable.
    """
    heard = _Heard()
    while True:
        try:
            sent = gate.run(gate.asker.stream(action, heard.last))
            with (
                httpx.Client(**gate.options()) as client,
                client.stream(sent.method, sent.path, **parts(sent)) as answer,
            ):
                if answer.status_code == OVER:
                    return
                _require_stream(answer, answer.read() if answer.status_code != httpx.codes.OK else b"")
                for line in answer.iter_lines():
                    if (told := heard.line(line)) is not None:
                        yield told
        except (httpx.HTTPError, Unavailable) as error:
            heard.broke(error)
            time.sleep(PAUSE)


async def changes_async(gate: Gate, action: str) -> AsyncIterator[Mapping[str, Any]]:
    """As `changes`, on an event loop."""
    heard = _Heard()
    while True:
        try:
            sent: Sent = await gate.run_async(gate.asker.stream(action, heard.last))
            async with (
                httpx.AsyncClient(**gate.options()) as client,
                client.stream(sent.method, sent.path, **parts(sent)) as answer,
            ):
                if answer.status_code == OVER:
                    return
                _require_stream(answer, await answer.aread() if answer.status_code != httpx.codes.OK else b"")
                async for line in answer.aiter_lines():
                    if (told := heard.line(line)) is not None:
                        yield told
        except (httpx.HTTPError, Unavailable) as error:
            heard.broke(error)
            await asyncio.sleep(PAUSE)


class _Heard:
    """What was heard so far: the last event's identifier, and how often in a row the stream broke."""

    def __init__(self) -> None:
        self.last = ""
        self._named = ""
        self._breaks = 0

    def line(self, line: str) -> Mapping[str, Any] | None:
        """What the event says that ends with this line, if one does."""
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._named = value
        if name != "data":
            return None
        said = json.loads(value)
        if not isinstance(said, dict):
            raise Unavailable("What answers is no gateway.")
        self.last, self._breaks = self._named, 0
        return said

    def broke(self, error: Exception) -> None:
        """Count a break. Raises Unavailable where there were too many."""
        self._breaks += 1
        if self._breaks >= BREAKS:
            raise lost(error) if isinstance(error, httpx.HTTPError) else error


def _require_stream(answer: httpx.Response, _body: bytes) -> None:
    if answer.status_code != httpx.codes.OK:
        raise refused(told_by(answer))
