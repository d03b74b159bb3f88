"""A file transfer: SFTP between an agent and a host, of which each file that is opened, listed, changed or looked at is an action.

Requests are taken one after the other; those about an open file pass at once, those that name a path once it was decided. Where a path leads is
asked of the host first, and what was decided is what is sent: a link, or dots, in an agent's path lead nowhere else. Numbers of requests are
the gate's own towards the host.
"""

from __future__ import annotations

import asyncio
import posixpath
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncssh

from agents.detectors.forms import Form
from agents.detectors.masker import masked
from gateway.pipeline import Admission
from gateway.refusal import Refusal
from gateway.ssh import file_wishes, sftp_wire
from gateway.ssh.asking import Outlet, Plain
from gateway.ssh.file_wishes import OF_HANDLES, OF_PATHS, Named
from gateway.ssh.recording import IN, OUT, Recording
from gateway.ssh.running import Room
from gateway.ssh.sftp_wire import Kind, Malformed, Packet
from policies.verbs import SSH_READ, SSH_WRITE

if TYPE_CHECKING:
    from gateway.ssh.session import Session

MOST_OPEN: Final = 256
MOST_WAITING: Final = 128
"""Requests that wait; beyond it the client does."""
NEEDS_VERB: Final = frozenset({Kind.READ, Kind.READDIR, Kind.WRITE, Kind.FSETSTAT})
_PLAIN_EXTENSIONS: Final = frozenset({b"fsync@openssh.com", b"limits@openssh.com"})


@dataclass
class _Access:
    """An admitted access to a file, and what passed. `handle` is the host's name of it while it is open."""

    admission: Admission[Plain]
    recording: Recording
    verbs: frozenset[str]
    opens: bool
    handle: bytes = b""
    detected: Counter[str] = field(default_factory=Counter)


@dataclass
class _Asked:
    """A request on its way: the client's number for it, and whose it is."""

    number: int
    kind: int
    access: _Access | None = None


class _Elsewhere(Exception):
    """A path that leads nowhere; the host's answer says why."""

    def __init__(self, answer: Packet) -> None:
        super().__init__()
        self.answer = answer


