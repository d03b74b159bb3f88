"""What is asked of the gate, step by step, without sending anything: `Gate` sends it, on a thread or on an event loop."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from narrowgate_client.errors import Denied, StillHeld, Unavailable
from narrowgate_client.keys import AgentKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
A_LOOK = 50
"""Seconds that one request waits for people."""
A_SILENCE = 45.0
"""Seconds without a word after which a stream is dead: the gate says something every fifteen."""
EARLY = 30
"""Seconds before its end at which a token is replaced."""
TRIES = 3


@dataclass(frozen=True)
class Sent:
    """A request. `patience` is in seconds."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    patience: float = 15.0


@dataclass(frozen=True)
class Told:
    """An answer: its status, and the object in it."""

    status: int
    said: Mapping[str, Any]


T = TypeVar("T")
Steps = Generator[Sent, Told, T]
"""Yields requests, is sent their answers, returns what came of them."""


@dataclass
class Asker:
    """Who asks, and the token that it has."""

    agent: str
    key: AgentKey
    resource: str
    audience: str
    purpose: str = ""
    _token: str = ""
    _ends: float = 0.0

    def ask(self, operation: str, arguments: Mapping[str, Any], key: str, wait: float | None) -> Steps[str]:
        """The identifier of the action, once it may happen; `wait` is how many seconds people get, None for as long as they have.

        Raises Denied, StillHeld and Unavailable.
        """
        wish = {"operation": operation, "arguments": arguments}
        for _ in range(TRIES):
            told = yield from self._send("POST", "/v1/actions", json=wish, more={"Idempotency-Key": key})
            if told.status != 409:
                break
        return (yield from self._approved(told, wait))

    def resubmit(self, action: str, justification: str, key: str, wait: float | None) -> Steps[str]:
        """Ask again what people denied, and say why: the identifier of the new action, once it may happen.

        `action` is the denied one's, as `Denied.action` has it. Raises Denied, StillHeld and Unavailable.
        """
        said, more = {"justification": justification}, {"Idempotency-Key": key}
        told = yield from self._send("POST", f"/v1/actions/{action}/resubmit", json=said, more=more)
        return (yield from self._approved(told, wait))

    def stream(self, action: str, last: str) -> Steps[Sent]:
        """The request for what is told of an action from the event `last` on, not sent. Raises Denied."""
        yield from self._renew(now=False)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": last} if last else {}
        return Sent("GET", f"/v1/actions/{action}", headers, patience=A_SILENCE)

    def _approved(self, told: Told, wait: float | None) -> Steps[str]:
        until = None if wait is None else time.monotonic() + wait
        while told.status == 202:
            left = A_LOOK if until is None else min(A_LOOK, int(until - time.monotonic()))
            action = str(told.said.get("id", ""))
            if left < 1:
                raise StillHeld("It waits for people, and they have not decided yet.", action=action)
            told = yield from self._send("GET", f"/v1/actions/{action}?wait={left}", patience=left + 15.0)
        return _may(told)

    def report(self, action: str, status: str, message: str = "") -> Steps[None]:
        """Say what came of an action. Raises Denied and Unavailable."""
        said = {"status": status, "message": message[:500]}
        told = yield from self._send("POST", f"/v1/actions/{action}/outcome", json=said)
        if told.status != 200:
            raise refused(told)

    def find(self, operation: str, arguments: Mapping[str, Any], key: str) -> Steps[str]:
        """The identifier of what was asked under `key` before. Raises Denied and Unavailable."""
        wish = {"operation": operation, "arguments": arguments}
        told = yield from self._send("POST", "/v1/actions", json=wish, more={"Idempotency-Key": key})
        if told.status not in {200, 202}:
            raise refused(told)
        return str(told.said.get("id", ""))

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, Any] | None = None,
        more: Mapping[str, str] | None = None,
        patience: float = 15.0,
    ) -> Steps[Told]:
        """Send as this agent; once more with a new token where the old one does not count."""
        for fresh in (False, True):
            yield from self._renew(now=fresh)
            headers = {"Authorization": f"Bearer {self._token}", **(more or {})}
            told = yield Sent(method, path, headers, json=json, patience=patience)
            if told.status != 401:
                return told
        return told

    def _renew(self, *, now: bool) -> Steps[None]:
        if not now and time.monotonic() < self._ends:
            return
        form = {
            "grant_type": "client_credentials",
            "resource": self.resource,
            "purpose": self.purpose,
            "client_assertion_type": ASSERTION,
            "client_assertion": self.key.assertion(self.agent, self.audience),
        }
        told = yield Sent("POST", "/oauth/token", form=form)
        token = told.said.get("access_token")
        if told.status != 200 or not isinstance(token, str):
            raise Denied(
                str(told.said.get("error_description", "The gate gave no token.")), code=str(told.said.get("error", ""))
            )
        self._token, self._ends = token, time.monotonic() + float(told.said.get("expires_in", 60)) - EARLY


def _may(told: Told) -> str:
    """The action's identifier, if it may happen now."""
    if told.status == 200 and told.said.get("status") == "released":
        return str(told.said["id"])
    raise refused(told)


def refused(told: Told) -> Denied | Unavailable:
    """Why not, as an error. What is no clear answer of the gate is none."""
    said = told.said
    if told.status >= 500 or not (said.get("code") or said.get("status")):
        return Unavailable(str(said.get("detail", f"The gate answered with {told.status}.")))
    hold = said.get("hold") or {}
    words = said.get("detail") or hold.get("because") or said.get("message") or said.get("reason")
    words = words or f"The action is {said.get('status')} already."
    action = str(said.get("action") or said.get("id") or "")
    return Denied(str(words), code=str(said.get("code", "")), remedy=str(said.get("remedy", "")), action=action)
