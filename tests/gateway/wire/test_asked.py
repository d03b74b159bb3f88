"""An agent asks before it does something itself: one action a key, real holds, and nobody is told that the gate enforces it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from activity import asking
from activity.actions import mark_uncertain
from activity.models import Action, Session
from agents import actions as inventory
from approvals import actions as approvals
from approvals.models import Hold
from core.db import db_now
from gateway.asked import door as door_module
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.asking import TRANSFER, Agent, approve, entries
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


def test_an_allowed_operation_is_recorded_before_it_may_happen(agent: Agent) -> None:
    answer = agent.ask(amount=250, to="DE02")
    said = answer.json()
    assert (answer.status_code, said["status"], said["decision"], said["enforced"]) == (200, "released", "allow", False)
    assert (said["operation"], answer.headers["location"]) == (TRANSFER, f"/v1/actions/{said['id']}")
    ((event, details),) = entries(said["id"])
    assert (event, details["enforced"], details["operation"]) == (Event.ACTION_ALLOWED, False, TRANSFER)
    found = Action.objects.get(id=said["id"])
    assert (found.verb, found.enforced, found.summary) == (
        "app:call",
        False,
        'payments.transfer: amount 250, to "DE02"',
    )
    session = Session.objects.get(id=found.session_id)
    assert (session.protocol, session.ended_at) == ("ask", None)


def test_what_came_of_it_is_the_agents_word(agent: Agent) -> None:
    action_id = agent.ask(amount=1).json()["id"]
    answer = agent.report(action_id, status="done", message="Paid.", rows=1)
    assert (answer.status_code, answer.json()["status"], answer.json()["message"]) == (200, "done", "Paid.")
    assert agent.report(action_id, status="done", message="Paid.", rows=1).status_code == 200
    other = agent.report(action_id, status="failed", message="No, it broke.")
    assert (other.status_code, other.json()["code"]) == (409, "already_settled")
    assert [event for event, _ in entries(action_id)] == [Event.ACTION_ALLOWED, Event.ACTION_DONE]
    assert entries(action_id)[1][1]["enforced"] is False


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"status": "perhaps"}, "status"),
        ({}, "status"),
        ({"status": "done", "message": "x" * 501}, "message"),
        ({"status": "done", "message": "a\x00b"}, "message"),
        ({"status": "done", "rows": -1}, "rows"),
        ({"status": "done", "rows": True}, "rows"),
        ({"status": "done", "rows": 2**63}, "rows"),
        ({"status": "done", "enforced": True}, "enforced"),
    ],
)
def test_a_report_that_cannot_be_used_names_the_field(agent: Agent, said: dict[str, Any], field: str) -> None:
    answer = agent.report(agent.ask(amount=1).json()["id"], **said)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_nobody_reports_on_what_passes_through_the_gate(agent: Agent) -> None:
    with agent.world.connect() as connection:
        connection.execute("SELECT 1")
    through = eventually(lambda: Action.objects.filter(enforced=True, status="done").last())
    assert through is not None
    assert agent.report(str(through.id), status="failed").status_code == 404


def test_what_policy_does_not_allow_is_refused_with_its_identifier(agent: Agent) -> None:
    key = uuid.uuid4().hex
    answer = agent.ask("files.delete", key=key, path="/")
    said = answer.json()
    assert (answer.status_code, said["code"]) == (403, "no_match")
    assert answer.headers["content-type"] == "application/problem+json"
    assert [event for event, _ in entries(said["action"])] == [Event.ACTION_DENIED]
    again = agent.ask("files.delete", key=key, path="/").json()
    assert (again["code"], again["action"]) == ("no_match", said["action"])
    assert agent.report(said["action"], status="done").status_code == 409


def test_the_same_key_is_the_same_action(agent: Agent) -> None:
    key = uuid.uuid4().hex
    first = agent.ask(key=key, amount=5)
    assert [agent.ask(key=key, amount=5).json()["id"] for _ in range(3)] == [first.json()["id"]] * 3
    other = agent.ask(key=key, amount=6)
    assert (other.status_code, other.json()["code"]) == (403, "key_reused")
    assert len(entries(first.json()["id"])) == 1


def test_many_at_once_under_one_key_are_one_action(agent: Agent) -> None:
    key = uuid.uuid4().hex
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: agent.ask(key=key, amount=7), range(8)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.json().get("code", "") for answer in answers} <= {"", "in_progress"}
    assert Action.objects.filter(summary="payments.transfer: amount 7").count() == 1


def test_a_repetition_that_looked_before_the_first_was_written_is_the_same_action(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = uuid.uuid4().hex
    first = agent.ask(key=key, amount=8).json()
    looked: list[uuid.UUID] = []

    def early(action_id: uuid.UUID) -> Any:
        looked.append(action_id)
        return None if len(looked) == 1 else known(action_id)

    known = door_module._known
    monkeypatch.setattr(door_module, "_known", early)
    again = agent.ask(key=key, amount=8)
    assert (again.status_code, again.json()["id"], len(looked)) == (200, first["id"], 2)


def test_a_held_operation_waits_in_the_queue_and_is_released_once(agent: Agent) -> None:
    key = uuid.uuid4().hex
    answer = agent.ask(key=key, amount=5000)
    said = answer.json()
    assert (answer.status_code, said["status"], said["hold"]["requirement"]) == (202, "held", {"dba": 1})
    assert answer.headers["retry-after"]
    assert said["hold"]["too_few_may_review"] is False
    assert agent.ask(key=key, amount=5000).json()["id"] == said["id"]
    hold = Hold.objects.get(action_id=said["id"])
    assert (hold.enforced, hold.shape) == (False, TRANSFER)
    assert agent.look(said["id"]).status_code == 202
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.look, said["id"], 30)
        approve(agent.world, hold)
        released = waiting.result(30)
    assert (released.status_code, released.json()["status"]) == (200, "released")
    assert agent.report(said["id"], status="failed", message="The bank is closed.").json()["status"] == "failed"
    told = entries(said["id"])
    assert [event for event, _ in told] == [
        Event.HOLD_ASKED, Event.HOLD_APPROVED, Event.HOLD_SETTLED, Event.ACTION_RELEASED, Event.ACTION_FAILED,
    ]  # fmt: skip
    assert all(details["enforced"] is False for _, details in told)


def test_another_gateway_releases_what_this_one_held(agent: Agent) -> None:
    """Nothing of it is in the process: the operation is read again from its row."""
    said = agent.ask(amount=5001).json()
    approve(agent.world, Hold.objects.get(action_id=said["id"]))
    agent.world.gateway.service._visits._open.clear()
    assert agent.look(said["id"], 5).json()["status"] == "released"


def test_policy_of_then_decides_at_the_release(agent: Agent) -> None:
    said = agent.ask(amount=5002).json()
    hold = Hold.objects.get(action_id=said["id"])
    approve(agent.world, hold)
    Hold.objects.filter(id=hold.id).update(redeem_by=db_now() - timedelta(seconds=1))
    assert agent.look(said["id"], 1).json()["status"] != "released"


def test_a_denied_hold_says_why(agent: Agent) -> None:
    said = agent.ask(amount=5003).json()
    hold = Hold.objects.get(action_id=said["id"])
    approvals.deny(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest, reason="Not this month")
    told = agent.look(said["id"], 10).json()
    assert (told["status"], told["hold"]["status"]) == ("denied", "denied")
    assert "Not this month" in told["hold"]["because"]
    assert agent.report(said["id"], status="done").status_code == 409


def test_it_is_taken_back(agent: Agent) -> None:
    said = agent.ask(amount=5004).json()
    back = agent.send("POST", f"/v1/actions/{said['id']}/withdraw")
    assert (back.status_code, back.json()["hold"]["status"]) == (200, "withdrawn")
    assert agent.send("POST", f"/v1/actions/{said['id']}/withdraw").status_code == 409
    free = agent.ask(amount=1).json()
    assert agent.send("POST", f"/v1/actions/{free['id']}/withdraw").json()["code"] == "already_settled"


def test_waiting_ends_when_it_was_said_to(agent: Agent) -> None:
    said = agent.ask(amount=5005).json()
    assert agent.look(said["id"], 1).status_code == 202
    for wait in ("61", "-1", "x", "1&also=2", "٣"):
        answer = agent.send("GET", f"/v1/actions/{said['id']}?wait={wait}")
        assert (answer.status_code, answer.json()["field"]) == (422, "wait")


def test_too_many_waiting_are_refused(agent: Agent) -> None:
    answers = [agent.ask(amount=6000 + n) for n in range(6)]
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert answers[-1].json()["code"] == "too_many_holds"


DEEP: Any = {"a": 1}
for _ in range(20):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"\xff\xfe{}", "body"),
        (b'{"operation": "a.b", "operation": "c.d"}', "body"),
        (b'{"operation": "a.b", "arguments": {"x": 1, "x": 2}}', "body"),
        (b'{"operation": "a.b", "arguments": {"x": NaN}}', "body"),
        (b"[" * 100_00 + b"]" * 100_00, "body"),
        (b'{"operation": "nodots"}', "operation"),
        (b'{"operation": "Pay.Ments"}', "operation"),
        (b'{"operation": "a.b\\u0000"}', "operation"),
        (b'{"operation": "p\xd0\xb0yments.transfer"}', "operation"),
        (b'{"operation": 7}', "operation"),
        (json.dumps({"operation": "a." + "b" * 64}).encode(), "operation"),
        (b'{"operation": "a.b", "arguments": []}', "arguments"),
        (b'{"operation": "a.b", "arguments": {"__entity": {}}}', "arguments"),
        (b'{"operation": "a.b", "arguments": {"x": 9007199254740993}}', "arguments"),
        (b'{"operation": "a.b", "arguments": {"x": "\\ud800"}}', "arguments"),
        (json.dumps({"operation": "a.b", "arguments": DEEP}).encode(), "arguments"),
        (json.dumps({"operation": "a.b", "arguments": {"x": [0] * 2_001}}).encode(), "arguments"),
        (b'{"operation": "a.b", "approval": true}', "approval"),
    ],
)
def test_a_request_that_cannot_be_understood_names_the_field(agent: Agent, body: bytes, field: str) -> None:
    before = Action.objects.count()
    answer = agent.send("POST", "/v1/actions", content=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    said = answer.json()
    assert (answer.status_code, said["field"]) == (422, field)
    assert said["detail"]
    assert said["remedy"]
    assert Action.objects.count() == before


def test_a_body_that_is_too_long_is_not_read(agent: Agent) -> None:
    said = json.dumps({"operation": "a.b", "arguments": {"x": "y" * 70_000}}).encode()
    answer = agent.send("POST", "/v1/actions", content=said, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_long")


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 101])
def test_without_a_usable_key_nothing_is_asked(agent: Agent, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()} if key else {}
    answer = agent.send("POST", "/v1/actions", json={"operation": "a.b"}, headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


def test_other_methods_and_addresses_are_refused(agent: Agent) -> None:
    assert agent.send("GET", "/v1/actions").status_code == 405
    assert agent.send("DELETE", f"/v1/actions/{uuid.uuid4()}").status_code == 405
    for path in ("/v1/actionsX", "/v1/actions/", "/v1/actions/x", f"/v1/actions/{uuid.uuid4()}/else"):
        assert agent.send("GET", path).status_code == 404


def test_an_agent_sees_no_action_of_another_resource(agent: Agent) -> None:
    said = agent.ask(amount=2).json()
    inventory.add_resource(
        "attic", segment=agent.world.segment, owner=agent.world.cast.owner, actor=agent.world.cast.engineer,
        host="localhost", database="attic", tls="off",
    )  # fmt: skip
    agent.token = agent.world.token(resource="attic")
    assert agent.look(said["id"]).status_code == 404
    assert agent.report(said["id"], status="done").status_code == 404
    assert agent.send("POST", f"/v1/actions/{said['id']}/withdraw").status_code == 404


def test_a_revoked_credential_asks_no_more_and_its_session_ends(agent: Agent) -> None:
    said = agent.ask(amount=3).json()
    found = Action.objects.get(id=said["id"])
    inventory.revoke_credential(found.credential_id, actor=agent.world.cast.engineer, reason="Lost.")
    assert agent.ask(amount=3).json()["code"] == "credential_revoked"
    eventually(lambda: Session.objects.get(id=found.session_id).ended_at, within=15)
    assert Session.objects.get(id=found.session_id).end_reason == "The credential of this session was revoked."


def test_a_session_ends_after_five_silent_minutes(agent: Agent) -> None:
    found = Action.objects.get(id=agent.ask(amount=4).json()["id"])
    visits = agent.world.gateway.service._visits
    visits.end_silent(before=0.0)
    assert not Session.objects.get(id=found.session_id).ended_at
    visits.end_silent(before=float("inf"))
    eventually(lambda: Session.objects.get(id=found.session_id).ended_at, within=15)
    later = Action.objects.get(id=agent.ask(amount=4).json()["id"])
    assert later.session_id != found.session_id


def test_whoever_proves_nothing_is_refused_and_recorded(agent: Agent) -> None:
    before = Outbox.objects.filter(event=Event.SESSION_REFUSED).count()
    agent.token = "nonsense"
    answer = agent.ask(amount=1)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert Outbox.objects.filter(event=Event.SESSION_REFUSED).count() == before + 1


def test_a_gateway_that_died_takes_nothing_from_what_agents_do_themselves(agent: Agent) -> None:
    said = agent.ask(amount=8).json()
    node = Action.objects.get(id=said["id"]).node_id
    Session.objects.filter(node_id=node).update(ended_at=db_now())
    mark_uncertain(node)
    assert Action.objects.get(id=said["id"]).status == "released"
    assert agent.report(said["id"], status="done").json()["status"] == "done"


def test_what_is_never_reported_is_uncertain_after_a_day(agent: Agent) -> None:
    said, young = agent.ask(amount=9).json(), agent.ask(amount=10).json()
    Action.objects.filter(id=said["id"]).update(released_at=db_now() - timedelta(hours=25))
    assert asking.give_up_unreported() == 1
    assert Action.objects.get(id=said["id"]).status == "uncertain"
    assert Action.objects.get(id=young["id"]).status == "released"
    assert entries(said["id"])[-1][0] == Event.ACTION_UNCERTAIN
    assert agent.report(said["id"], status="done").status_code == 409
