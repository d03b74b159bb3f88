"""Steps 6 to 8 for HTTP: a request goes up, its answer comes down, and what came of it is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from activity.hotpath import Outcome
from gateway.ending import Ending
from gateway.http.answering import Passing, Plan
from gateway.http.answers import BODILESS
from gateway.http.connection import Sending, head
from gateway.http.lost import Elsewhere, Late, Lost, Unreached
from gateway.http.party import Asking
from gateway.http.pool import Answer
from gateway.http.reaching import LONGEST, SILENT_FOR
from gateway.http.uploading import Upload
from gateway.pipeline import Admission
from gateway.refusal import Refusal
from gateway.visits import Visit
from gateway.web import Problem, Reply, Send, problem_of

log = structlog.get_logger()


@dataclass
class Relaying:
    """One request that may go up now, once. `finish` takes what came of it."""

    begun: Admission[Plan]
    party: Asking
    visit: Visit
    upload: Upload | None
    finish: Callable[[Outcome], None]
    passing: Passing | None = None
    started: bool = False
    """Whether the answer is on its way to the agent."""

    async def run(self, send: Send, left: Ending) -> Reply | None:
        """Relay it for LONGEST seconds, or until the client leaves or the session ends. What is left to answer, where anything is."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST) as limit:

                def cut() -> None:
                    if not limit.expired():
                        limit.reschedule(0)

                with left.calls(cut):
                    return await self._relayed(send)
        return None

    def not_sent(self, because: str) -> None:
        """Record that it did not go up."""
        self._end("failed", f"Not sent: {because}")

    async def _relayed(self, send: Send) -> Reply | None:
        """What has begun and cannot be finished is left as it is: the server cuts a connection whose answer is not whole."""
        try:
            await self._passed(send)
        except Refusal as refusal:  # of the answer: the request was sent
            return self._broken(
                self._unanswered, Problem(502, refusal.code, refusal.message, action=self.begun.action_id)
            )
        except Problem as problem:  # of the rest of the request
            return self._broken(self._unanswered, problem)
        except Lost as error:
            log.info("api_lost", error=f"{type(error).__name__}: {error}")
            status = "failed" if isinstance(error, Unreached) else self._unanswered
            return self._broken(status, problem_of(_told(error), self.begun.action_id))
        except asyncio.CancelledError:
            status = "done" if self.passing is not None else "uncertain"
            self._end(status, self.visit.because or "The client left before the answer ended.")
            raise
        except Exception:
            self._end(self._unanswered, "Something broke at the gate.")
            raise
        self._end(*self._came())
        return None

    async def _passed(self, send: Send) -> None:
        target, call = self.party.target, self.party.call
        sending = _sending(self.party, self.begun.obligations, self.upload)
        with await target.pool.ask(sending, silent_for=SILENT_FOR) as answer:
            self.passing = passing = _passing(answer, self.begun, self.party, self.visit)
            headers = passing.head()
            bodiless = call.operation.method == "HEAD" or answer.status in BODILESS
            if (passing.whole or passing.is_here) and not bodiless:
                body = b"".join([part async for part in passing.body()])
                headers.append((b"content-length", str(len(body)).encode()))
                await self._start(send, headers)
                await send({"type": "http.response.body", "body": body})
                return
            await self._start(send, headers)
            async for part in passing.body():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self.started = True
        status = self.passing.given.status if self.passing is not None else 0
        given = [*headers, (b"x-content-type-options", b"nosniff")]
        await send({"type": "http.response.start", "status": status, "headers": given})

    # ---- what came of it ----
    @property
    def _unanswered(self) -> str:
        """What becomes of a request whose answer cannot be passed on: what may change something may have."""
        return "failed" if self.party.call.operation.reads else "uncertain"

    def _came(self) -> tuple[str, str]:
        """An API's error is a failure, in its own number."""
        status = self.passing.given.status if self.passing is not None else 0
        early = "" if self.upload is None or self.upload.is_whole else " It did not wait for all of the body."
        return ("failed", f"The API answered {status}.{early}") if status >= 400 else ("done", early.strip())

    def _broken(self, status: str, problem: Problem) -> Reply | None:
        self._end(status, problem.detail)
        return None if self.started else problem.reply

    def _end(self, status: str, message: str) -> None:
        """8. Record the outcome."""
        given = self.passing.given if self.passing is not None else None
        self.visit.bytes += given.size if given else 0
        self.finish(
            Outcome(
                self.begun.action_id,
                self.visit.caller.texts[0],
                status,
                datetime.now(UTC),
                bytes=given.size if given else None,
                masked_values=given.masked_values + given.detected.total() if given else 0,
                message=message,
                frame=given.frame() if given else None,
                shared=self.begun.shared,
                detected=given.detected if given else None,
                sent=self.upload.sent if self.upload is not None else None,
            )
        )


def _sending(party: Asking, plan: Plan, upload: Upload | None) -> Sending:
    """What goes up: what the gate says itself, then what the agent may say. Where detectors act, no part of an answer is asked for."""
    target, call = party.target, party.call
    own = [("Host", target.way.authority), ("User-Agent", "narrowgate"), ("Accept-Encoding", "identity")]
    size = upload.size if upload is not None else len(call.body)
    if size or not call.operation.reads:
        own.append(("Content-Length", str(size)))
    credential = target.credential
    left_out = {"range"} if plan.scanner else set()
    left_out |= {credential[0].lower()} if credential is not None else set()
    given = [pair for pair in call.headers if pair[0] not in left_out]
    own += [credential] if credential is not None else []
    begins = head(call.operation.method, call.target, (*own, *given))
    return Sending(
        call.operation.method, begins + call.body, upload.pieces(party.action.salt) if upload is not None else None
    )


def _passing(answer: Answer, begun: Admission[Plan], party: Asking, visit: Visit) -> Passing:
    way = party.target.way
    base = f"{'https' if way.tls else 'http'}://{way.authority}{party.target.base}"
    return Passing(answer, begun.obligations, party.target.secrets, base, f"/http/{visit.caller.resource}")


def _told(error: Lost) -> Refusal:
    """What the agent learns of a request whose answer was lost: one that changes something may have run."""
    if isinstance(error, Elsewhere):
        return Refusal("The API is at an address that no resource has.", code="address_refused")
    if isinstance(error, Unreached):
        return Refusal("The API cannot be reached.", code="resource_unavailable", remedy="Try again in a moment.")
    if isinstance(error, Late):
        return Refusal("The API did not answer in time.", code="resource_timeout", remedy="It may have happened.")
    return Refusal("The API broke off.", code="resource_unavailable", remedy="It may have happened.")
