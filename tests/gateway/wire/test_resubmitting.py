"""What people denied is asked again with a justification: a new action, decided anew, and the denial stands."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from activity.models import Asked
from approvals.models import Hold
from ledger.entries import commit_text
from ledger.events import Event
from tests.gateway.wire.asking import Agent, approve, deny, entries
from tests.gateway.wire.doors import client, served
from tests.gateway.wire.world import World, eventually

WHY = "Invoice 4711 is due today; the customer waits."


@pytest.fixture(scope="module")
def door(standing_world: World) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


@pytest.fixture
def agent(standing_world: World, door: str) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        yield Agent(standing_world, http)
        Hold.objects.filter(status="waiting").update(status="withdrawn")


def denied(agent: Agent, amount: int) -> Hold:
    return deny(agent.world, agent.ask(amount=amount).json()["id"])


def test_it_is_a_new_action_that_names_the_denied_one(agent: Agent) -> None:
    old, key = denied(agent, 8000), uuid.uuid4().hex
    answer = agent.resubmit(str(old.action_id), WHY, key)
    said = answer.json()
    assert (answer.status_code, said["status"], said["hold"]["resubmits"]) == (202, "held", str(old.id))
    new = Hold.objects.select_related("resubmits").get(action_id=said["id"])
    assert new.resubmits is not None
    assert (new.id != old.id, new.resubmits.id, new.resubmits.justification) == (True, old.id, WHY)
    assert [event for event, _ in entries(str(old.action_id))][-1] == Event.HOLD_RESUBMITTED
    assert entries(str(old.action_id))[-1][1]["justification"] == commit_text(WHY, bytes(old.salt))
    assert entries(said["id"])[0][1]["resubmits"] == str(old.id)
    assert agent.resubmit(str(old.action_id), WHY, key).json()["id"] == said["id"]
    approve(agent.world, new)
    assert agent.look(said["id"], 20).json()["status"] == "released"
    old.refresh_from_db()
    assert (old.status, agent.look(str(old.action_id)).json()["status"]) == ("denied", "denied")


def test_a_denied_one_is_asked_again_once_and_twice_in_a_row_at_most(agent: Agent) -> None:
    hold = denied(agent, 8001)
    for _ in range(2):
        again = agent.resubmit(str(hold.action_id), WHY).json()["id"]
        more = agent.resubmit(str(hold.action_id), WHY)
        assert (more.status_code, more.json()["code"]) == (409, "already_settled")
        hold = deny(agent.world, again)
    third = agent.resubmit(str(hold.action_id), WHY)
    assert (third.status_code, third.json()["code"]) == (403, "resubmitted_enough")
    assert Hold.objects.filter(status="waiting").count() == 0


def test_it_counts_against_what_may_wait(agent: Agent) -> None:
    old = denied(agent, 8002)
    waiting = [agent.ask(amount=8100 + n).json()["id"] for n in range(5)]
    answer = agent.resubmit(str(old.action_id), WHY)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_holds")
    agent.send("POST", f"/v1/actions/{waiting[0]}/withdraw")
    assert agent.resubmit(str(old.action_id), WHY).status_code == 202  # what was said counts on for ten minutes


def test_a_statement_is_asked_again_through_the_gate(agent: Agent) -> None:
    statement = "DELETE FROM orders WHERE id = 77001"
    with agent.world.connect() as connection:
        old = _denied_statement(agent, connection, statement)
        noted = agent.resubmit(str(old.action_id), WHY)
        assert (noted.status_code, noted.json()["status"]) == (200, "denied")
        new = _denied_statement(agent, connection, statement)
        assert new.resubmits_id == old.id
        other = _denied_statement(agent, connection, "DELETE FROM orders WHERE id = 77002")
    assert other.resubmits_id is None


def _denied_statement(agent: Agent, connection: psycopg.Connection, statement: str) -> Hold:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(connection.execute, statement)
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        deny(agent.world, str(hold.action_id))
        with pytest.raises(psycopg.Error):
            running.result(20)
        connection.rollback()
    return Hold.objects.get(id=hold.id)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "justification"),
        ({"justification": 7}, "justification"),
        ({"justification": "  "}, "justification"),
        ({"justification": "x" * 501}, "justification"),
        ({"justification": "a\x00b"}, "justification"),
        ({"justification": WHY, "approved": True}, "approved"),
    ],
)
def test_what_cannot_be_used_names_the_field(agent: Agent, said: dict[str, object], field: str) -> None:
    old = denied(agent, 8003)
    answer = agent.send(
        "POST", f"/v1/actions/{old.action_id}/resubmit", json=said, headers={"Idempotency-Key": uuid.uuid4().hex}
    )
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_only_what_people_denied_is_asked_again(agent: Agent) -> None:
    waiting = agent.ask(amount=8004).json()["id"]
    assert agent.resubmit(waiting, WHY).json()["code"] == "already_settled"
    by_policy = agent.ask("files.delete", path="/").json()["action"]
    assert agent.resubmit(by_policy, WHY).json()["detail"] == "People were not asked about this."
    assert agent.resubmit(str(uuid.uuid4()), WHY).status_code == 404


def test_other_words_other_people_and_the_old_key_are_refused(agent: Agent) -> None:
    key = uuid.uuid4().hex
    old = deny(agent.world, agent.ask(key=key, amount=8005).json()["id"])
    assert agent.resubmit(str(old.action_id), WHY, key).json()["code"] == "key_reused"
    for n in range(5):
        agent.ask(amount=8200 + n)
    assert agent.resubmit(str(old.action_id), WHY).status_code == 429
    assert agent.resubmit(str(old.action_id), "Something else").json()["code"] == "already_settled"
    agent.token = agent.world.token(on_behalf_of=agent.world.cast.owner.username)
    assert agent.resubmit(str(old.action_id), WHY).json()["code"] == "asked_for_another"


def test_what_was_erased_is_not_asked_again(agent: Agent) -> None:
    old = denied(agent, 8006)
    Asked.objects.filter(action_id=old.action_id).delete()
    assert agent.resubmit(str(old.action_id), WHY).status_code == 404
