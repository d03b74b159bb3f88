"""An agent's program that asks before it acts."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from approvals import actions as approvals
from approvals.models import Hold
from ledger.models import Outbox
from tests.gateway.wire.world import World

TRANSFER = "payments.transfer"


class Agent:
    """An agent's program that asks."""

    def __init__(self, world: World, http: httpx.Client) -> None:
        self.world, self.http, self.token = world, http, world.token()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.http.request(method, path, headers=headers, **options)

    def ask(self, operation: str = TRANSFER, key: str = "", **arguments: Any) -> httpx.Response:
        said = {"operation": operation, "arguments": arguments}
        return self.send("POST", "/v1/actions", json=said, headers={"Idempotency-Key": key or uuid.uuid4().hex})

    def look(self, action_id: str, wait: int = 0) -> httpx.Response:
        return self.send("GET", f"/v1/actions/{action_id}?wait={wait}")

    def report(self, action_id: str, **said: Any) -> httpx.Response:
        return self.send("POST", f"/v1/actions/{action_id}/outcome", json=said)

    def resubmit(self, action_id: str, justification: str, key: str = "") -> httpx.Response:
        said, headers = {"justification": justification}, {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.send("POST", f"/v1/actions/{action_id}/resubmit", json=said, headers=headers)

    @contextmanager
    def follow(self, action_id: str, last: str = "") -> Iterator[Stream]:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": last} if last else {}
        with self.http.stream("GET", f"/v1/actions/{action_id}", headers=headers) as answer:
            yield Stream(answer)


class Stream:
    """A stream of events as it arrives."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer, self.last, self.comments = answer, "", list[str]()
        self._lines = answer.iter_lines()

    def next(self) -> dict[str, Any]:
        """What the next event says. Raises StopIteration at the end."""
        while True:
            line = next(self._lines)
            name, _, value = line.partition(": ")
            if name == "id":
                self.last = value
            elif name == "data":
                said: dict[str, Any] = json.loads(value)
                return said
            elif line.startswith(":"):
                self.comments.append(line)

    def rest(self) -> list[dict[str, Any]]:
        """All that comes until the end."""
        found = []
        while True:
            try:
                found.append(self.next())
            except StopIteration:
                return found


def entries(action_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What the ledger is to say of an action: event and details, in order."""
    leaves = [json.loads(bytes(one.leaf)) for one in Outbox.objects.order_by("id")]
    return [(leaf["event"], leaf["details"]) for leaf in leaves if leaf.get("action") == action_id]


def approve(world: World, hold: Hold) -> None:
    approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)


def deny(world: World, action_id: str, reason: str = "Not this month") -> Hold:
    hold = Hold.objects.get(action_id=action_id)
    return approvals.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason=reason)
