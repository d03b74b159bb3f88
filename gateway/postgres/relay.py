"""The way back: a resource's messages to the client, in order, with rows masked, errors made safe, refusals put in.

For every message sent up there is a Reply that says what must come back. A refusal is asked of the resource itself,
with a text that cannot be parsed, so that it fails in the protocol's order and aborts what it must; the resource's
error is then replaced by ours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.postgres.backend import (
    Complete,
    Field,
    read_complete,
    read_parameter_status,
    read_parameter_types,
    read_report,
    read_row_description,
)
from gateway.postgres.classified import Statement
from gateway.postgres.framing import HEADER, ProtocolError, Span
from gateway.postgres.messages import error_response, notice_response
from gateway.postgres.run import Run
from gateway.postgres.safe_errors import safe_error, safe_words
from gateway.postgres.transactions import Transactions
from gateway.refusal import Refusal

QUERY, PARSE, BIND, DESCRIBE, EXECUTE, CLOSE, SYNC = b"QPBDECS"
_ROW = ord("D")
HIDE = b""
PASS = None


@dataclass(slots=True)
class Reply:
    """What must come back for one message sent up. `refusal` replaces the resource's error; `hidden` keeps it from the client."""

    kind: int
    run: Run | None = None
    hidden: bool = False
    refusal: bytes = b""
    learn: Callable[[tuple[Field, ...]], None] | None = None
    """Told the columns that a Describe found."""
    find: Callable[[tuple[int, ...]], None] | None = None
    """Told the types of parameters that it found."""
    confirm: Callable[[], None] | None = None
    """Told that the step worked."""
    undo: Callable[[], None] | None = None
    """Told that it did not, or was skipped."""


