"""`/http/NAME/…` at the gateway's door: an API as its agents see it. Steps are the pipeline's.

A request is there whole before it is decided: what is decided is what is sent. A long body that is no JSON is decided by its length and
goes up as it comes (`uploading.py`). The answer streams.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from approvals.models import Hold
from gateway.action import Caller
from gateway.callers import as_proved
from gateway.ending import Ending
from gateway.holds import Left
from gateway.http.answering import Plan
from gateway.http.known import Targets
from gateway.http.party import Asking
from gateway.http.reading import LONGEST_BODY, unread
from gateway.http.reading import Request as Asked
from gateway.http.relaying import Relaying
from gateway.http.targets import Target
from gateway.http.uploading import Upload, upload_of
from gateway.pipeline import Admission, Pipeline
from gateway.refusal import Refusal
from gateway.tokens_seen import TokensSeen
from gateway.visits import HTTP, Visit, Visits
from gateway.web import Problem, Receive, Reply, Request, Scope, Send, answer, problem_of

WITHIN: Final = 30.0
"""Seconds that a request has to arrive whole, or that the next piece of a long one has."""
LONGER: Final = "Send less at a time. What is no JSON may be longer, and then says its Content-Length."
LONGEST_WAIT: Final = 300
_PATH: Final = re.compile(r"/http/([a-z0-9-]{1,60})(/.*)?\Z", re.DOTALL)
_WAIT: Final = re.compile(r"wait=(\d{1,4})\Z", re.ASCII)


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
        upload = upload_of(request, WITHIN)
        body = await request.body(LONGEST_BODY, WITHIN, LONGER) if upload is None else b""
        follows = upload.size if upload is not None else 0
        asked = Asked(request.method, path, request.query, tuple(request.headers), body, follows)
        visit = await self._visits.begun_by(request, identity, protocol=HTTP)
        with visit, request.watched(visit.ended) as left:
            caller = as_proved(visit.caller, identity)
            return await self._carried(asked, upload, visit, caller, left, send, wait=wait)

    async def _carried(  # noqa: PLR0917 -- one place calls it
        self, asked: Asked, upload: Upload | None, visit: Visit, caller: Caller, left: Ending, send: Send, *, wait: int
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
        # 6. to 8.
        relaying = Relaying(admitted, party, visit, upload, self._pipeline.finish)
        if left.is_set():
            relaying.not_sent(visit.because or "the client left.")
            raise Problem(403, "session_ended", visit.because, action=admitted.action_id)
        return await relaying.run(send, left)

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


def _read_path(request: Request) -> tuple[str, str]:
    """The resource's name, and the path behind it, as it was sent."""
    found = _PATH.match(request.path)
    if found is None:
        raise Problem(404, "not_found", "There is no such address at this door.", remedy="/http/RESOURCE/…")
    if any(name == "upgrade" for name, _ in request.headers):
        words = "The gate carries no other protocol within HTTP."
        raise Problem(501, "upgrade_denied", words, field="upgrade", headers={"connection": "close"})
    request.require_one_length()
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