class Transfer(asyncssh.SSHClientSession[bytes]):
    """SFTP at the host, and the client's side of it."""

    def __init__(self, session: Session, outlet: Outlet, send: Callable[[bytes], None], read: Room) -> None:
        self._session, self._outlet, self._send, self._read = session, outlet, send, read
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._from_host, self._from_client = bytearray(), bytearray()
        self._packets: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._asked: dict[int, _Asked | asyncio.Future[Packet]] = {}
        self._open: dict[bytes, _Access] = {}
        self._number = 0
        self._greeted = False
        self._room = asyncio.Event()
        self._room.set()
        self.ended = asyncio.Event()

    # ---- what asyncssh tells of the host ----
    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """The host has opened a channel."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Answers; what a host says beside them is of no use here."""
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            return
        self._from_host += data
        try:
            for packet in sftp_wire.read_packets(self._from_host):
                self._answered(packet)
        except Malformed:
            self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes."""
        self.ended.set()

    def pause_writing(self) -> None:
        """The host takes no more for now."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._room.set()

    def hold_back(self, *, full: bool) -> None:
        """Let the host wait while the client does not read."""
        if self._channel is not None and not self.ended.is_set():
            (self._channel.pause_reading if full else self._channel.resume_reading)()

    async def signal(self, name: str) -> None:
        """A transfer takes no signals."""

    # ---- the client's side ----
    def given(self, data: bytes) -> None:
        """Bytes of the client's."""
        self._from_client += data
        try:
            for packet in sftp_wire.read_packets(self._from_client):
                self._packets.put_nowait(packet)
            if self._packets.qsize() > MOST_WAITING:
                self._read(room=False)
        except Malformed:
            self.no_more()

    def no_more(self) -> None:
        """The client sends nothing more."""
        self._packets.put_nowait(None)

    async def run(self) -> None:
        """Take requests until the client or the host has ended. Raises Left."""
        try:
            while (data := await self._next()) is not None:
                await self._take(data)
                await self._room.wait()
                if not self._packets.qsize():
                    self._read(room=True)
        except Malformed:
            pass
        finally:
            self._close()

    async def _next(self) -> bytes | None:
        waiting = [
            asyncio.ensure_future(one) for one in (self._packets.get(), self.ended.wait(), self._outlet.left.wait())
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            got = waiting[0]
            return got.result() if got.done() and isinstance(got.result(), bytes) else None  # type: ignore[return-value]  # it was asked
        finally:
            for one in waiting:
                one.cancel()

    async def _take(self, data: bytes) -> None:
        if not self._greeted:
            if data[0] != Kind.INIT:
                raise Malformed("the first packet is another one")
            self._greeted = True
            self._send(sftp_wire.version())
            return
        packet = sftp_wire.read_packet(data)
        try:
            await self._request(packet)
        except Refusal as refusal:
            words = f"{refusal.message} {refusal.remedy}".rstrip()
            self._send(sftp_wire.status(packet.number, sftp_wire.PERMISSION_DENIED, words))
        except _Elsewhere as nowhere:
            self._send(nowhere.answer.encoded(packet.number))

    async def _request(self, packet: Packet) -> None:
        if packet.kind in OF_HANDLES:
            self._about_open(packet)
        elif packet.kind == Kind.REALPATH:
            self._forward(packet, packet.body)
        elif packet.kind == Kind.EXTENDED and not sftp_wire.paths_of(packet):
            (name,), _ = sftp_wire.strings(packet.body, 1)
            if name in _PLAIN_EXTENSIONS:
                self._forward(packet, packet.body)
            else:
                self._send(sftp_wire.status(packet.number, sftp_wire.UNSUPPORTED, "The gate does not carry that."))
        elif packet.kind in OF_PATHS:
            await self._about_paths(packet)
        else:
            self._send(sftp_wire.status(packet.number, sftp_wire.UNSUPPORTED, "The gate does not carry that."))

    def _about_open(self, packet: Packet) -> None:
        access = self._open.get(file_wishes.handle_of(packet))
        if access is None:
            self._send(sftp_wire.status(packet.number, sftp_wire.FAILURE, "There is no such open file."))
            return
        needed = SSH_WRITE if packet.kind in {Kind.WRITE, Kind.FSETSTAT} else SSH_READ
        if (
            packet.kind in NEEDS_VERB and needed not in access.verbs
        ):  # a host may change attributes of a file that is open for reading
            words = "The file is not open for that."
            self._send(sftp_wire.status(packet.number, sftp_wire.PERMISSION_DENIED, words))
            return
        if packet.kind == Kind.WRITE:
            access.recording.add(IN, file_wishes.data_in(packet))
        self._forward(packet, packet.body, access)

    async def _about_paths(self, packet: Packet) -> None:
        if len(self._open) >= MOST_OPEN:
            raise Refusal(f"More than {MOST_OPEN} files are open.", code="too_long", remedy="Close some.")
        # 2. Classify: what the paths lead to.
        paths = [await self._resolved(named) for named in file_wishes.named_in(packet)]
        wish = file_wishes.wish_of(packet, paths)
        # 1. and 3. to 5.
        admission = await self._session.admit(self._outlet, wish, self._session.place(self._session.upstream.home, {}))
        # 6. What was decided is what is sent.
        access = _Access(admission, self._session.recording(), wish.verbs, packet.kind in {Kind.OPEN, Kind.OPENDIR})
        self._forward(packet, file_wishes.forwarded(packet, paths), access)

    async def _resolved(self, named: Named) -> str:
        """Where a path leads, as the host knows it. Raises _Elsewhere where it leads nowhere."""
        if named.follows:
            return await self._real(named.path)
        above, base = posixpath.split(named.path.rstrip("/") or "/")
        if base in {"", ".", ".."}:
            return await self._real(named.path)
        return posixpath.join(await self._real(above or "."), base)

    async def _real(self, path: str) -> str:
        answer = await self._ask(Kind.REALPATH, file_wishes.realpath(path))
        found = sftp_wire.first_name(answer)
        if found is None or not found.startswith("/") or ".." in found.split("/"):
            raise _Elsewhere(answer if answer.kind == Kind.STATUS else _failure())
        return found

    # ---- towards the host ----
    def begin(self) -> None:
        """Greet the host."""
        self._write(sftp_wire.hello())

    def _write(self, data: bytes) -> None:
        if self._channel is not None and not self.ended.is_set() and not self._channel.is_closing():
            self._channel.write(data)

    def _forward(self, packet: Packet, body: bytes, access: _Access | None = None) -> None:
        number = self._next_number()
        self._asked[number] = _Asked(packet.number, packet.kind, access)
        self._write(Packet(packet.kind, number, body).encoded())

    async def _ask(self, kind: int, body: bytes) -> Packet:
        """A question of the gate's own."""
        number = self._next_number()
        answer: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._write(Packet(kind, number, body).encoded())
        ended = asyncio.ensure_future(self.ended.wait())
        waiting: set[asyncio.Future[Any]] = {answer, ended}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not answer.done():
            raise Malformed("the host has hung up")
        return answer.result()

    def _next_number(self) -> int:
        self._number = (self._number + 1) & 0xFFFFFFFF
        return self._number

    def _answered(self, data: bytes) -> None:
        if data[0] == Kind.VERSION:
            return
        packet = sftp_wire.read_packet(data)
        asked = self._asked.pop(packet.number, None)
        if isinstance(asked, asyncio.Future):
            if not asked.done():
                asked.set_result(packet)
        elif asked is not None:
            if asked.access is not None:
                self._note(asked, asked.access, packet)
                packet = self._without_found(asked.access, packet)
            self._send(packet.encoded(asked.number))

    def _without_found(self, access: _Access, answer: Packet) -> Packet:
        """7. What a file gives, without what detectors find in this piece of it; every byte keeps its place."""
        scanner = self._session.detecting.without(access.admission.decision.unmask)
        if answer.kind != Kind.DATA or not scanner.may_hold(answer.body):
            return answer
        data, found = masked(file_wishes.data_in(answer), scanner, Form.FIT)
        access.detected += found
        return Packet(answer.kind, answer.number, sftp_wire.string(data))

    def _note(self, asked: _Asked, access: _Access, answer: Packet) -> None:
        """8. What an answer says of an access."""
        code = file_wishes.status_of(answer) if answer.kind == Kind.STATUS else sftp_wire.OK
        if answer.kind == Kind.DATA:
            access.recording.add(OUT, masked(file_wishes.data_in(answer), self._session.detecting.scanner, Form.FIT)[0])
        elif asked.kind in {Kind.OPEN, Kind.OPENDIR} and answer.kind == Kind.HANDLE:
            access.handle = file_wishes.handle_of(answer)
            self._open[access.handle] = access
        elif asked.kind == Kind.CLOSE or not access.opens or asked.kind in {Kind.OPEN, Kind.OPENDIR}:
            self._open.pop(access.handle, None)
            self._finish(access, "" if code == sftp_wire.OK else _words(answer))

    def _finish(self, access: _Access, problem: str) -> None:
        status = "failed" if problem else "done"
        self._session.finish(access.admission, access.recording, status, problem, detected=access.detected)

    def _close(self) -> None:
        """The transfer is over: whatever is open ends so, and what was asked and not answered is not known."""
        unanswered = {
            id(one.access): one.access for one in self._asked.values() if isinstance(one, _Asked) and one.access
        }
        for access in {**{id(one): one for one in self._open.values()}, **unanswered}.values():
            if access.handle:
                self._finish(access, "The transfer ended before the file was closed.")
            else:
                self._session.finish(
                    access.admission, access.recording, "uncertain", "The transfer ended before the host answered."
                )
        self._open.clear()
        self._asked.clear()
        if self._channel is not None:
            self._channel.close()


def _failure() -> Packet:
    return sftp_wire.read_packet(sftp_wire.status(0, sftp_wire.FAILURE, "The path leads nowhere.")[4:])


def _words(answer: Packet) -> str:
    """Why a host did not do it, in its own words."""
    try:
        (words,), _ = sftp_wire.strings(answer.body[4:], 1)
    except Malformed:
        return "The host did not do it."
    return f"The host did not do it: {words.decode('utf-8', 'replace')[:200]}"
