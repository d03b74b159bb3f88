"""One request of an agent, from its understanding to its outcome. Steps are the pipeline's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from activity.hotpath import Frame, Outcome, columns_json
from agents.detectors.scanner import Scanner
from approvals.models import Hold
from gateway.action import Caller
from gateway.holds import Left
from gateway.http.answering import Plan
from gateway.http.known import Targets
from gateway.mcp.backwards import Backwards
from gateway.mcp.beginning import discovered
from gateway.mcp.down import Down
from gateway.mcp.jsonrpc import Request, Said, notification, refused, request, result, written
from gateway.mcp.link import MODERN
from gateway.mcp.listing import Lists
from gateway.mcp.masking import Shown, apply, looked_through, unclear, without
from gateway.mcp.modern import client_of, completed, is_asking
from gateway.mcp.party import Asking
from gateway.mcp.reading import PROGRESS, Call, unread
from gateway.mcp.servers import Server
from gateway.mcp.sessions import LOST, Session, Sessions, unreached
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.visits import Visit

KEPT: Final = 4_000
"""Characters of an answer in a recording."""
ASKING: Final = ("resultType", "inputRequests", "requestState")
MOST_ROUNDS: Final = 8
"""Times that a server may ask before it answers."""
LONGEST: Final = 900.0
"""Seconds that one answer may take."""
log = structlog.get_logger()


class Exchange:
    """One request. `left` is set when the client is gone or its session is over."""

    def __init__(
        self,
        asked: Request,
        *,
        pipeline: Pipeline,
        servers: Targets[Server],
        sessions: Sessions,
        session: Session,
        visit: Visit,
        caller: Caller,
        down: Down,
        left: asyncio.Event,
        in_task: bool = False,
    ) -> None:
        self._asked, self._session, self._visit, self._caller = asked, session, visit, caller
        self._pipeline, self._servers, self._sessions = pipeline, servers, sessions
        self._down, self.left = down, left
        self.is_modern = self._modern = session.version == MODERN
        self._client = client_of(asked.params) if self._modern else None
        self._telling: set[asyncio.Task[None]] = set()
        self._told = 0
        self._in_task = in_task
        self._is_sent = False
        self._cancel: Callable[[], object] = left.set
        self.begun = asyncio.Event()
        """Set once it was decided, and not denied."""
        self.action = ""
        """The identifier of its action, once it has one."""

    async def run(self) -> Said | None:
        """The answer; None where nobody waits for it any more."""
        try:
            return await self._run()
        except Refusal as refusal:
            return refused(self._asked.id, refusal, self.action)
        except Left:
            if self._visit.ended.is_set():
                return refused(self._asked.id, self._over(), self.action)
            return None
        except Exception:
            # Whatever went wrong in one request, the database being gone included, ends that request and no other.
            log.exception("request_failed", action=self.action)
            return refused(
                self._asked.id, Refusal("Something broke at the gate, and was logged.", code="broken"), self.action
            )
        finally:
            await asyncio.gather(*self._telling, return_exceptions=True)

    async def _run(self) -> Said:
        # 2. Classify.
        try:
            if self._asked.method != "initialize":
                await self._sessions.look(self._session)
            party = Asking(
                self._asked,
                visit=self._visit,
                session=self._session,
                servers=self._servers,
                left=self.left,
                tell=self.tell,
            )
        except Refusal as refusal:
            action = unread(self._asked, self._caller, self._visit.next())
            self.action = action.id
            raise await self._pipeline.refuse(self._caller, action, refusal) from None
        self.action = party.action.id
        # 3. to 6. A client may take it back before it is decided.
        with self._cancellable(party.cancelled.set):
            begun = await self._pipeline.begin(self._caller, party.action, party)
            self.action = str(begun.action_id)
            self._cancel = party.cancelled.set
            self.begun.set()
            if isinstance(begun, Hold):
                await self._down.begin()
                begun = await self._pipeline.collect(self._caller, begun, party)
        if self._visit.ended.is_set():
            self._finish(begun, "failed", message=f"Not sent: {self._visit.because}")
            raise self._over()
        if party.cancelled.is_set():
            self._finish(begun, "failed", message="Not sent: it was cancelled.")
            raise Refusal("It was cancelled before it was sent.", code="cancelled", remedy="Ask again if it is needed.")
        # 7. and 8.
        return await self._sent(begun, party)

    def cancel(self) -> None:
        """End it, wherever it is."""
        self._cancel()

    def _over(self) -> Refusal:
        return Refusal(self._visit.because or "The session is over.", code="session_ended")

    def _cancellable(self, cancel: Any) -> Cancellable:  # noqa: ANN401 -- any callable
        return Cancellable(self._session, self._asked, cancel)

    def tell(self, words: str) -> None:
        """Say that it waits: as progress where the client wants to hear of that, which keeps it from giving up; else as a message."""
        self._told += 1
        token = self._progress()
        if token is not None:
            said = notification("notifications/progress", {PROGRESS: token, "progress": self._told, "message": words})
        else:
            params = {"level": "notice", "logger": "narrowgate", "data": words}
            said = notification("notifications/message", params)
        task = asyncio.create_task(self._down.tell(said))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _progress(self) -> object:
        meta = self._asked.params.get("_meta")
        return meta.get(PROGRESS) if isinstance(meta, dict) else None

    # ---- 6. to 8. ----
    async def _sent(self, begun: Admission[Plan], party: Asking) -> Said:
        """Send it up, its answer down, and say what came of it. Whoever ends the session, or cancels, ends this too.

        In the newest revision a client cancels by leaving.
        """
        work = asyncio.create_task(self._relayed(begun, party))
        self._cancel = work.cancel
        with self._cancellable(work.cancel):
            ending = asyncio.create_task((self.left if self._modern else self._visit.ended).wait())
            await asyncio.wait({work, ending}, timeout=LONGEST, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            if not work.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                return await work
        if self._visit.ended.is_set():
            raise self._over()
        raise Refusal("It was cancelled, or took too long.", code="cancelled", remedy="It may have happened.")

    async def _relayed(self, begun: Admission[Plan], party: Asking) -> Said:
        call = party.call
        try:
            shown = await self._answered(party, begun.obligations)
            answer = (
                completed(call.method, shown.answer) if self._modern and not is_asking(shown.answer) else shown.answer
            )
            said = result(self._asked.id, answer)
            size = len(written(said))
        except _Erred as erred:
            self._finish(begun, "failed", message="The tool server answered with an error.")
            return erred.said
        except Refusal as refusal:
            self._finish(begun, self._unanswered(call), message=refusal.message)
            raise
        except ValueError:
            self._finish(begun, self._unanswered(call), message="The answer cannot be written.")
            raise unclear("It says what JSON cannot.") from None
        except LOST as error:
            lost = unreached(error)
            self._finish(begun, self._unanswered(call), message=lost.message)
            raise lost from None
        except asyncio.CancelledError:
            because = self._visit.because or "It was cancelled before the answer came."
            self._finish(begun, self._unanswered(call), message=because)
            raise
        except Exception:
            self._finish(begun, self._unanswered(call), message="Something broke at the gate.")
            raise
        failed = shown.answer.get("isError") is True
        message = "The tool says that it failed." if failed else ""
        self._finish(begun, "failed" if failed else "done", message=message, shown=shown, size=size)
        return said

    def _unanswered(self, call: Call) -> str:
        """What becomes of a call whose answer is lost, or is none that can be passed on: what was sent, and may change something, may have run."""
        return "uncertain" if self._is_sent and not call.reads else "failed"

    async def _answered(self, party: Asking, plan: Plan) -> Shown:
        """The result, masked."""
        call, session = party.call, self._session
        if call.method == "server/discover":
            return Shown(known := discovered(session), known)
        lists = Lists(session, self._pipeline, self._caller, self._visit)
        known_list = await lists.known(call)
        if known_list is not None:
            return Shown(known_list, known_list)
        back = Backwards(
            session,
            self._pipeline,
            self._visit,
            self._caller,
            self._down,
            self.action,
            self.left,
            may_ask=not (self._modern or self._in_task),
        )
        params = dict(call.params)
        async with back:
            for _ in range(MOST_ROUNDS):
                given = await self._asked_once(call, params, back, quiet=bool(plan.recording), scanner=plan.scanner)
                if not is_asking(given):
                    return await self._shown(call, given, plan, lists)
                answers = await back.wanted(given, self._client)
                if answers is None:
                    return Shown(asking := {name: given[name] for name in ASKING if name in given}, asking)
                params = dict(call.params) | {"inputResponses": answers}
                params |= {"requestState": given["requestState"]} if "requestState" in given else {}
        raise unclear("It does not end to ask.")

    async def _asked_once(
        self, call: Call, params: Mapping[str, Any], back: Backwards, *, quiet: bool, scanner: Scanner
    ) -> Mapping[str, Any]:
        """Send it up, and give what comes back under its own number. Raises Refusal, _Erred, and what a link raises."""
        number = self._session.next()
        up = dict(params) | ({"_meta": {PROGRESS: number}} if call.progress is not None else {})
        self._is_sent = True
        async for message in self._session.link.ask(request(number, call.method, up), self._client):
            if "method" in message:
                await back.take(looked_through(message, scanner)[0], call=call, number=number, quiet=quiet)
                continue
            if message.get("id") != number:
                raise unclear("It answers another request.")
            if "error" in message:
                raise _Erred(self._error(looked_through(message, scanner)[0]["error"], quiet=quiet))
            if not isinstance(message.get("result"), dict):
                raise unclear("It has no result.")
            return {name: value for name, value in message["result"].items() if name != "_meta"}
        raise unclear("It ends without an answer.")

    async def _shown(self, call: Call, given: Mapping[str, Any], plan: Plan, lists: Lists) -> Shown:
        whole = {name: value for name, value in given.items() if name != "resultType"}
        return apply(call.method, await lists.filtered(call, whole), plan)

    def _error(self, said: object, *, quiet: bool) -> Said:
        """A server's error in the agent's answer: its number and its words, but for a tool whose answers are tagged."""
        code = said.get("code") if isinstance(said, dict) else None
        words = said.get("message") if isinstance(said, dict) else None
        told = {
            "code": code if isinstance(code, int) and not isinstance(code, bool) else -32603,
            "message": str(words)[:500] if words and not quiet else "The tool server answered with an error.",
            "data": {"action": self.action},
        }
        return {"jsonrpc": "2.0", "id": self._asked.id, "error": told}

    def _finish(
        self,
        begun: Admission[Plan],
        status: str,
        *,
        message: str = "",
        shown: Shown | None = None,
        size: int | None = None,
    ) -> None:
        """8. Record the outcome."""
        self._visit.bytes += size or 0
        self._pipeline.finish(
            Outcome(
                begun.action_id,
                self._visit.caller.texts[0],
                status,
                datetime.now(UTC),
                bytes=size,
                masked_values=shown.masked_values if shown is not None else 0,
                detected=shown.detected if shown is not None else None,
                message=message,
                frame=_frame(shown.recording, self._session.server.secrets) if shown is not None else None,
                shared=begun.shared,
            )
        )


class _Erred(Exception):
    """The server answered with an error: as the agent gets it."""

    def __init__(self, said: Said) -> None:
        super().__init__()
        self.said = said


class Cancellable:
    """A request that its client can cancel by its identifier, while a block runs."""

    def __init__(self, session: Session, asked: Request, cancel: Any) -> None:  # noqa: ANN401 -- any callable
        self._session, self._cancel = session, cancel
        self._key: object = self if session.version == MODERN else asked.id  # there many clients' identifiers meet

    def __enter__(self) -> None:
        self._session.running[self._key] = self._cancel

    def __exit__(self, *_error: object) -> None:
        self._session.running.pop(self._key, None)


def _frame(recording: Mapping[str, Any], secrets: tuple[bytes, ...]) -> Frame:
    """What is kept of an answer: a row for each part of it."""
    rows: list[list[str | None]] = []
    for name, value in recording.items():
        parts = value if name in {"content", "contents", "messages"} and isinstance(value, list) else [value]
        rows += [[name, _kept(part, secrets)] for part in parts]
    cut = any(len(row[1] or "") >= KEPT for row in rows) or len(rows) > 100
    return Frame(columns_json(("part", "value"), frozenset()), rows[:100], cut=cut)


def _kept(part: object, secrets: tuple[bytes, ...]) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str) and part.keys() <= {"type", "text", "annotations"}:
        return without(part["text"].encode("utf-8", "replace"), secrets).decode("utf-8", "replace")[:KEPT]
    return without(written({"": part}), secrets).decode("utf-8", "replace")[4:-1][:KEPT]
