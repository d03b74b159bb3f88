"""Steps 6 to 8 for a command: it is started at the host once, its output passes through, and what came of it is recorded."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import asyncssh
import structlog

from gateway.ssh.passing import Passing

LINGER: Final = 2.0
"""Seconds that a command gets to end after it was told to, before it is killed; and then once more."""
STOPS: Final = ("TERM", "KILL")
LONGEST_GREETING: Final = 4_096
"""Bytes that a host may say on standard error before a command begins."""
Kill = Callable[[int, str], Awaitable[None]]
log = structlog.get_logger()


@dataclass(frozen=True)
class Ending:
    """How a command ended: with a status, by a signal, or nobody knows."""

    status: int | None = None
    signal: str = ""

    @property
    def outcome(self) -> tuple[str, str]:
        """The action's status, and the words for it."""
        if self.signal:
            return "failed", f"It ended by the signal {self.signal}."
        if self.status is None:
            return "uncertain", "The host hung up before it said how the command ended."
        return ("done", "") if self.status == 0 else ("failed", f"It ended with exit status {self.status}.")


class Room(Protocol):
    """Who reads the input."""

    def __call__(self, *, room: bool) -> None:
        """Whether there is room for more."""
        ...


def _nobody(*, room: bool) -> None:
    pass


class Running(asyncssh.SSHClientSession[bytes]):
    """A command at the host."""

    def __init__(self, passing: Passing, kill: Kill, *, marked: bool = True) -> None:
        """`kill` sends a signal to all that a process started: a host's own way to pass signals on is not there for every login."""
        self._passing, self._kill = passing, kill
        self.mark = secrets.token_hex(16) if marked else ""
        """What the host says before its process's number, once, on standard error. A terminal has none: it hangs up."""
        self._process = 0
        self._greeting: bytes | None = b"" if marked else None
        self._numbered = asyncio.Event()
        """Set once the process's number is known, or will not be."""
        if not marked:
            self._numbered.set()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._status: int | None = None
        self._signal = ""
        self.late = False
        """Whether it was admitted after its credential ended: people had been asked before."""
        self.stopped = ""
        """Why it was told to stop; empty while it was not."""
        self.ended = asyncio.Event()
        self.on_room: Room = _nobody
        """Told when the host takes no more input, and when it does again."""

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The host has opened a channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Output."""
        error = datatype == asyncssh.EXTENDED_DATA_STDERR
        if error and self._greeting is not None:
            data = self._without_number(self._greeting + data)
        if data:
            self._pass(data, error=error)

    def _without_number(self, data: bytes) -> bytes:
        """What was said on standard error, without the process's number; nothing while that is still to come."""
        found = re.search(rb"narrowgate:%s:(\d{1,10})\n" % self.mark.encode(), data)
        if found is None and len(data) <= LONGEST_GREETING:
            self._greeting = data
            return b""
        self._greeting = None
        self._process = int(found[1]) if found is not None else 0
        self._numbered.set()
        if found is None:
            return data
        return data[: found.start()] + data[found.end() :]

    def _pass(self, data: bytes, *, error: bool) -> None:
        self._passing.give(data, error=error)

    def exit_status_received(self, status: int) -> None:
        """It ended by itself."""
        self._status = status

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """It was ended."""
        self._signal = signal[:20]

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        if self._greeting:
            self._pass(self._greeting, error=True)
        self._passing.end()
        self._numbered.set()
        self.ended.set()

    def pause_writing(self) -> None:
        """The host takes no more for now."""
        self.on_room(room=False)

    def resume_writing(self) -> None:
        """It does again."""
        self.on_room(room=True)

    @property
    def ending(self) -> Ending:
        """How it ended, once it has."""
        return Ending(self._status, self._signal)

    def hold_back(self, *, full: bool) -> None:
        """Let the host wait while the agent does not read."""
        if self._channel is not None and not self.ended.is_set():
            (self._channel.pause_reading if full else self._channel.resume_reading)()

    def send(self, data: bytes) -> None:
        """Input; what comes after the end is dropped."""
        if self._channel is not None and not self.ended.is_set() and not self._channel.is_closing():
            self._channel.write(data)

    def send_end(self) -> None:
        """The end of the input."""
        if self._channel is not None and not self.ended.is_set() and not self._channel.is_closing():
            self._channel.write_eof()

    async def signal(self, name: str) -> None:
        """Send a signal to all that the command started."""
        if self._process and not self.ended.is_set():
            await self._kill(self._process, name)

    def resize(self, width: int, height: int) -> None:
        """Tell the host the size of the agent's terminal."""
        if self._channel is not None and not self.ended.is_set():
            self._channel.change_terminal_size(width, height)

    async def stop(self, because: str, *, at_once: bool = False) -> None:
        """Have it end: told (unless `at_once`), then killed, then left alone. Returns once its end is known, or will not be."""
        self.stopped = self.stopped or because
        self.hold_back(full=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER):
                await self._numbered.wait()
        for name in STOPS[at_once:] if self._process else ():
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self.signal(name)
                    await self.ended.wait()
            if self.ended.is_set():
                return
        if not self.ended.is_set() and self._channel is not None:
            self._channel.abort()
            log.info("command_left_alone")
