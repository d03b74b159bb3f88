"""An agent follows its action as events: each change once, whoever comes back, until it is over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from accounts.actors import SYSTEM
from activity.models import Action
from agents import actions as inventory
from approvals import actions as approvals
from approvals.models import Hold
from core.db import db_now
from gateway.asked import following
from tests.gateway.wire.asking import Agent, approve, deny
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.world import World, eventually


@pytest.fixture(scope="module")
def door(standing_world: World) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


@pytest.fixture
def agent(standing_world: World, door: str) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        yield Agent(standing_world, http)
        Hold.objects.filter(status="waiting").update(status="withdrawn")


def held(agent: Agent, amount: int) -> Hold:
    return Hold.objects.get(action_id=agent.ask(amount=amount).json()["id"])


def test_what_is_approved_is_released_to_whoever_follows(agent: Agent) -> None:
    hold = held(agent, 7000)
    with agent.follow(str(hold.action_id)) as stream:
        assert stream.answer.headers["content-type"] == "text/event-stream"
        first = stream.next()
        assert (first["status"], first["hold"]["status"]) == ("held", "waiting")
        assert first["hold"]["deadline"] == hold.deadline.isoformat()
        approve(agent.world, hold)
        rest = stream.rest()
    assert rest[-1]["status"] == "released"
    assert agent.report(str(hold.action_id), status="done").json()["status"] == "done"


def test_a_denial_ends_the_stream_in_the_reviewers_words(agent: Agent) -> None:
    hold = held(agent, 7001)
    with agent.follow(str(hold.action_id)) as stream:
        stream.next()
        deny(agent.world, str(hold.action_id), "Not today")
        (last,) = stream.rest()
    assert (last["status"], "Not today" in last["hold"]["because"]) == ("denied", True)


def test_the_deadline_ends_it(agent: Agent) -> None:
    hold = held(agent, 7002)
    with agent.follow(str(hold.action_id)) as stream:
        stream.next()
        Hold.objects.filter(id=hold.id).update(
            asked_at=db_now() - timedelta(hours=1), deadline=db_now() - timedelta(seconds=1)
        )
        assert stream.rest()[-1]["hold"]["status"] == "expired"


def test_whoever_comes_back_is_told_what_changed_meanwhile_and_nothing_twice(agent: Agent) -> None:
    hold = held(agent, 7003)
    with agent.follow(str(hold.action_id)) as stream:
        stream.next()
        seen = stream.last
    deny(agent.world, str(hold.action_id))
    with agent.follow(str(hold.action_id), seen) as stream:
        (only,) = stream.rest()
        last = stream.last
    assert only["status"] == "denied"
    with agent.follow(str(hold.action_id), last) as stream:
        assert stream.answer.status_code == 204


def test_one_who_comes_back_to_what_has_not_changed_waits(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENT", 0.2)
    hold = held(agent, 7004)
    with agent.follow(str(hold.action_id)) as stream:
        stream.next()
    with agent.follow(str(hold.action_id), stream.last) as again:
        eventually(lambda: next(again._lines).endswith("s left"))  # nobody in between takes it for dead
        approvals.withdraw(hold.id, by=SYSTEM)
        (only,) = again.rest()
    assert only["hold"]["status"] == "withdrawn"


def test_what_passes_through_the_gate_is_followed_to_its_outcome(agent: Agent) -> None:
    with agent.world.connect() as connection:
        connection.execute("SELECT 1")
    through = eventually(lambda: Action.objects.filter(enforced=True, status="done").last())
    assert through is not None
    with agent.follow(str(through.id)) as stream:
        assert [one["status"] for one in stream.rest()] == ["done"]
    Action.objects.filter(id=through.id).update(status="released")
    with agent.follow(str(through.id)) as stream:
        assert stream.next()["status"] == "released"
        Action.objects.filter(id=through.id).update(status="done")
        assert [one["status"] for one in stream.rest()] == ["done"]


def test_a_revoked_credential_ends_it(agent: Agent) -> None:
    hold = held(agent, 7005)
    with agent.follow(str(hold.action_id)) as stream:
        stream.next()
        credential = Action.objects.get(id=hold.action_id).credential_id
        inventory.revoke_credential(credential, actor=agent.world.cast.engineer, reason="Lost.")
        assert stream.rest() == []
    hold.refresh_from_db()
    assert hold.status == "waiting"


def test_an_agent_has_so_many_and_no_more(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MOST_EACH", 2)
    hold = held(agent, 7006)
    with ExitStack() as stack:
        streams = [stack.enter_context(agent.follow(str(hold.action_id))) for _ in range(2)]
        assert [stream.next()["status"] for stream in streams] == ["held", "held"]
        with agent.follow(str(hold.action_id)) as third:
            assert (third.answer.status_code, "too_many_streams" in third.answer.read().decode()) == (429, True)

    def again() -> bool:
        with agent.follow(str(hold.action_id)) as stream:
            return stream.answer.status_code == 200

    assert eventually(again)


def test_refusals(agent: Agent) -> None:
    hold = held(agent, 7007)
    headers = {"Accept": "text/html, text/event-stream; q=0.9"}
    answer = agent.send("GET", f"/v1/actions/{hold.action_id}?wait=5", headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "wait")
    with agent.follow(str(uuid.uuid4())) as stream:
        assert stream.answer.status_code == 404
    agent.token = "nonsense"
    with agent.follow(str(hold.action_id)) as stream:
        assert stream.answer.status_code == 401
