"""A long body that is no JSON goes up as it comes, once it was decided that it may."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from activity.digest import digest
from activity.models import Action
from approvals.models import Hold
from ledger.models import Outbox
from tests.gateway.wire.http.agent import Agent, last
from tests.gateway.wire.world import eventually

MIB = 1024 * 1024
LONG = bytes(range(256)) * (3 * MIB // 256)
BYTES = {"Content-Type": "application/octet-stream"}
HEAD = "PUT /http/bank/files/a HTTP/1.1\nHost: x\nAuthorization: Bearer TOKEN\nContent-Type: application/octet-stream\nContent-Length: %d\n\n"


def ended(status: str) -> Action:
    """The newest upload, once its outcome is as wanted."""
    return last(id=last(shape="putFile").id, status=status)


def sent(action: Action) -> Any:
    """What the ledger says of the body that an action sent."""
    leaves = (
        json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event=f"action:{action.status}").order_by("-id")
    )
    return next(one["details"]["sent"] for one in leaves if one["action"] == str(action.id))


def test_it_arrives_as_it_was_and_its_hash_is_in_the_ledger(agent: Agent) -> None:
    response = agent.send("PUT", "/files/a", content=LONG, headers=BYTES)
    assert (response.status_code, response.json()["got"]) == (201, len(LONG))
    (seen,) = agent.api.seen
    assert (seen.body == LONG, seen.header("content-length")) == (True, [str(len(LONG))])
    found = ended("done")
    assert f'"bytes": {len(LONG)}' in found.shown
    assert "sha256" not in found.shown
    assert sent(found) == {"bytes": len(LONG), "digest": digest(LONG, bytes(found.salt))}


def test_a_short_one_is_there_first_and_decided_by_its_hash(agent: Agent) -> None:
    assert agent.send("PUT", "/files/a", content=LONG[:MIB], headers=BYTES).status_code == 201
    assert sha256(LONG[:MIB]).hexdigest() in last(shape="putFile").shown


def test_what_takes_people_is_pinned_and_so_it_is_short(agent: Agent) -> None:
    refused = agent.send("POST", "/files/a", content=LONG, headers=BYTES)
    assert (refused.status_code, refused.json()["code"]) == (403, "body_denied")
    assert "pinned byte by byte" in refused.json()["detail"]
    assert not agent.api.seen
    assert not Hold.objects.filter(shape="signFile").exists()
    assert agent.send("POST", "/files/a", content=LONG[:100], headers=BYTES).status_code == 202


def test_it_is_denied_by_its_length_before_any_of_it_goes_up(agent: Agent) -> None:
    answer = agent.raw((HEAD % 6_000_000).replace("\n\n", "\nExpect: 100-continue\nConnection: close\n\n"))
    assert answer.startswith(b"HTTP/1.1 403 "), answer[:200]
    assert b"Nobody keeps more than 5 MB." in answer
    assert agent.send("GET", "/files/a", content=LONG, headers=BYTES).json()["code"] == "body_denied"
    assert (
        agent.send("PUT", "/files/a", content=LONG, headers={"Content-Type": "text/csv"}).json()["code"]
        == "body_denied"
    )
    assert not agent.api.seen


def test_one_that_no_api_should_get_is_not_begun(agent: Agent) -> None:
    assert agent.raw(HEAD % (2**30 + 1)).startswith(b"HTTP/1.1 413 ")
    assert not agent.api.seen


def test_an_api_that_does_not_want_it_is_heard(agent: Agent) -> None:
    response = agent.send("PUT", "/files/refused", content=LONG, headers=BYTES)
    assert (response.status_code, response.json()) == (413, {"error": "too long"})
    assert ended("failed").message.startswith("The API answered 413.")
    assert agent.send("GET", "/customers/1").status_code == 200


@pytest.mark.parametrize("leaves", [True, False])
def test_half_of_it_is_half_and_may_have_done_something(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, leaves: bool
) -> None:
    monkeypatch.setattr("gateway.http.door.WITHIN", 30.0 if leaves else 0.3)
    with agent.stream() as stream:
        stream.sendall(agent.written(HEAD % len(LONG)) + LONG[:MIB])
        if leaves:
            eventually(lambda: Action.objects.filter(shape="putFile", status="released").exists())
            stream.unwrap()
        else:
            assert stream.recv(65_536).startswith(b"HTTP/1.1 408 ")
    found = ended("uncertain")
    assert sent(found)["bytes"] <= MIB
    assert eventually(lambda: [len(one.body) for one in agent.api.seen])[0] < len(LONG)
