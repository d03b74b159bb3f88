"""A shell in lines: each complete line is a command, decided and recorded alone. Directory and environment are the gate's to keep.

`cd` and `export` of a variable that no program runs anything by change them; whatever else a line sets ends with it. A whole terminal, where
policy allows one, is one action: nobody reads what is typed in it before it happens, and all of it is recorded.
"""

from __future__ import annotations

import asyncio
import re
import shlex
from typing import TYPE_CHECKING, Final

from gateway.refusal import Refusal
from gateway.ssh.lines import Key, Typed, Typing
from gateway.ssh.parts import Part
from gateway.ssh.variables import PLAIN_VARIABLES

if TYPE_CHECKING:
    from gateway.ssh.channel import Channel
    from gateway.ssh.session import Session

MOST_AHEAD: Final = 256
"""Lines that may have been typed before they are run."""
_EXPORT: Final = re.compile(r"\s*export\s+([A-Z_]+)=(\S*)\s*\Z")
_EXIT: Final = re.compile(r"\s*(?:exit|logout)(?:\s+(\d{1,3}))?\s*\Z")


class Shell:
    """The lines of one channel."""

    def __init__(self, channel: Channel, session: Session, *, terminal: bool) -> None:
        self._channel, self._session, self._terminal = channel, session, terminal
        self._typing = Typing(terminal=terminal)
        self._typed: asyncio.Queue[Typed] = asyncio.Queue()
        self._folder = session.upstream.home
        self._environment: dict[str, str] = {}
        self._status = 0

    def given(self, data: bytes) -> None:
        """Bytes of the client's: lines for later, or a wish to stop what runs."""
        lines, echo = self._typing.feed(data)
        if echo:
            self._channel.show(echo)
        for line in lines:
            if line is Key.INTERRUPT and self._channel.busy:
                self._channel.interrupt()
            elif self._typed.qsize() < MOST_AHEAD:
                self._typed.put_nowait(line)

    def no_more(self) -> None:
        """The client sends nothing more: what it has sent is still run."""
        rest = self._typing.rest()
        if rest:
            self._typed.put_nowait(rest)
        self._typed.put_nowait(Key.END)

    async def run(self) -> int:
        """Take lines until the end; the status of the last. Raises Left."""
        while True:
            self._prompt()
            line = await self._line()
            if line is Key.END or self._channel.left.is_set():
                return self._status
            leaving = _EXIT.match(line) if isinstance(line, str) else None
            if leaving:
                return int(leaving[1] or self._status) & 0xFF
            if line is Key.TOO_LONG:
                self._channel.tell("The line is too long.")
            elif isinstance(line, str) and line.strip():
                await self._one(line)

    def _prompt(self) -> None:
        if self._terminal:
            home = self._session.upstream.home
            short = "~" + self._folder.removeprefix(home) if self._folder.startswith(home) else self._folder
            self._channel.show(f"{self._session.caller.resource}:{short}$ ".encode())

    async def _line(self) -> Typed:
        getting = asyncio.ensure_future(self._typed.get())
        leaving = asyncio.ensure_future(self._channel.left.wait())
        try:
            await asyncio.wait({getting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return getting.result() if getting.done() else Key.END
        finally:
            getting.cancel()
            leaving.cancel()

    async def _one(self, line: str) -> None:
        """One line. What was refused is told, and the next may be typed."""
        try:
            parts = self._channel.understood(line, self._folder)
            if moves(line, parts):
                await self._move(line)
                return
            ending = await self._channel.carried(self._session, line, self._folder, self._environment, alone=True)
        except Refusal as refusal:
            self._channel.tell_refusal(refusal)
            self._status = 126
            return
        self._status = 128 if ending.status is None else ending.status
        exported = _EXPORT.match(line)
        if exported and self._status == 0 and exported[1] in PLAIN_VARIABLES:
            self._environment[exported[1]] = "".join(shlex.split(exported[2]))

    async def _move(self, line: str) -> None:
        """`cd`: where it leads is asked of the host in the same breath, and kept."""
        found = bytearray()
        ending = await self._channel.carried(
            self._session, line, self._folder, self._environment, alone=True, then=" && pwd -P", take=found
        )
        self._status = 128 if ending.status is None else ending.status
        target = found.decode("utf-8", "replace").rstrip("\n")
        if self._status == 0 and target.startswith("/") and target.isprintable():
            self._folder = target


def moves(line: str, parts: tuple[Part, ...]) -> bool:
    """Whether a line is a `cd` and nothing else."""
    if len(parts) != 1 or parts[0].program != "cd" or not parts[0].fixed:
        return False
    try:
        return shlex.join(shlex.split(line)) == parts[0].text
    except ValueError:
        return False
