"""A session with a tool server that is a program: the gate runs it for one session, with an environment that is empty but for its secret."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

import structlog

from gateway.mcp.jsonrpc import Said, notification, parsed, request, written
from gateway.mcp.link import ABOUT, HANDSHAKE, LONGEST_ANSWER, SessionOver, Welcome, welcome_of
from gateway.mcp.servers import Server
from gateway.refusal import Refusal

BEGIN_WITHIN: Final = 15.0
"""Seconds that a program may take to begin."""
END_WITHIN: Final = 2.0
"""Seconds that it may take to end, before it is killed."""
LONGEST_LIFE: Final = 3_600.0
SILENT_FOR: Final = 300.0
MOST_QUEUED: Final = 1_000
"""Messages of one program that nobody has taken yet."""
BEGINS: Final = "narrowgate-begins"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_LOADERS: Final = re.compile(
    r"(?:LD_|DYLD_|PYTHON|NODE_|PERL5?|RUBY|BASH_|GIT_)|(?:PATH|IFS|ENV|HOME|SHELL)\Z", re.IGNORECASE
)
log = structlog.get_logger()
Queue = asyncio.Queue[Said | None]


class Program:
    """See `gateway.mcp.link.Link`. The program speaks in lines (stdio transport); what it says on its standard error is dropped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._process: subprocess.Popen[bytes] | None = None
        self._pipes: list[asyncio.BaseTransport] = []
        self._input: asyncio.StreamWriter | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._waiting: dict[object, Queue] = {}
        self._own: Queue = asyncio.Queue(MOST_QUEUED)
        self._tasks: list[asyncio.Task[None]] = []
        self._turn = asyncio.Lock()

    async def begin(self, capabilities: Mapping[str, Any]) -> Welcome:
        """Start the program, and begin."""
        await self._start()
        about = {"protocolVersion": HANDSHAKE[0], "capabilities": dict(capabilities), "clientInfo": dict(ABOUT)}
        try:
            async with asyncio.timeout(BEGIN_WITHIN):
                result = await self._first(request(BEGINS, "initialize", about))
        except TimeoutError:
            raise Refusal("The tool server did not begin in time.", code="resource_timeout") from None
        if result.get("protocolVersion") not in HANDSHAKE:
            raise Refusal("The tool server speaks no revision that the gate speaks.", code="resource_unavailable")
        await self.tell(notification("notifications/initialized", {}))
        return welcome_of(result, str(result["protocolVersion"]))

    async def _first(self, said: Said) -> Mapping[str, Any]:
        async for message in self.ask(said):
            if message.get("id") == BEGINS and isinstance(message.get("result"), dict):
                found: Mapping[str, Any] = message["result"]
                return found
        raise Refusal("The tool server does not begin a session.", code="resource_unavailable")

    async def _start(self) -> None:
        """Run it in a folder of its own that is empty, in a session of its own, with no descriptor but its three."""
        self._folder = tempfile.TemporaryDirectory(prefix="narrowgate-tool-")
        try:
            process = self._process = await asyncio.to_thread(self._run, self._folder.name)
        except OSError as error:
            log.warning("tool_server_not_started", server=self._server.name, error=str(error))
            raise Refusal("The tool server's program cannot be started.", code="resource_unavailable") from None
        reader = asyncio.StreamReader(LONGEST_ANSWER)
        await self._connect(process, reader)
        self._tasks = [asyncio.create_task(self._read(reader)), asyncio.create_task(self._live())]

    def _run(self, folder: str) -> subprocess.Popen[bytes]:
        """Not by the event loop: what it starts processes with leaves descriptors of ours open in them."""
        return subprocess.Popen(
            self._server.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(self._server.credential),
            cwd=folder,
            start_new_session=True,
            close_fds=True,
        )

    async def _connect(self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        protocol = asyncio.StreamReaderProtocol(reader)
        output, _ = await loop.connect_read_pipe(lambda: protocol, process.stdout)
        writing = asyncio.StreamReaderProtocol(asyncio.StreamReader())
        written_to, _ = await loop.connect_write_pipe(lambda: writing, process.stdin)
        self._input = asyncio.StreamWriter(written_to, writing, None, loop)
        self._pipes = [output, written_to]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Give each line to whoever waits for it."""
        try:
            while line := await reader.readline():
                said = _line(line)
                if said is not None:
                    self._deliver(said)
        except ValueError:  # a line that is too long
            log.warning("tool_server_talks_too_much", server=self._server.name)
        finally:
            self._over()

    def _deliver(self, said: Said) -> None:
        """An answer to its request; what a program says while it works to the newest request that waits, else to whoever listens."""
        if "method" not in said:
            queue = self._waiting.get(said.get("id"))
        else:
            token = said.get("params", {}).get("progressToken") if isinstance(said.get("params"), dict) else None
            queue = self._waiting.get(token) or next(reversed(self._waiting.values()), self._own)
        if queue is not None:
            with suppress(asyncio.QueueFull):
                queue.put_nowait(said)

    def _over(self) -> None:
        for queue in (*self._waiting.values(), self._own):
            with suppress(asyncio.QueueFull):
                queue.put_nowait(None)

    async def _live(self) -> None:
        """No program lives longer than its session may."""
        await asyncio.sleep(LONGEST_LIFE)
        await self._end()

    async def ask(self, said: Said, client: Mapping[str, Any] | None = None) -> AsyncIterator[Said]:
        """See `Link`."""
        queue = self._waiting[said["id"]] = asyncio.Queue(MOST_QUEUED)
        try:
            await self.tell(said)
            while True:
                async with asyncio.timeout(SILENT_FOR):
                    message = await queue.get()
                if message is None:
                    raise ConnectionResetError("the program ended before its answer")
                yield message
                if "method" not in message:
                    return
        finally:
            self._waiting.pop(said["id"], None)

    async def tell(self, said: Said) -> None:
        """See `Link`."""
        if self._input is None or self._process is None or self._process.poll() is not None:
            raise SessionOver
        try:
            async with self._turn:
                self._input.write(written(said) + b"\n")
                await self._input.drain()
        except (ConnectionError, RuntimeError):
            raise SessionOver from None

    async def listen(self) -> AsyncIterator[Said]:
        """See `Link`."""
        while (message := await self._own.get()) is not None:
            yield message

    async def close(self) -> None:
        """Close its input, as the transport asks; end it, and what it has started, where it does not end."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _end(self) -> None:
        process = self._process
        if process is None:
            return
        if self._input is not None:
            self._input.close()
        if not await asyncio.to_thread(_ended, process, END_WITHIN):
            _signal(process.pid, signal.SIGTERM)
            await asyncio.to_thread(_ended, process, END_WITHIN)
        _signal(process.pid, signal.SIGKILL)  # the whole group: a program may have started others
        await asyncio.to_thread(process.wait)
        for pipe in self._pipes:
            pipe.close()
        self._over()


def _ended(process: subprocess.Popen[bytes], within: float) -> bool:
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        return False
    return True


def _signal(process: int, number: signal.Signals) -> None:
    """To the program's group, which is its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, number)


def environment(credential: tuple[str, str] | None) -> dict[str, str]:
    """The environment of a program: its secret, by the name that its login has in the vault, and nothing else. Raises Refusal."""
    if credential is None:
        return {}
    name, value = credential
    if not _VARIABLE.match(name) or _LOADERS.match(name) or "\0" in value:
        raise Refusal(
            "The login in the vault is not named as a variable that a program may be given.",
            code="no_login",
            remedy="A platform engineer stores it under the variable's name, as in API_KEY.",
        )
    return {name: value}


def _line(line: bytes) -> Said | None:
    """The message in a line; None for what is none, which the transport does not allow and nobody waits for."""
    try:
        said = parsed(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None
