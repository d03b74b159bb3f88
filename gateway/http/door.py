"""`/http/NAME/…` at the gateway's door: an API as its agents see it. Steps are the pipeline's.

A request is there whole before it is decided: what is decided is what is sent. The answer streams.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from activity.hotpath import Outcome
from approvals.models import Hold
from gateway.action import Caller
from gateway.callers import as_proved
from gateway.ending import Ending
from gateway.holds import Left
from gateway.http.answering import Passing, Plan
from gateway.http.connection import Sending, head
from gateway.http.known import Targets
from gateway.http.lost import Elsewhere, Late, Lost, Unreached
from gateway.http.party import Asking
from gateway.http.pool import Answer
from gateway.http.reaching import LONGEST, SILENT_FOR
from gateway.http.reading import LONGEST_BODY, Call, unread
from gateway.http.reading import Request as Asked
from gateway.http.targets import Target
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.tokens_seen import TokensSeen
from gateway.visits import HTTP, Visit, Visits
from gateway.web import Problem, Receive, Reply, Request, Scope, Send, answer, problem_of

WITHIN: Final = 30.0
"""Seconds that a request has to arrive whole."""
LONGEST_WAIT: Final = 300
_PATH: Final = re.compile(r"/http/([a-z0-9-]{1,60})(/.*)?\Z", re.DOTALL)
_WAIT: Final = re.compile(r"wait=(\d{1,4})\Z", re.ASCII)
_USUAL: Final = {"accept", "content-type"}
log = structlog.get_logger()


class HttpDoor:
    """Answers what comes to `/http/`."""

    def __init__(self, pipeline: Pipeline, visits: Visits, targets: Targets[Target], seen: TokensSeen) -> None:
        self._pipeline, self._visits, self._targets, self._seen = pipeline, visits, targets, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            reply = await self._answer(request, send)
        except Problem as problem:
            reply = problem.reply
        except Refusal as refusal:
            reply = problem_of(refusal).reply
        if reply is not None:
            await reply.send(send)

    async def _answer(self, request: Request, send: Send) -> Reply | None:
        """The answer, where it was not sent already."""
        name, path = _read_path(request)
        wait = _wait(request)
        # 1. Identify.
        identity = await self._seen.identify(request)
        if identity.resource != name:
            because = f"The token is for {identity.resource}."
            await request.refused(identity.agent, name, "wrong_resource", because)
            raise Problem(403, "wrong_resource", because, remedy=f"Ask for one for {name}.")
        body = await request.body(LONGEST_BODY, WITHIN)
        asked = Asked(request.method, path, request.query, tuple(request.headers), body)
        visit = await self._visits.begun_by(request, identity, protocol=HTTP)
        with visit, request.watched(visit.ended) as left:
            return await self._carried(asked, visit, as_proved(visit.caller, identity), left, send, wait=wait)

    async def _carried(
        self, asked: Asked, visit: Visit, caller: Caller, left: Ending, send: Send, *, wait: int
    ) -> Reply | None:
        # 2. Classify.
        waited = asyncio.Event()
        try:
            target = await self._targets.of(visit)
            party = Asking(asked, visit, self._targets, target, waited)
        except Refusal as refusal:
            action = unread(asked, visit.caller, visit.next())
            raise problem_of(await self._pipeline.refuse(visit.caller, action, refusal), action.id) from None
        # 3. to 6.
        try:
            begun = await self._pipeline.begin(caller, party.action, party)
            admitted = await self._collected(begun, caller, party, left, wait) if isinstance(begun, Hold) else begun
        except Refusal as refusal:
            raise problem_of(refusal, party.action.id) from None
        if isinstance(admitted, Reply):
            return admitted
        if left.is_set():
            self._finish(admitted, visit, "failed", message=f"Not sent: {visit.because or 'the client left.'}")
            raise Problem(403, "session_ended", visit.because, action=admitted.action_id)
        # 7. and 8.
        return await self._sent(admitted, party, visit, left, send)

    async def _collected(
        self, hold: Hold, caller: Caller, party: Asking, left: Ending, wait: int
    ) -> Admission[Plan] | Reply:
        """What people said, if they say it in time; else where the agent can ask for it."""
        if hold.status != Hold.Status.APPROVED and not wait:
            return _held(hold)
        timer = asyncio.get_running_loop().call_later(max(wait, 1), party.left.set)
        try:
            with left.calls(party.left.set):
                return await self._pipeline.collect(caller, hold, party)
        except Left:
            return _held(hold)
        finally:
            timer.cancel()

    # ---- 6. to 8. ----
    async def _sent(
        self, begun: Admission[Plan], party: Asking, visit: Visit, left: Ending, send: Send
    ) -> Reply | None:
        """6. Send it up and the answer down, for LONGEST seconds, or until the client leaves or the session ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST) as limit:

                def cut() -> None:
                    if not limit.expired():
                        limit.reschedule(0)

                with left.calls(cut):
                    return await self._relayed(begun, party, visit, send)
        return None

    async def _relayed(self, begun: Admission[Plan], party: Asking, visit: Visit, send: Send) -> Reply | None:
        """Send the request up and the answer down, and say what came of it.

        What has begun and cannot be finished is left as it is: the server cuts a connection whose answer is not whole.
        """
        target, call = party.target, party.call
        passing: Passing | None = None
        started = False
        try:
            sending = _sending(target, call, begun.obligations)
            with await target.pool.ask(sending, silent_for=SILENT_FOR) as upstream:
                passing = _passing(upstream, begun, target, visit)
                headers = passing.head()
                if passing.whole:
                    body = b"".join([part async for part in passing.body()])
                    headers.append((b"content-length", str(len(body)).encode()))
                    started = True
                    await _start(send, passing.given.status, headers)
                    await send({"type": "http.response.body", "body": body})
                else:
                    started = True
                    await _start(send, passing.given.status, headers)
                    async for part in passing.body():
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                    await send({"type": "http.response.body", "body": b""})
        except Refusal as refusal:  # of the answer: the request was sent
            self._end(begun, visit, passing, _unanswered(call), refusal.message)
            return None if started else Problem(502, refusal.code, refusal.message, action=begun.action_id).reply
        except Lost as error:
            status, problem = _lost(error, call)
            self._end(begun, visit, passing, status, problem.message)
            return None if started else problem_of(problem, begun.action_id).reply
        except asyncio.CancelledError:
            status = "done" if passing is not None else "uncertain"
            self._end(begun, visit, passing, status, visit.because or "The client left before the answer ended.")
            raise
        except Exception:
            self._end(begun, visit, passing, _unanswered(call), "Something broke at the gate.")
            raise
        self._end(begun, visit, passing, *_came(passing))
        return None

    def _end(self, begun: Admission[Plan], visit: Visit, passing: Passing | None, status: str, message: str) -> None:
        self._finish(begun, visit, status, message=message, passing=passing)

    def _finish(
        self, begun: Admission[Plan], visit: Visit, status: str, *, message: str = "", passing: Passing | None = None
    ) -> None:
        """8. Record the outcome."""
        given = passing.given if passing is not None else None
        visit.bytes += given.size if given else 0
        self._pipeline.finish(
            Outcome(
                begun.action_id,
                visit.caller.texts[0],
                status,
                datetime.now(UTC),
                bytes=given.size if given else None,
                masked_values=given.masked_values + given.detected.total() if given else 0,
                message=message,
                frame=given.frame() if given else None,
                shared=begun.shared,
                detected=given.detected if given else None,
            )
        )


