"""One client's session: each message is decided, recorded and only then sent to the session's own upstream connection.

The client's messages are handled one after the other; answers flow back on their own (`relay.py`). `extended.py`
handles the messages of the extended query protocol.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from gateway.holds import Left
from gateway.pipeline import Admission, Pipeline
from gateway.postgres import proving, renewing
from gateway.postgres.asking import Asking
from gateway.postgres.catalog import Catalog
from gateway.postgres.classified import Classified, Statement
from gateway.postgres.client import Client
from gateway.postgres.extended import FAILING, Extended
from gateway.postgres.framing import Message, ProtocolError
from gateway.postgres.frontend import read_text
from gateway.postgres.login import Entrance
from gateway.postgres.messages import FLUSH, error_response, message, query, ready_for_query
from gateway.postgres.names import Names
from gateway.postgres.reader import Parameters, Reader, pinned, unclassified
from gateway.postgres.relay import QUERY, Relay, Reply
from gateway.postgres.resources import Keeper
from gateway.postgres.run import Masks, Run
from gateway.postgres.transactions import IDLE, Transactions, outcome_of
from gateway.postgres.upstream import Upstream, cancel
from gateway.refusal import Refusal

CUT_OFF_AFTER = 0.3
"""Seconds that a client whose credential was revoked gets to read why."""
LINGER = 5.0
"""Seconds that a statement gets to end after its client left and it was cancelled."""
AGAIN = 0.25
"""Seconds until an expired session that waits for people is looked at again."""
UNKNOWN_NAME_PAUSE = 1.0
"""Seconds within which a name that nobody knows is not looked up again."""
COPY_KINDS = b"dcf"
log = structlog.get_logger()


class Session:
    """Handles a client that has signed in."""

    def __init__(
        self, client: Client, upstream: Upstream, entrance: Entrance, keeper: Keeper, pipeline: Pipeline
    ) -> None:
        self.caller = entrance.caller
        self.client = client
        self.names = Names()
        self.ended_because = "The client left."
        self.cancelled = asyncio.Event()
        self._target = entrance.target
        self._upstream = upstream
        self.keeper = keeper
        self._pipeline = pipeline
        self._tasks: set[asyncio.Task[None]] = set()
        self._fatal = False
        self._killed = False
        self._clock: asyncio.TimerHandle | None = None
        self._admitting = False
        self._late = False
        """What runs was admitted after its credential ended: people had been asked before."""
        self._challenge: proving.Challenge | None = None
        self._closing = False
        self._unanswered = False
        self.transactions = Transactions(self._report)
        settings = pinned(upstream.parameters)
        self.relay = Relay(
            client, self.transactions, settings=settings, on_fatal=self._on_fatal, on_statement=self._on_statement
        )
        self.reader = Reader(entrance.caller, entrance.target, self.names, settings)
        self.extended = Extended(self)
        upstream.on_messages = self.relay.feed
        upstream.on_lost = self._upstream_lost
        client.on_full = upstream.hold_back
        client.on_gone = self._client_gone
        self._handlers = {
            ord("Q"): self._query,
            ord("F"): self._function_call,
            ord("d"): self._copy,
            ord("c"): self._copy,
            ord("f"): self._copy,
            **self.extended.handlers(),
        }

    # ---- the loop ----
    async def run(self) -> None:
        """Handle messages until the client leaves, is stopped, or the resource goes away."""
        self._end_in_time()
        try:
            await self._loop()
        except ProtocolError as error:
            self.stop(error.sqlstate, error.message)
        except Left:
            pass
        finally:
            await self._finish()

    async def _loop(self) -> None:
        while not self._fatal and not self._upstream.gone.is_set():
            received = await self.client.next()
            if received is None or received.kind == ord("X"):
                return
            handler = self._handlers.get(received.kind)
            if handler is None:
                raise ProtocolError(f"the gate does not take messages of kind {chr(received.kind)!r}")
            if self._unanswered:  # what comes next is judged by what the resource has said of the last
                self._unanswered = False
                if self.relay.replies:
                    await self.relay.settled()
            if self.extended.skips(received.kind):
                continue
            await handler(received)

    async def _finish(self) -> None:
        """Let what runs end, or be cancelled, so that its outcome is known; then hang up on both sides."""
        self._closing = True
        if self._clock is not None:
            self._clock.cancel()
        if self.relay.replies and not self._upstream.gone.is_set():
            await self._stop_running()
        self.leave()
        self.client.close()
        self.relay.lost()

    def leave(self) -> None:
        """End the connection to the resource in order; a second time does nothing."""
        self._closing = True
        self._upstream.close()

    async def _stop_running(self) -> None:
        if self.relay.copying_in:
            self.send(message(b"f", b"the client left\x00"))
            self.relay.copying_in = False
        self.extended.close_pipeline()
        await cancel(self._target, self._upstream.key)
        try:
            async with asyncio.timeout(LINGER):
                await self.relay.settled()
        except TimeoutError:
            log.warning("statement_would_not_end", session=str(self.caller.session_id))

    def stop(self, sqlstate: str, words: str, hint: str = "") -> None:
        """End the session now, telling the client why."""
        if self._closing or self._fatal:
            return
        self._fatal = True
        self.ended_because = words
        self.client.write(error_response(sqlstate, words, severity="FATAL", hint=hint))
        self.client.close()

    def kill(self, words: str) -> None:
        """Stop for revocation: the client is cut off even if it does not read, and what runs is cancelled. Once is enough."""
        if self._killed:
            return
        self._killed = True
        self.stop("57P01", words)
        self._cancel_running()
        asyncio.get_running_loop().call_later(CUT_OFF_AFTER, self.client.abort)

    def _end_in_time(self) -> None:
        """Cut the session off once its credential has ended without renewal; what people are asked about waits on."""
        left = self.caller.expires - time.time()
        if left <= 0 and not self._admitting and not (self._late and self.relay.replies):
            self.kill("The credential of this session has expired.")
        if not self._closing and not self._fatal:
            self._clock = asyncio.get_running_loop().call_later(max(left, AGAIN), self._end_in_time)

    def interrupt(self) -> None:
        """CancelRequest: withdraw what waits for people, cancel what runs."""
        self.cancelled.set()
        self._cancel_running()

    def _cancel_running(self) -> None:
        if self.relay.replies and not self._upstream.gone.is_set():
            task = asyncio.ensure_future(cancel(self._target, self._upstream.key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _client_gone(self) -> None:
        self._upstream.hold_back(full=False)
        self._cancel_running()

    def _on_fatal(self) -> None:
        """The way back has told the client why; the words are out once this turn of the loop ends."""
        self._fatal = True
        self.ended_because = "The answer held what policy does not allow."
        self._cancel_running()
        asyncio.get_running_loop().call_soon(self.client.close)

    def _upstream_lost(self) -> None:
        self.relay.lost()
        if not self._closing and not self._fatal:
            self.stop("08006", "The resource closed the connection.")

    def send(self, data: bytes) -> None:
        """Send bytes up."""
        self._upstream.write(data)

    async def drained(self) -> None:
        """Wait while the resource cannot take more."""
        await self._upstream.drain()

    # ---- the pipeline ----
    async def classify(self, sql: str, types: tuple[int, ...] = ()) -> Classified:
        """Step 2. A name that nobody knows is looked up once more in a fresh catalog. Raises Refusal."""
        catalog = await self.keeper.catalog()
        try:
            return await self._understood(sql, catalog, types)
        except Refusal as refusal:
            if not unclassified(refusal):
                raise
        fresh = await self.keeper.reloaded(since=time.monotonic() - UNKNOWN_NAME_PAUSE)
        return await self._understood(sql, fresh, types)

    async def _understood(self, sql: str, catalog: Catalog, types: tuple[int, ...]) -> Classified:
        classified = await self.reader.classify(sql, catalog, types)
        gone = {column.rpartition(".")[0] for column in catalog.missing_tags}
        if classified.tables & gone:
            raise Refusal(
                f"A tagged column of {min(classified.tables & gone)} is gone or renamed, so what is to be masked is not known.",
                code="tag_missing",
                remedy="A platform engineer confirms the tags of that table again.",
            )
        if not types:
            self.keeper.remember(classified)
        return classified

    async def is_current(self, classified: Classified) -> bool:
        """Whether a text was read by the catalog of now."""
        return classified.catalog is await self.keeper.catalog()

    async def read(self, sql: str, types: tuple[int, ...] = ()) -> Classified:
        """As `classify`; what cannot be understood is recorded as denied. Raises Refusal."""
        try:
            known = self.keeper.recalled(sql) if not types else None
            return known or await self.classify(sql, types)
        except Refusal as refusal:
            raise await self._pipeline.refuse(self.caller, self.reader.unread(sql), refusal) from None

    async def admit(self, classified: Classified, parameters: Parameters = (), types: Sequence[int] = ()) -> Run:
        """Steps 1 and 3 to 6: the run to send up. Raises Refusal, and Left."""
        self.cancelled.clear()
        asking = Asking(self, classified, parameters, types)
        self._admitting = True
        try:
            admission = await self._pipeline.admit(self.caller, asking.action, asking)
        except Refusal as refusal:
            if refusal.code != "proof_needed":
                raise
            self._challenge = proving.Challenge.to(self.caller)
            raise proving.asked(refusal, self.caller, self._challenge) from None
        finally:
            self._admitting = False
        self._late = time.time() >= self.caller.expires
        run = self._run_of(admission, asking.classified)
        if self._fatal or self.client.gone.is_set():
            run.fail("57014", "Not run: the client left before it was sent.")
            self.transactions.finished(run)
            raise Left
        return run

    def _run_of(self, admission: Admission[Masks], classified: Classified) -> Run:
        run = Run(
            admission.action_id,
            admission.obligations,
            admission.shared,
            time.monotonic(),
            admission.decision.limit,
            classified.statements,
            frozenset() if admission.shared else classified.tables,
        )
        self.transactions.begun(run)
        return run

    @property
    def in_transaction(self) -> bool:
        """Whether waiting now would keep a transaction open."""
        return self.transactions.status != IDLE or self.extended.unsynced

    async def so_far(self) -> tuple[int, int]:
        """Rows and bytes that came back so far; what is on its way is waited for."""
        if self.relay.replies:
            self.send(FLUSH)
            await self.relay.settled()
        return self.transactions.returned()

    def locks(self) -> tuple[str, ...]:
        """Tables that this session's open transaction has written to."""
        return self.transactions.written() if self.in_transaction else ()

    def _report(self, run: Run, status: str, *, first: bool) -> None:
        self._pipeline.finish(outcome_of(run, status, first=first, session_id=self.caller.texts[0]))

    def _on_statement(self, statement: Statement) -> None:
        """A statement ended well at the resource: take what it changed in this session."""
        self.names.apply(statement)
        if statement.is_ddl or statement.verb in ("sql:ddl", "sql:grant", "sql:call"):
            self.keeper.mark_stale()

    # ---- the simple protocol ----
    async def _query(self, received: Message) -> None:
        try:
            sql = read_text(received.body)
            if await self._set(sql):
                return
            classified = await self.read(sql)
            run = await self.admit(classified) if classified.statements else None
        except Refusal as refusal:
            await self.refuse_query(refusal)
            return
        self.relay.expect(Reply(QUERY, run))
        self.send(received.raw)
        self._unanswered = True

    async def _set(self, sql: str) -> bool:
        """Take a text that is for the gate alone, neither recorded nor sent up; whether it was one. Raises Refusal."""
        token, proof = renewing.token_in(sql), proving.proof_in(sql)
        if token is None and proof is None:
            return False
        idle = not self.relay.replies and not self.extended.unsynced
        try:
            if token is not None:
                self.caller = await renewing.renewed(self.caller, token, self.client.certificate(), idle=idle)
            elif proof is not None:
                challenge, self._challenge = self._challenge, None  # good for one answer, right or wrong
                self.caller = await proving.proved(self.caller, proof, challenge, idle=idle)
        except Refusal as refusal:
            shown = renewing.SHOWN if token is not None else proving.SHOWN
            raise await self._pipeline.refuse(self.caller, self.reader.unread(shown), refusal) from None
        self.reader.caller = self.caller
        self.client.write(message(b"C", b"SET\x00") + ready_for_query(self.transactions.status))
        return True

    async def refuse_query(self, refusal: Refusal) -> None:
        """Let the resource fail a text in place of the one refused; ours are the words the client gets."""
        words = error_response(refusal.sqlstate, refusal.message, hint=refusal.remedy)
        if refusal.sqlstate == "28000":
            self.stop(refusal.sqlstate, refusal.message, refusal.remedy)
            return
        self.relay.expect(Reply(QUERY, refusal=words))
        self.send(query(FAILING))
        self._unanswered = True

    async def _function_call(self, _received: Message) -> None:
        refusal = Refusal("The gate takes no fast-path function calls.", code="function_call", sqlstate="0A000")
        unread = self.reader.unread("")
        unread.shown = "(a fast-path function call)"
        await self.refuse_query(await self._pipeline.refuse(self.caller, unread, refusal))

    # ---- COPY ----
    async def _copy(self, received: Message) -> None:
        """COPY data goes up as it comes; what comes after the COPY failed is dropped, as the resource would."""
        if not self.relay.copying_in:
            return
        self.send(received.raw)
        await self.drained()
        if received.kind != ord("d"):
            self.relay.copying_in = False
            self._unanswered = bool(self.relay.replies) and self.relay.replies[0].kind == QUERY
