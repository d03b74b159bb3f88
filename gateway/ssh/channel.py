"""A channel of an agent's connection: one command, one file transfer, or a shell. Whatever else a channel can be asked for is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import asyncssh
import structlog

from gateway.holds import Left
from gateway.refusal import Refusal
from gateway.ssh import commands, reading
from gateway.ssh.parts import Part
from gateway.ssh.recording import IN
from gateway.ssh.running import Ending, Running
from gateway.ssh.transfer import Transfer

if TYPE_CHECKING:
    from gateway.ssh.session import Session

REFUSED: Final = 126
"""Exit status of what was not let through, as a shell has it for what may not be run."""
BROKEN: Final = 255
SIGNALS: Final = frozenset({"HUP", "INT", "QUIT", "TERM", "KILL", "USR1", "USR2"})
log = structlog.get_logger()
Opened = Callable[[], Awaitable["Session | Refusal"]]


class Channel(asyncssh.SSHServerSession[bytes]):
    """See `gateway.ssh.asking.Outlet` and `gateway.ssh.running.Receiver`. `opened` gives the session once the host has let the gate in."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.left = asyncio.Event()
        self.cancelled = asyncio.Event()
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._work: Callable[[Session], Awaitable[None]] | None = None
        self._task: asyncio.Task[None] | None = None
        self._running: Running | Transfer | None = None
        self._sending: asyncio.Future[None] | None = None
        self._input: Callable[[bytes], None] | None = None
        self._ended: Callable[[], None] | None = None
        self._early: list[bytes] = []
        self._no_more = False

    # ---- what asyncssh tells ----
    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client opened a channel."""
        self._channel = chan

    def exec_requested(self, command: str) -> bool:
        """One command."""
        self._work = lambda session: self._command(session, command)
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        """A file transfer, and no other subsystem."""
        self._work = self._transfer if subsystem == "sftp" else None
        return self._work is not None

    def session_started(self) -> None:
        """What was asked for may begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Input; what comes before somebody reads it waits."""
        if self._input is not None:
            self._input(data)
        else:
            self._early.append(data)
            self._read(room=False)

    def eof_received(self) -> bool:
        """No more input; output may still come."""
        self._no_more = True
        if self._ended is not None:
            self._ended()
        return True

    def signal_received(self, signal: str) -> None:
        """Withdraw what waits for people; what runs gets the signal."""
        self.cancelled.set()
        if self._running is not None and signal in SIGNALS:
            self._sending = asyncio.ensure_future(self._running.signal(signal))

    def pause_writing(self) -> None:
        """The client does not read: neither does the gate."""
        if self._running is not None:
            self._running.hold_back(full=True)

    def resume_writing(self) -> None:
        """It does again."""
        if self._running is not None:
            self._running.hold_back(full=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is over."""
        self.leave()

    # ---- what the gate tells ----
    def tell(self, words: str) -> None:
        """A line on the client's standard error."""
        self.output(f"narrowgate: {words}\n".encode(), error=True)

    def output(self, data: bytes, *, error: bool) -> None:
        """Something that the client gets."""
        if self._channel is not None and not self.left.is_set() and not self._channel.is_closing():
            (self._channel.write_stderr if error else self._channel.write)(data)

    def leave(self) -> None:
        """The client is gone, or is taken to be."""
        self.left.set()

    async def finished(self) -> None:
        """Wait until whatever ran in it has been recorded."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    # ---- one piece of work ----
    async def _run(self) -> None:
        session = await self._opened()
        if isinstance(session, Refusal):
            self.refused(session, status=BROKEN)
            return
        if not session.opened(self):
            self.tell("This connection takes no more channels.")
            self.exit(BROKEN)
            return
        try:
            if self._work is not None:
                await self._work(session)
        except Left:
            self.exit(BROKEN)
        except Exception:
            # Whatever went wrong in one channel ends that channel and no other.
            log.exception("channel_failed", session=str(session.caller.session_id))
            self.tell("Something broke at the gate, and was logged.")
            self.exit(BROKEN)
        finally:
            session.closed(self)

    def exit(self, status: int, signal: str = "") -> None:
        """End the channel with a status, or a signal."""
        if self._channel is None or self.left.is_set() or self._channel.is_closing():
            return
        if signal:
            self._channel.exit_with_signal(signal)
        else:
            self._channel.exit(status)

    async def _command(self, session: Session, text: str) -> None:
        """A command, from its text to its end."""
        try:
            ending = await self.carried(session, text, session.upstream.home, {})
        except Refusal as refusal:
            self.refused(refusal)
            return
        self.exit(BROKEN if ending.status is None else ending.status, ending.signal)

    async def _transfer(self, session: Session) -> None:
        """A file transfer, from its first packet to its last."""
        transfer = Transfer(session, self, lambda data: self.output(data, error=False), self._read)
        try:
            await session.start_transfer(transfer)
        except Refusal as refusal:
            self.refused(refusal)
            return
        self._running = transfer
        self._pass_to(transfer.given, transfer.no_more)
        try:
            await transfer.run()
        finally:
            self._running = self._input = self._ended = None
        self.exit(0)

    def _pass_to(self, given: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        """From now on what the client sends goes there, what came before first."""
        self._input, self._ended = given, ended
        while self._early:
            given(self._early.pop(0))
        self._read(room=True)
        if self._no_more:
            ended()

    def refused(self, refusal: Refusal, *, status: int = REFUSED) -> None:
        """Tell why not, and end."""
        self.tell(refusal.message)
        if refusal.remedy:
            self.tell(refusal.remedy)
        self.exit(status)

    async def carried(self, session: Session, text: str, folder: str, environment: dict[str, str]) -> Ending:
        """One command through all steps; how it ended. Raises Refusal, recorded, and Left."""
        # 2. Classify.
        try:
            parts = _understood(text, folder)
        except Refusal as refusal:
            raise await session.refuse(text, refusal) from None
        wish = reading.command(text, parts, folder, home=session.upstream.home)
        place = session.place(folder, environment)
        # 1. and 3. to 5.
        admission = await session.admit(self, wish, place)
        # 6. to 8.
        recording = session.recording()
        try:
            running = await session.start(self, recording, text, place)
        except Refusal as refusal:
            session.finish(admission, recording, "failed", refusal.message)
            raise
        try:
            await self._through(running, lambda data: recording.add(IN, data))
        finally:
            status, message = session.ended(running).outcome
            session.finish(admission, recording, status, running.stopped or message)
        return running.ending

    async def _through(self, running: Running, noted: Callable[[bytes], None]) -> None:
        """Pass input and output until the command ends, or the client leaves and it is stopped."""
        self._running = running

        def given(data: bytes) -> None:
            noted(data)
            running.send(data)

        running.on_room = self._read
        self._pass_to(given, running.send_end)
        leaving = asyncio.create_task(self.left.wait())
        ending = asyncio.create_task(running.ended.wait())
        try:
            await asyncio.wait({leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not running.ended.is_set():
                await running.stop("The client left, so it was stopped.")
        finally:
            leaving.cancel()
            ending.cancel()
            self._running = self._input = self._ended = None

    def _read(self, *, room: bool) -> None:
        """Read from the client, or let it wait."""
        if self._channel is not None and not self.left.is_set():
            (self._channel.resume_reading if room else self._channel.pause_reading)()


def _understood(text: str, folder: str) -> tuple[Part, ...]:
    parts = commands.understand(text, folder=folder)
    if not parts:
        raise Refusal("The command does nothing.", code="not_understood", remedy="Give one that does.")
    return parts
