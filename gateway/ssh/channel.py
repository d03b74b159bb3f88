"""A channel of an agent's connection: one command, one file transfer, or a shell. Whatever else a channel can be asked for is refused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

import asyncssh
import structlog

from gateway.holds import Left
from gateway.refusal import Refusal
from gateway.ssh import commands, reading
from gateway.ssh.dangerous import require_harmless
from gateway.ssh.parts import Part
from gateway.ssh.passing import Passing
from gateway.ssh.reading import Place, Terminal, Wish
from gateway.ssh.recording import IN, Recording
from gateway.ssh.running import Ending, Running
from gateway.ssh.shell import Shell
from gateway.ssh.transfer import Transfer

if TYPE_CHECKING:
    from gateway.ssh.session import Session

REFUSED: Final = 126
"""Exit status of what was not let through, as a shell has it for what may not be run."""
BROKEN: Final = 255
LONGEST_FOLDER: Final = 4_096
_TERM: Final = re.compile(r"[A-Za-z0-9._+-]{1,40}\Z")
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
        self._terminal: Terminal | None = None
        self._whole = False
        """Whether the client is in a whole terminal, whose bytes are passed as they are."""
        self._at_work = False
        self._no_more = False

    # ---- what asyncssh tells ----
    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The client opened a channel."""
        self._channel = chan

    def exec_requested(self, command: str) -> bool:
        """One command."""
        self._work = lambda session: self._command(session, command)
        return True

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        """A terminal on the client's side."""
        self._terminal = Terminal(term_type if _TERM.match(term_type) else "dumb", term_size)
        return True

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """The client's terminal has another size."""
        if isinstance(self._running, Running):
            self._running.resize(width, height)

    def shell_requested(self) -> bool:
        """Lines to be typed, or a whole terminal."""
        self._work = self._shell
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

    def interrupt(self) -> None:
        """Withdraw what waits for people; what runs is stopped."""
        self.cancelled.set()
        if isinstance(self._running, Running):
            self._sending = asyncio.ensure_future(self._running.stop("The agent stopped it."))

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
        if self._terminal is not None and not self._whole:
            data = data.replace(b"\n", b"\r\n")
            error = False
        if self._channel is not None and not self.left.is_set() and not self._channel.is_closing():
            (self._channel.write_stderr if error else self._channel.write)(data)

    def show(self, data: bytes) -> None:
        """Bytes for the client's terminal, as they are."""
        if self._channel is not None and not self.left.is_set() and not self._channel.is_closing():
            self._channel.write(data)

    @property
    def busy(self) -> bool:
        """Whether a command runs, or waits for people."""
        return self._at_work

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
        self.tell_refusal(refusal)
        self.exit(status)

    def tell_refusal(self, refusal: Refusal) -> None:
        """Tell why not."""
        self.tell(refusal.message)
        if refusal.remedy:
            self.tell(refusal.remedy)

    async def _shell(self, session: Session) -> None:
        """A whole terminal where policy lets it through; else lines."""
        if self._terminal is not None and await session.lets_terminal(self, self._terminal):
            await self._whole_terminal(session, self._terminal)
            return
        shell = Shell(self, session, terminal=self._terminal is not None)
        self._pass_to(shell.given, shell.no_more)
        try:
            status = await shell.run()
        finally:
            self._input = self._ended = None
        self.exit(status)

    async def _whole_terminal(self, session: Session, terminal: Terminal) -> None:
        try:
            admission = await session.admit_terminal(self, terminal)
            passing = session.passing(self, session.recording(terminal=True), admission)
            running = await session.start_terminal(passing, terminal)
        except Refusal as refusal:
            self.refused(refusal)
            return
        self._whole = True
        try:
            await self._through(running, passing.recording)
        finally:
            status, message = session.ended(running).outcome
            hung_up = bool(running.stopped)  # which is how most terminals end
            passing.end()
            session.finish(
                admission,
                passing.recording,
                "done" if hung_up else status,
                running.stopped or message,
                detected=passing.detected,
            )
        self.exit(BROKEN if running.ending.status is None else running.ending.status, running.ending.signal)

    async def carried(
        self,
        session: Session,
        text: str,
        folder: str,
        environment: dict[str, str],
        *,
        alone: bool = False,
        then: str = "",
        take: bytearray | None = None,
    ) -> Ending:
        """One command through all steps; how it ended. Raises Refusal, recorded, and Left.

        `alone`: it reads nothing of what the client sends. `then` is the gate's own addition, whose output goes into `take`.
        """
        # 2. Classify.
        try:
            parts = self.understood(text, folder)
            require_harmless(text, parts)
        except Refusal as refusal:
            raise await session.refuse(text, refusal) from None
        wish = reading.command(text, parts, folder, home=session.upstream.home)
        place = session.place(folder, environment)
        # 1. and 3. to 5.
        self._at_work = True
        try:
            return await self._run_once(session, wish, place, text + then, alone=alone, take=take)
        finally:
            self._at_work = False

    async def _run_once(
        self, session: Session, wish: Wish, place: Place, text: str, *, alone: bool, take: bytearray | None
    ) -> Ending:
        admission = await session.admit(self, wish, place)
        # 6. to 8.
        recording = session.recording()
        passing = (
            Passing(_Taking(self, take), recording)
            if take is not None
            else session.passing(self, recording, admission, wish)
        )
        try:
            running = await session.start(passing, text, place)
        except Refusal as refusal:
            session.finish(admission, recording, "failed", refusal.message)
            raise
        try:
            await self._through(running, None if alone else recording)
        finally:
            status, message = session.ended(running).outcome
            passing.end()
            session.finish(admission, recording, status, running.stopped or message, detected=passing.detected)
        return running.ending

    @staticmethod
    def understood(text: str, folder: str) -> tuple[Part, ...]:
        """What a command comes down to. Raises Refusal."""
        parts = commands.understand(text, folder=folder)
        if not parts:
            raise Refusal("The command does nothing.", code="not_understood", remedy="Give one that does.")
        return parts

    async def _through(self, running: Running, recording: Recording | None) -> None:
        """Pass output, and input where there is a recording for it, until the command ends, or the client leaves and it is stopped."""
        self._running = running
        if recording is None:
            running.send_end()
        else:

            def given(data: bytes) -> None:
                recording.add(IN, data)
                running.send(data)

            running.on_room = self._read
            self._pass_to(given, running.send_end)
        if self.cancelled.is_set():  # while the host was asked to start it
            self.interrupt()
        leaving = asyncio.create_task(self.left.wait())
        ending = asyncio.create_task(running.ended.wait())
        try:
            await asyncio.wait({leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not running.ended.is_set():
                await running.stop("The client left, so it was stopped.")
        finally:
            leaving.cancel()
            ending.cancel()
            self._running = None
            if recording is not None:
                self._input = self._ended = None

    def _read(self, *, room: bool) -> None:
        """Read from the client, or let it wait."""
        if self._channel is not None and not self.left.is_set():
            (self._channel.resume_reading if room else self._channel.pause_reading)()


class _Taking:
    """Keeps what a command says for the gate; its errors are the client's."""

    def __init__(self, channel: Channel, found: bytearray) -> None:
        self._channel, self._found = channel, found

    def output(self, data: bytes, *, error: bool) -> None:
        """Some of it."""
        if error:
            self._channel.output(data, error=True)
        else:
            self._found += data[: LONGEST_FOLDER - len(self._found)]