class Sink(Protocol):
    """The client, as far as the way back goes."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...


class Relay:
    """State of the way back.

    `settings` is kept as the resource reports them, `on_fatal` is called when the session cannot go on,
    `on_statement` when a statement ended well.
    """

    def __init__(
        self,
        client: Sink,
        transactions: Transactions,
        *,
        settings: dict[str, str],
        on_fatal: Callable[[], None],
        on_statement: Callable[[Statement], None],
    ) -> None:
        self._client = client
        self._on_fatal = on_fatal
        self._on_statement = on_statement
        self._settings = settings
        self.transactions = transactions
        self.replies: deque[Reply] = deque()
        self.copying_in = False
        self.broken = False
        """The pipeline failed: the resource skips what comes until Sync."""
        self._waiter: asyncio.Future[None] | None = None
        self._handlers: dict[int, Callable[[bytes, int, int], bytes | None]] = {
            ord("T"): self._row_description,
            ord("n"): self._no_data,
            ord("C"): self._complete,
            ord("I"): self._empty,
            ord("s"): self._suspended,
            ord("E"): self._error,
            ord("Z"): self._ready,
            ord("1"): self._step,
            ord("2"): self._step,
            ord("3"): self._step,
            ord("t"): self._parameters,
            ord("G"): self._copy_in,
            ord("H"): self._passing,
            ord("d"): self._copy_data,
            ord("c"): self._passing,
            ord("N"): self._notice,
            ord("S"): self._status,
            ord("A"): self._passing,
        }

    # ---- what the session calls ----
    @property
    def status(self) -> bytes:
        """I, T or E, as the resource last said."""
        return self.transactions.status

    def expect(self, reply: Reply) -> None:
        """Note what must come back for a message about to be sent up."""
        self.replies.append(reply)

    async def settled(self) -> None:
        """Wait until everything sent up is answered, or the resource waits for COPY data."""
        while self.replies and not self.copying_in:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def lost(self) -> None:
        """The resource is gone: nothing more will be answered."""
        self.transactions.lost()
        self.replies.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- what the upstream calls ----
    def feed(self, chunk: bytes, spans: list[Span]) -> None:
        """Handle whole messages; what needs no change goes on as it lies in the chunk."""
        out: list[bytes] = []
        sent = 0
        for kind, start, end in spans:
            if kind == _ROW:
                instead = self._row(chunk, start, end)
            else:
                handler = self._handlers.get(kind)
                if handler is None:
                    raise ProtocolError(f"the resource sent a message that the gate does not know ({kind})")
                instead = handler(chunk, start, end)
            if instead is not PASS:
                if start > sent:
                    out.append(chunk[sent:start])
                if instead:
                    out.append(instead)
                sent = end
        last = spans[-1][2]
        if sent < last:
            out.append(chunk[sent:last] if sent or last < len(chunk) else chunk)
        if out:
            self._client.write(out[0] if len(out) == 1 else b"".join(out))
        if self._waiter is not None and (not self.replies or self.copying_in):
            self._wake()

    def _head(self) -> Reply:
        if not self.replies:
            raise ProtocolError("the resource sent an answer that nothing asked for")
        return self.replies[0]

    def _row(self, chunk: bytes, start: int, end: int) -> bytes | None:
        run = self._head().run
        if run is None:
            raise ProtocolError("the resource sent a row that nothing asked for")
        if run.withheld or (run.limit is not None and run.rows >= run.limit):
            return _beyond(run)
        run.rows += 1
        run.size += end - start
        if run.plain:
            return PASS
        return run.row(chunk[start:end])

    def _row_description(self, chunk: bytes, start: int, end: int) -> bytes | None:
        reply = self._head()
        fields = read_row_description(chunk[start + HEADER : end])
        if reply.kind == DESCRIBE:
            self.replies.popleft()
            if reply.learn is not None:
                reply.learn(fields)
        if reply.run is not None:
            try:
                reply.run.describe(fields)
            except Refusal as refusal:
                return self._unclear(reply.run, refusal)
        return HIDE if reply.hidden else PASS

    def _parameters(self, chunk: bytes, start: int, end: int) -> bytes | None:
        reply = self._head()
        if reply.find is not None:
            reply.find(read_parameter_types(chunk[start + HEADER : end]))
        return HIDE if reply.hidden else PASS

    def _unclear(self, run: Run, refusal: Refusal) -> bytes:
        """Too late to refuse in order, because it runs: the session ends before a row of it is seen."""
        run.fail(refusal.sqlstate, refusal.message)
        run.withheld = True
        self._on_fatal()
        return error_response(refusal.sqlstate, refusal.message, severity="FATAL", hint=refusal.remedy)

    def _no_data(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        reply = self._head()
        if reply.kind == DESCRIBE:
            self.replies.popleft()
            if reply.learn is not None:
                reply.learn(())
        return HIDE if reply.hidden else PASS

    def _step(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        self._head()
        reply = self.replies.popleft()
        if reply.confirm is not None:
            reply.confirm()
        return HIDE if reply.hidden else PASS

    def _passing(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        return PASS

    def _complete(self, chunk: bytes, start: int, end: int) -> bytes | None:
        reply = self._head()
        self.copying_in = False
        if reply.run is not None:
            self._completed(reply.run, read_complete(chunk[start + HEADER : end]))
        return self._one_done(reply)

    def _completed(self, run: Run, done: Complete) -> None:
        self.transactions.completed(run, done.tag)
        if run.rows == run.rows_before:  # no row was returned, so the tag alone counts
            run.rows += done.rows
        run.rows_before = run.rows
        if run.statement < len(run.statements):
            self._on_statement(run.statements[run.statement])

    def _empty(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        return self._one_done(self._head())

    def _one_done(self, reply: Reply) -> bytes | None:
        if reply.run is not None:
            reply.run.statement += 1
        if reply.kind == EXECUTE:
            self.replies.popleft()
            if reply.run is not None:
                self.transactions.finished(reply.run)
        return PASS

    def _suspended(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        self._head()
        self.replies.popleft()
        return PASS

    def _copy_in(self, _chunk: bytes, _start: int, _end: int) -> bytes | None:
        self._head()
        self.copying_in = True
        return PASS

    def _copy_data(self, chunk: bytes, start: int, end: int) -> bytes | None:
        run = self._head().run
        if run is None or (run.limit is not None and run.rows >= run.limit):
            return HIDE if run is None else _beyond(run)
        run.rows += 1
        run.size += end - start
        return run.fitted(chunk[start:end])

    def _notice(self, chunk: bytes, start: int, end: int) -> bytes | None:
        runs = [reply.run for reply in self.replies if reply.run is not None]
        if any(run.masks.tagged for run in runs):
            return HIDE
        return runs[0].fitted(chunk[start:end]) if runs else PASS

    def _status(self, chunk: bytes, start: int, end: int) -> bytes | None:
        name, value = read_parameter_status(chunk[start + HEADER : end])
        if name.lower() in self._settings:
            self._settings[name.lower()] = value
        return PASS

    def _error(self, chunk: bytes, start: int, end: int) -> bytes | None:
        report = read_report(chunk[start + HEADER : end])
        self.copying_in = False
        if not self.replies:
            return PASS  # the resource shuts down, or ends the session
        reply = self.replies[0]
        instead = reply.run.fitted(chunk[start:end]) if reply.run is not None and not reply.refusal else PASS
        tagged = self._fail(reply, report)
        if reply.refusal:
            return reply.refusal
        return safe_error(report) if tagged else instead

    def _fail(self, reply: Reply, report: dict[str, str]) -> bool:
        """End the runs that the error ends; whether its words could quote tagged data."""
        sqlstate, words = report.get("C", "XX000"), report.get("M", "")
        tagged = False
        if reply.kind == QUERY:
            tagged = self._fail_run(reply.run, sqlstate, words)
        else:
            self.broken = True
            first = True
            while self.replies and self.replies[0].kind != SYNC:
                skipped = self.replies.popleft()
                if skipped.undo is not None:
                    skipped.undo()
                if first:
                    tagged = self._fail_run(skipped.run, sqlstate, words)
                else:
                    self._fail_run(skipped.run, "25P02", "Not run: a message before it in the pipeline failed.")
                first = False
        self.transactions.failed()
        return tagged

    def _fail_run(self, run: Run | None, sqlstate: str, words: str) -> bool:
        if run is None:
            return False
        run.fail(sqlstate, safe_words(sqlstate) if run.masks.tagged else words)
        self.transactions.finished(run)
        return run.masks.tagged

    def _ready(self, chunk: bytes, start: int, end: int) -> bytes | None:
        reply = self._head()
        if reply.kind not in (QUERY, SYNC):
            raise ProtocolError("the resource is ready before it answered everything")
        self.replies.popleft()
        self.copying_in = self.broken = False
        if reply.kind == QUERY and reply.run is not None:
            self.transactions.finished(reply.run)
        status = chunk[start + HEADER : end]
        self.transactions.ready(status)
        return HIDE if reply.hidden else PASS


def _beyond(run: Run) -> bytes:
    """Nothing of a row that policy does not let through; the client is told once."""
    if run.withheld or run.cut_off:
        return HIDE
    run.cut_off = True
    return notice_response(
        f"Policy lets {run.limit} rows through; the rest of the answer is left out.", severity="WARNING"
    )