def _unanswered(call: Call) -> str:
    """What becomes of a request whose answer cannot be passed on: what may change something may have."""
    return "failed" if call.operation.reads else "uncertain"


def _read_path(request: Request) -> tuple[str, str]:
    """The resource's name, and the path behind it, as it was sent."""
    found = _PATH.match(request.path)
    if found is None:
        raise Problem(404, "not_found", "There is no such address at this door.", remedy="/http/RESOURCE/…")
    names = [name for name, _ in request.headers]
    if "upgrade" in names:
        raise Problem(501, "upgrade_denied", "The gate carries no other protocol within HTTP.", field="upgrade")
    if "transfer-encoding" in names and "content-length" in names:
        raise Problem(400, "invalid_request", "The request says its length in two ways.", field="content-length")
    return found[1], found[2] or "/"


def _wait(request: Request) -> int:
    """How many seconds the client waits for people, by its header Prefer (RFC 7240)."""
    given = [part.strip().lower() for part in request.header("prefer").split(",")]
    found = next((match for part in given if (match := _WAIT.match(part))), None)
    return min(int(found[1]), LONGEST_WAIT) if found else 0


def _held(hold: Hold) -> Reply:
    """202: people are asked, and the same request again collects what they say."""
    address = f"/v1/actions/{hold.action_id}"
    said = {
        "id": str(hold.action_id),
        "status": "held",
        "hold": {"id": str(hold.id), "requirement": hold.requirement, "deadline": hold.deadline.isoformat()},
        "detail": "It waits for people. Send the same request again to collect the answer; the address in Location says how it stands.",
    }
    return answer(said, 202, {"location": address, "retry-after": "5"})


def _sending(target: Target, call: Call, plan: Plan) -> Sending:
    """What goes up: what the gate says itself, then what the agent may say. Where detectors act, no part of an answer is asked for."""
    own = [("Host", target.way.authority), ("User-Agent", "narrowgate"), ("Accept-Encoding", "identity")]
    if call.body or not call.operation.reads:
        own.append(("Content-Length", str(len(call.body))))
    credential = target.credential
    left_out = {"range"} if plan.scanner else set()
    left_out |= {credential[0].lower()} if credential is not None else set()
    given = [pair for pair in call.headers if pair[0] not in left_out]
    own += [credential] if credential is not None else []
    return Sending(call.operation.method, head(call.operation.method, call.target, (*own, *given)) + call.body)


def _passing(upstream: Answer, begun: Admission[Plan], target: Target, visit: Visit) -> Passing:
    scheme = "https" if target.way.tls else "http"
    base, here = f"{scheme}://{target.way.authority}{target.base}", f"/http/{visit.caller.resource}"
    return Passing(upstream, begun.obligations, target.secrets, base, here)


async def _start(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"x-content-type-options", b"nosniff")],
        }
    )


def _came(passing: Passing) -> tuple[str, str]:
    """What came of it: an API's error is a failure, in its own number."""
    status = passing.given.status
    return ("failed", f"The API answered {status}.") if status >= 400 else ("done", "")


def _lost(error: Lost, call: Call) -> tuple[str, Refusal]:
    """What became of a request whose answer was lost: one that changes something may have run."""
    log.info("api_lost", error=f"{type(error).__name__}: {error}")
    if isinstance(error, Elsewhere):
        return "failed", Refusal("The API is at an address that no resource has.", code="address_refused")
    if isinstance(error, Unreached):
        return "failed", Refusal(
            "The API cannot be reached.", code="resource_unavailable", remedy="Try again in a moment."
        )
    status = _unanswered(call)
    if isinstance(error, Late):
        return status, Refusal(
            "The API did not answer in time.", code="resource_timeout", remedy="It may have happened."
        )
    return status, Refusal("The API broke off.", code="resource_unavailable", remedy="It may have happened.")
