"""The extended query protocol: Parse, Bind, Describe, Execute, Close, Flush, Sync (PostgreSQL 18, chapter 54.2.3).

A text is read and judged at Parse. The action is asked for at Bind, which fixes its parameters and lets the resource
plan it (planning may already run functions); each Bind is one action, however many Execute messages fetch its rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.action import SHARED_VERBS
from gateway.postgres.backend import with_formats
from gateway.postgres.classified import Classified
from gateway.postgres.framing import Message
from gateway.postgres.frontend import (
    Bind,
    decode,
    parameter_formats,
    read_bind,
    read_execute,
    read_parse,
    read_target,
)
from gateway.postgres.messages import FLUSH, SYNC, describe_portal, error_response, parse
from gateway.postgres.names import Portal, Prepared
from gateway.postgres.reader import Parameters
from gateway.postgres.relay import BIND, CLOSE, DESCRIBE, EXECUTE, PARSE, Reply
from gateway.postgres.relay import SYNC as SYNC_KIND
from gateway.postgres.run import Run
from gateway.refusal import Refusal

if TYPE_CHECKING:
    from gateway.postgres.session import Session

FAILING = "narrowgate refused this"
"""Cannot be parsed, so the resource itself fails it, and with it what it must abort."""
FAILING_NAME = "narrowgate refusal"
Handler = Callable[[Message], Awaitable[None]]


class Extended:
    """Handles a session's extended protocol."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names = session.names
        self._relay = session.relay
        self._skipping = False
        self.unsynced = False
        """Something was sent up since the last Sync, so an implicit transaction may be open."""

    def handlers(self) -> dict[int, Handler]:
        """Handlers by message kind."""
        return {
            ord("P"): self._guarded(self._parse),
            ord("B"): self._guarded(self._bind),
            ord("D"): self._guarded(self._describe),
            ord("E"): self._guarded(self._execute),
            ord("C"): self._guarded(self._close),
            ord("H"): self._flush,
            ord("S"): self._sync,
        }

    def skips(self, kind: int) -> bool:
        """Whether a message is dropped: after an error everything is, until Sync, here as at the resource."""
        if kind == ord("S"):
            return False
        return self._skipping or self._relay.broken

    def _guarded(self, handler: Handler) -> Handler:
        """Let a refusal fail the pipeline in its place."""

        async def handle(received: Message) -> None:
            try:
                await handler(received)
            except Refusal as refusal:
                self._refuse(refusal)

        return handle

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.sqlstate == "28000":
            self._session.stop(refusal.sqlstate, refusal.message, refusal.remedy)
            return
        words = error_response(refusal.sqlstate, refusal.message, hint=refusal.remedy)
        self._expect(Reply(PARSE, refusal=words), parse(FAILING_NAME, FAILING))
        self._skipping = True

    def _expect(self, reply: Reply, data: bytes) -> None:
        self._relay.expect(reply)
        self.unsynced = True
        self._session.send(data)

    # ---- one message each ----
    async def _parse(self, received: Message) -> None:
        asked = read_parse(received.body)
        name = decode(asked.name)
        prepared = Prepared(asked.sql, asked.types, await self._session.read(asked.sql, asked.types))
        self._names.prepare(name, prepared)
        reply = Reply(
            PARSE,
            confirm=lambda: self._names.confirm(name, prepared),
            undo=lambda: self._names.forget(name, prepared),
        )
        self._expect(reply, received.raw)

    async def _bind(self, received: Message) -> None:
        asked = read_bind(received.body)
        prepared = await self._known(asked)
        run = None
        if prepared.classified.statements:
            if not await self._goes_on(prepared.classified):
                return
            run = await self._session.admit(prepared.classified, _parameters(prepared, asked), prepared.found)
            if self._relay.broken:  # it failed while this was being recorded: the resource would skip it
                run.fail("25P02", "Not run: a message before it in the pipeline failed.")
                self._session.transactions.finished(run)
                return
        self._bound(asked, run, received.raw)
        if run is not None and any(statement.returns_rows for statement in run.statements):
            self._columns(run, prepared, asked)

    def _bound(self, asked: Bind, run: Run | None, raw: bytes) -> None:
        portal = Portal(run)
        self._names.bind(asked.portal, portal)
        self._expect(Reply(BIND, run, undo=lambda: self._names.unbind(asked.portal, portal)), raw)

    async def _goes_on(self, classified: Classified) -> bool:
        """Before people are asked, or anything is changed, wait whether what came before in the pipeline failed."""
        if self._relay.replies and not classified.verbs <= SHARED_VERBS:
            self._session.send(FLUSH)
            await self._relay.settled()
        return not self._relay.broken

    async def _known(self, asked: Bind) -> Prepared:
        """The prepared statement, read again where the catalog has changed since. Raises Refusal."""
        name = decode(asked.statement)
        prepared = self._names.statements.get(name)
        if prepared is None and name in self._names.texts:  # made by PREPARE
            text = self._names.texts[name]
            prepared = Prepared(text, (), await self._session.read(text))
            self._names.statements[name] = prepared
        if prepared is None:
            raise Refusal(f'prepared statement "{name}" does not exist', code="unknown_statement", sqlstate="26000")
        if not await self._session.is_current(prepared.classified):
            prepared.classified = await self._session.read(prepared.sql, prepared.types)
        return prepared

    def _columns(self, run: Run, prepared: Prepared, asked: Bind) -> None:
        """Tell the run its columns before its first row: from an earlier Describe, else from one of our own."""
        if prepared.fields is None:
            reply = Reply(DESCRIBE, run, hidden=True, learn=prepared.learn)
            self._expect(reply, describe_portal(asked.portal))
            return
        try:
            run.describe(with_formats(prepared.fields, asked.result_formats))
        except Refusal as refusal:
            run.fail(refusal.sqlstate, refusal.message)
            raise

    async def _describe(self, received: Message) -> None:
        target = read_target(received.body)
        if target.kind == ord("S"):
            known = self._names.statements.get(decode(target.name))
            self._expect(
                Reply(DESCRIBE, learn=known.learn, find=known.find) if known is not None else Reply(DESCRIBE),
                received.raw,
            )
        else:
            self._expect(Reply(DESCRIBE), received.raw)

    async def _execute(self, received: Message) -> None:
        asked = read_execute(received.body)
        if asked.portal not in self._names.portals:
            raise Refusal(f'portal "{decode(asked.portal)}" does not exist', code="unknown_portal", sqlstate="34000")
        run = self._names.portals[asked.portal].run
        self._expect(Reply(EXECUTE, run), received.raw)
        if run is not None and _copies_in(run):
            await self._relay.settled()

    async def _close(self, received: Message) -> None:
        target = read_target(received.body)
        if target.kind == ord("S"):
            self._names.close(decode(target.name))
        else:
            self._names.portals.pop(target.name, None)
        self._expect(Reply(CLOSE), received.raw)

    async def _flush(self, received: Message) -> None:
        if not self._relay.copying_in:
            self._session.send(received.raw)

    async def _sync(self, received: Message) -> None:
        """Wait for the answer: whether a transaction is open decides what comes next."""
        if self._relay.copying_in:  # the resource ignores it too
            return
        self._skipping = False
        self._relay.expect(Reply(SYNC_KIND))
        self._session.send(received.raw)
        await self._relay.settled()
        self.unsynced = False
        if self._session.transactions.status == b"I":
            self._names.portals.clear()

    def close_pipeline(self) -> None:
        """Ask for the end of a pipeline whose client left, so that everything in it gets an answer."""
        if self._relay.replies and self._relay.replies[-1].kind not in b"QS":
            self._relay.expect(Reply(SYNC_KIND, hidden=True))
            self._session.send(SYNC)


def _copies_in(run: Run) -> bool:
    return any(statement.verb == "sql:copy_in" for statement in run.statements)


def _parameters(prepared: Prepared, asked: Bind) -> Parameters:
    formats = parameter_formats(asked)
    types = prepared.types + (0,) * (len(asked.values) - len(prepared.types))
    return tuple(zip(types, formats, asked.values, strict=False))
