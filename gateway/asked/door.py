"""`/v1/actions` at the gateway's door: an agent asks before it does something itself, waits for people, and reports.

The gate is not in the way of what happens then: such actions say `enforced: false` wherever they are told of.

    POST /v1/actions                 ask; the header Idempotency-Key makes a repetition the same action
    GET  /v1/actions/ID?wait=SECONDS what became of it; an approved one is released to whoever asks
    GET  /v1/actions/ID              the same as it changes, where text/event-stream is accepted
    POST /v1/actions/ID/outcome      what came of it
    POST /v1/actions/ID/withdraw     take it back while it waits
    POST /v1/actions/ID/resubmit     ask again what people denied, and say why
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast
from urllib.parse import parse_qs
from uuid import UUID

from activity import asking
from activity.asking import Report
from activity.models import Action
from agents.access import Identity
from agents.actors import agent_actor
from approvals import actions as approvals
from approvals import resubmit_actions
from approvals.models import Hold
from core.errors import AlreadySettled, Invalid, NarrowgateError
from gateway.action import Caller
from gateway.asked import following, reading
from gateway.asked.following import Followers, Following
from gateway.asked.party import Asker
from gateway.asked.reports import canonical_of, described, hold_of, own_action
from gateway.callers import as_proved
from gateway.holds import Holds, Left
from gateway.pipeline import Pipeline
from gateway.refusal import Refusal
from gateway.threads import in_thread
from gateway.visits import ASK, Visit, Visits
from gateway.web import Problem, Receive, Reply, Request, Scope, Send, answer, problem_of
from ledger.entries import Actor

WITHIN: Final = 10.0
"""Seconds that a request has to arrive whole."""
LONGEST_WAIT: Final = 60
"""Seconds that an answer is waited for in one request."""
AGAIN: Final = "5"
"""Seconds after which a client that does not wait may look again."""
_PATH: Final = re.compile(r"/v1/actions(?:/([0-9a-fA-F-]{36})(?:/(outcome|withdraw|resubmit))?)?\Z")
_UNDECIDED: Final = frozenset({Hold.Status.WAITING, Hold.Status.APPROVED})
Answer = Reply | Following
Way = Callable[[Request, Identity], Awaitable[Answer]]


class AskedDoor:
    """Answers what comes to `/v1/actions`."""

    def __init__(self, pipeline: Pipeline, holds: Holds, visits: Visits) -> None:
        self._pipeline = pipeline
        self._holds = holds
        self._visits = visits
        self._running: set[UUID] = set()
        self._followers = Followers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        try:
            reply: Answer = await self._answer(request)
        except Problem as problem:
            reply = problem.reply
        except (Refusal, NarrowgateError) as error:
            reply = problem_of(error).reply
        except Left:
            return
        await reply.send(send)

    async def _answer(self, request: Request) -> Answer:
        way = self._way(request)
        return await way(request, await request.identity())

    def _way(self, request: Request) -> Way:
        found = _PATH.match(request.path)
        action_id = _identifier(found[1]) if found and found[1] else None
        if found is None or (found[1] and action_id is None):
            raise Problem(404, "not_found", "There is no such address at this door.")
        if action_id is None:
            return _only("POST", request, self._ask)
        if found[2] is None:
            return _only("GET", request, partial(self._look, action_id))
        ways = {"outcome": self._report, "withdraw": self._withdraw, "resubmit": self._resubmit}
        return _only("POST", request, partial(ways[found[2]], action_id))

    # ---- asking ----
    async def _ask(self, request: Request, identity: Identity) -> Reply:
        key = reading.read_key(request.header("idempotency-key"))
        wish = reading.read(await request.body(reading.LONGEST, WITHIN))
        with await self._visits.begun_by(request, identity, protocol=ASK) as visit:
            form = reading.covered(wish, visit.caller)
            return await self._once(visit, identity, wish, form, key)

    async def _once(self, visit: Visit, identity: Identity, wish: reading.Wish, form: bytes, key: str) -> Reply:
        action_id, first = await in_thread(asking.claim, visit.caller.agent_id, key, form)
        known = None if first else await in_thread(_known, action_id)
        if known is not None:
            return _again(*known)
        with self._alone(action_id):
            # Another may have come to its end since this one looked.
            known = None if first else await in_thread(_known, action_id)
            if known is None:
                return await self._first(visit, as_proved(visit.caller, identity), wish, form, str(action_id))
        return _again(*known)

    @contextmanager
    def _alone(self, action_id: UUID) -> Iterator[None]:
        """Decide an action while nobody else here does. Raises Problem."""
        if action_id in self._running:
            raise Problem(409, "in_progress", "The same request is being decided.", remedy="Ask again in a moment.")
        self._running.add(action_id)
        try:
            yield
        finally:
            self._running.discard(action_id)

    async def _first(self, visit: Visit, caller: Caller, wish: reading.Wish, form: bytes, action_id: str) -> Reply:
        try:
            action = reading.action_of(wish, form, action_id=action_id, number=visit.next())
            party = Asker(form, action_id, action.number, asyncio.Event())
            begun = await self._pipeline.begin(caller, action, party)
        except Refusal as refusal:
            raise problem_of(refusal, action_id) from None
        found = await in_thread(_known, begun.action_id if isinstance(begun, Hold) else UUID(begun.action_id))
        return _told(*cast("tuple[Action, Hold | None]", found))  # it was committed before `begin` returned

    # ---- looking ----
    async def _look(self, action_id: UUID, request: Request, identity: Identity) -> Answer:
        wait = _wait(request.query)
        await request.body(0, WITHIN)
        found, hold = await in_thread(own_action, action_id, identity)
        if following.wanted(request):
            return await self._followed(found, hold, request, identity)
        if hold is None or hold.status not in _UNDECIDED:
            return _told(found, hold)
        visit = await self._visits.begun_by(request, identity, protocol=ASK)
        with visit, request.watched(visit.ended) as left:
            await self._settled(as_proved(visit.caller, identity), found, hold, wait, left)
        return _told(*await in_thread(own_action, action_id, identity))

    async def _followed(self, found: Action, hold: Hold | None, request: Request, identity: Identity) -> Answer:
        if request.query:
            raise Invalid("wait", "A stream goes on until the action is over.", "Leave wait out, or do not accept one.")
        last = request.header("last-event-id")
        if following.is_over(found):
            return following.told_at_once(found, hold, last)
        visit = await self._visits.begun_by(request, identity, protocol=ASK)
        self._followers.come(visit.caller.agent_id)
        settle = partial(self._settled, as_proved(visit.caller, identity))
        return Following(found.id, request, identity, visit, self._followers, settle, last)

    async def _settled(self, caller: Caller, found: Action, hold: Hold, wait: float, left: asyncio.Event) -> None:
        """Wait for people; release what they approved, unless it passes through the gate: whoever waits there gets it."""
        over = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(wait, over.set)
        leaving = asyncio.create_task(_pass_on(left, over))
        try:
            form = b"" if found.enforced else await in_thread(canonical_of, found.id)
            party = Asker(form, str(found.id), found.number, over)
            if found.enforced:
                await self._holds.approval(hold, party)
            else:
                await self._pipeline.collect(caller, hold, party)
        except (Left, Refusal):
            return  # what became of it is read again
        finally:
            timer.cancel()
            leaving.cancel()

    # ---- afterwards ----
    async def _report(self, action_id: UUID, request: Request, identity: Identity) -> Reply:
        said = _report_of(await request.body(reading.LONGEST, WITHIN))
        found, hold = await in_thread(own_action, action_id, identity)
        agent = Actor(kind="agent", id=str(found.agent_id), name=identity.agent)
        return _told(await in_thread(asking.report, action_id, said, agent=agent), hold)

    async def _withdraw(self, action_id: UUID, request: Request, identity: Identity) -> Reply:
        await request.body(0, WITHIN)
        await in_thread(_take_back, action_id, identity)
        return _told(*await in_thread(own_action, action_id, identity))

    async def _resubmit(self, action_id: UUID, request: Request, identity: Identity) -> Reply:
        """Say why; what the agent carries out itself is asked again at once, all else when it comes through the gate again."""
        justification = _justification_of(await request.body(reading.LONGEST, WITHIN))
        found, _ = await in_thread(own_action, action_id, identity)
        if found.enforced:
            return _told(found, await in_thread(_justify, action_id, identity, justification))
        key = reading.read_key(request.header("idempotency-key"))
        with await self._visits.begun_by(request, identity, protocol=ASK) as visit:
            form = await in_thread(canonical_of, action_id)
            wish = reading.wished(form)
            if reading.covered(wish, visit.caller) != form:
                raise Problem(
                    403,
                    "asked_for_another",
                    "It was asked on behalf of somebody else.",
                    remedy="Come with a token for the same.",
                )
            known = await in_thread(asking.asked_under, visit.caller.agent_id, key)
            if known is None:
                await in_thread(_justify, action_id, identity, justification)
            elif known == action_id:
                raise Problem(
                    403,
                    "key_reused",
                    "This is the key of what was denied.",
                    remedy="Use a new key.",
                    field="Idempotency-Key",
                )
            return await self._once(visit, identity, wish, form, key)


def _take_back(action_id: UUID, identity: Identity) -> None:
    _, hold = own_action(action_id, identity)
    if hold is None:
        raise AlreadySettled("Nothing waits for people here.", "There is nothing to take back.")
    approvals.withdraw(hold.id, by=agent_actor(hold.agent), because="The agent took it back.")


def _justify(action_id: UUID, identity: Identity, justification: str) -> Hold:
    _, hold = own_action(action_id, identity)
    if hold is None:
        raise AlreadySettled(
            "People were not asked about this.", "Policy decided it: whoever maintains that could change it."
        )
    return resubmit_actions.resubmit(hold.id, by=agent_actor(hold.agent), justification=justification)


async def _pass_on(left: asyncio.Event, over: asyncio.Event) -> None:
    await left.wait()
    over.set()


def _only(method: str, request: Request, way: Way) -> Way:
    if request.method != method:
        raise Problem(
            405, "method_not_allowed", f"This address takes {method}.", field="method", headers={"allow": method}
        )
    return way


def _identifier(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _known(action_id: UUID) -> tuple[Action, Hold | None] | None:
    found = Action.objects.filter(id=action_id).first()
    return None if found is None else (found, hold_of(found))


def _told(found: Action, hold: Hold | None) -> Reply:
    """An action as it is now: 202 while people think."""
    said, here = described(found, hold), {"location": f"/v1/actions/{found.id}"}
    if found.status == Action.Status.HELD:
        return answer(said, 202, here | {"retry-after": AGAIN})
    return answer(said, 200, here)


def _again(found: Action, hold: Hold | None) -> Reply:
    """The answer to a repetition: what was refused is refused again."""
    if found.status == Action.Status.DENIED:
        words = found.message or found.reason
        raise Problem(403, found.code, f"{words} (action {found.id})", action=str(found.id))
    return _told(found, hold)


def _wait(query: str) -> int:
    given = parse_qs(query, keep_blank_values=True)
    text = given.pop("wait", ["0"])[-1]
    if given or not text.isascii() or not text.isdigit() or int(text) > LONGEST_WAIT:
        raise Invalid("wait", f"wait is a number of seconds, up to {LONGEST_WAIT}; there is nothing else to ask.")
    return int(text)


def _justification_of(body: bytes) -> str:
    said: Mapping[str, Any] = reading.object_of(body)
    unknown = sorted(said.keys() - {"justification"})
    if unknown:
        raise Invalid(unknown[0][:40], "There is no such field.", "Send justification.")
    if not isinstance(said.get("justification"), str):
        raise Invalid("justification", "It is a text.", "Say what people should know.")
    return str(said["justification"])


def _report_of(body: bytes) -> Report:
    said: Mapping[str, Any] = reading.object_of(body)
    unknown = sorted(said.keys() - {"status", "message", "rows"})
    if unknown:
        raise Invalid(unknown[0][:40], "There is no such field.", "Send status, message and rows.")
    status, message, rows = said.get("status"), said.get("message", ""), said.get("rows")
    if not isinstance(status, str) or not isinstance(message, str):
        raise Invalid(
            "status" if not isinstance(status, str) else "message", "It is a text.", "status is done or failed."
        )
    if rows is not None and (not isinstance(rows, int) or isinstance(rows, bool)):
        raise Invalid("rows", "rows is a count.", "Leave it out where there is nothing to count.")
    return Report(status, message, rows)
