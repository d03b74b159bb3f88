"""A session with a tool server that is a program: the gate runs it for one session, with an environment that is empty but for its secret."""

from __future__ import annotations

import asyncio
import os
import re
import signal
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
        self._process: asyncio.subprocess.Process | None = None
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
            self._process = await asyncio.create_subprocess_exec(
                *self._server.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment(self._server.credential),
                cwd=self._folder.name,
                start_new_session=True,
                close_fds=True,
                limit=LONGEST_ANSWER,
            )
        except OSError as error:
            log.warning("tool_server_not_started", server=self._server.name, error=str(error))
            raise Refusal("The tool server's program cannot be started.", code="resource_unavailable") from None
        self._tasks = [asyncio.create_task(self._read(self._process)), asyncio.create_task(self._live())]

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Give each line to whoever waits for it."""
        assert process.stdout is not None  # noqa: S101 -- it is a pipe, as it was asked for
        try:
            while line := await process.stdout.readline():
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

    async def ask(self, said: Said) -> AsyncIterator[Said]:
        """See `Link`."""
        queue = self._waiting[said["id"]] = asyncio.Queue(MOST_QUEUED)
        try:
            await self.tell(said)
            while True:
                async with asyncio.timeout(SILENT_FOR):
                    message = await queue.get()
                if message is None:
                    raise SessionOver
                yield message
                if "method" not in message:
                    return
        finally:
            self._waiting.pop(said["id"], None)

    async def tell(self, said: Said) -> None:
        """See `Link`."""
        process = self._process
        if process is None or process.stdin is None or process.returncode is not None:
            raise SessionOver
        try:
            async with self._turn:
                process.stdin.write(written(said) + b"\n")
                await process.stdin.drain()
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
        if process.stdin is not None:
            process.stdin.close()
        for how in (None, signal.SIGTERM):
            if how is not None:
                _signal(process.pid, how)
            with suppress(TimeoutError):
                async with asyncio.timeout(END_WITHIN):
                    await process.wait()
                    break
        _signal(process.pid, signal.SIGKILL)  # the whole group: a program may have started others
        await process.wait()
        self._over()


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
