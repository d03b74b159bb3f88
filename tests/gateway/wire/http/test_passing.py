"""Agents reach an API through the gate: what passes, what waits for people, and what breaks."""

from __future__ import annotations

import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from activity.actions import cut_session
from activity.models import Frame, Session
from agents import actions as inventory
from agents.api_actions import describe_api
from agents.models import Resource
from approvals import actions as approvals
from approvals.models import Hold
from gateway.http.targets import Target
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.http.agent import Agent, last
from tests.gateway.wire.http.upstream import CUSTOMERS, DOCUMENT, SECRET, Seen
from tests.gateway.wire.world import eventually

TRANSFER = {"amount": 250, "to": "DE02"}


# ---- what passes ----
def test_a_read_passes_with_the_gates_credential_and_its_answer_masked(agent: Agent) -> None:
    response = agent.send(
        "GET", "/customers?page=1", headers={"X-Api-Key": "mine", "Cookie": "a=1", "Accept": "application/json"}
    )
    assert response.status_code == 200
    said = response.json()
    assert [one["email"] for one in said["data"]] == ["***", "***"]
    assert said["data"][0]["address"] == {"city": "Bonn", "phone": "***"}
    assert "set-cookie" not in response.headers
    assert response.headers["etag"] == '"7"'
    (seen,) = agent.api.seen
    assert seen.line == "GET /v1/customers?page=1 HTTP/1.1"
    assert seen.header("authorization") == [f"Bearer {SECRET}"]
    assert not seen.header("cookie") + seen.header("x-api-key")
    assert seen.header("host") == [f"127.0.0.1:{agent.api.port}"]
    found = last(shape="listCustomers", status="done")
    assert (found.verb, found.masked, found.masked_values, found.enforced) == ("http:read", True, 3, True)
    frame = Frame.objects.get(action_id=found.id)
    assert "ann@example.com" not in str(frame.rows)
    session = Session.objects.get(id=found.session_id)
    assert session.protocol == "http"
    assert Outbox.objects.filter(event=Event.SECRET_USED).exists()


def test_a_write_passes_as_it_was_decided(agent: Agent) -> None:
    body = json.dumps(TRANSFER, indent=1).encode()
    headers = {"Content-Type": "application/json", "X-Reason": "refund", "Idempotency-Key": "k1", "X-Other": "no"}
    response = agent.send("POST", "/transfers", content=body, headers=headers)
    assert (response.status_code, response.json()["got"]) == (201, len(body))
    (seen,) = agent.api.seen
    assert (seen.body, seen.header("x-reason"), seen.header("idempotency-key")) == (body, ["refund"], ["k1"])
    assert not seen.header("x-other")
    found = last(shape="createTransfer", status="done")
    assert found.summary == 'createTransfer: amount 250, to "DE02"'
    assert '"amount": 250' in found.shown


def test_curl_reads_through_the_gate(agent: Agent) -> None:
    done = subprocess.run(
        ["curl", "-sS", "--cacert", str(agent.world.ca), "-H", f"Authorization: Bearer {agent.token}", f"{agent.door}/http/bank/customers/1"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["total"] == 2


@pytest.mark.parametrize("how", ["packed", "error"])
def test_packed_answers_and_errors_are_masked_too(agent: Agent, how: str) -> None:
    response = agent.send("GET", f"/customers?{how}=1")
    assert response.json()["data"][1]["email"] == "***"
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize("how", ["broken", "html", "brotli"])
def test_what_is_tagged_and_cannot_be_read_does_not_come_back(agent: Agent, how: str) -> None:
    response = agent.send("GET", f"/customers?{how}=1")
    assert (response.status_code, response.json()["code"]) == (502, "answer_unclear")
    assert "example.com" not in response.text
    found = last(shape="listCustomers", status="failed")
    assert "example.com" not in str(Frame.objects.get(action_id=found.id).rows)


def test_the_credential_does_not_come_back_however_the_answer_is_cut(agent: Agent) -> None:
    response = agent.send("GET", "/echo")
    assert SECRET not in response.text + str(response.headers)
    assert "Authorization: Bearer ***" in response.text
    assert SECRET not in str(Frame.objects.get(action_id=last(shape="echo", status="done").id).rows)


def test_events_stream_and_end_with_the_client(agent: Agent) -> None:
    headers = {"Authorization": f"Bearer {agent.token}"}
    with agent.http.stream("GET", "/http/bank/events", headers=headers) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"data: 0\n\n"
        agent.api.more.set()
        assert next(pieces) == b"data: 1\n\n"
    for _ in range(3):
        agent.api.more.set()
    assert last(shape="events", status="done").message == "The client left before the answer ended."


def test_a_revoked_credential_ends_a_stream(agent: Agent) -> None:
    headers = {"Authorization": f"Bearer {agent.token}"}
    with agent.http.stream("GET", "/http/bank/events", headers=headers) as response:
        pieces = response.iter_raw()
        next(pieces)
        found = last(shape="events", status="released")
        inventory.revoke_credential(found.credential_id, actor=agent.world.cast.engineer, reason="Lost.")
        with pytest.raises(httpx.HTTPError):
            for _ in pieces:
                pass
    assert last(id=found.id, status="done").message == "The credential of this session was revoked."
    assert agent.send("GET", "/echo").status_code == 401


# ---- people ----
def test_a_held_request_waits_and_the_same_again_collects_it(agent: Agent) -> None:
    large = {"amount": 5000, "to": "DE02"}
    waits = agent.send("POST", "/transfers", json=large)
    assert (waits.status_code, waits.json()["status"]) == (202, "held")
    assert not agent.api.seen
    hold = Hold.objects.get(action_id=waits.json()["id"])
    assert (hold.verb, hold.shape, hold.enforced) == ("http:write", "createTransfer", True)
    look = agent.http.get(waits.headers["location"], headers={"Authorization": f"Bearer {agent.token}"})
    assert look.json()["status"] == "held"
    approvals.approve(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest)
    assert agent.send("POST", "/transfers", json=large).status_code == 201
    assert len(agent.api.seen) == 1
    assert agent.send("POST", "/transfers", json=large).status_code == 202
    assert len(agent.api.seen) == 1


def test_a_client_may_wait_for_people(agent: Agent) -> None:
    large = {"amount": 5001, "to": "DE02"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.send, "POST", "/transfers", json=large, headers={"Prefer": "wait=30"})
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        approvals.approve(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest)
        assert waiting.result(30).status_code == 201
    assert (
        agent.send("POST", "/transfers", json={**large, "amount": 5002}, headers={"Prefer": "wait=1"}).status_code
        == 202
    )


def test_other_bytes_are_another_action(agent: Agent) -> None:
    large = {"amount": 5003, "to": "DE02"}
    hold = Hold.objects.get(action_id=agent.send("POST", "/transfers", json=large).json()["id"])
    approvals.approve(hold.id, actor=agent.world.cast.reviewer, seen=hold.digest)
    assert agent.send("POST", "/transfers", json={**large, "to": "EVIL"}).status_code == 202
    assert agent.send("POST", "/transfers", json=large, headers={"X-Reason": "other"}).status_code == 202
    assert not agent.api.seen


# ---- what breaks ----
def test_a_lost_answer_leaves_a_write_uncertain(agent: Agent) -> None:
    reading, writing = agent.send("GET", "/dies"), agent.send("POST", "/dies")
    assert (reading.status_code, writing.status_code) == (502, 502)
    assert last(shape="diesReading", status="failed").message
    assert last(shape="diesWriting", status="uncertain").message


def test_an_api_that_is_not_there_is_a_clear_problem(agent: Agent) -> None:
    cast = agent.world.cast
    gone = inventory.add_resource(
        f"gone-{uuid.uuid4().hex[:6]}", kind="http", segment=agent.world.segment, owner=cast.owner, actor=cast.engineer, host="localhost", port=1,
        tls="off",
    )  # fmt: skip
    agent.token = agent.world.token(resource=gone.name)

    def code() -> str:
        answer = agent.http.get(f"/http/{gone.name}/customers", headers={"Authorization": f"Bearer {agent.token}"})
        return str(answer.json()["code"])

    assert eventually(lambda: code() == "no_description")
    describe_api(gone.id, document=json.dumps(DOCUMENT), actor=cast.engineer)
    assert eventually(lambda: code() == "resource_unavailable")


def test_a_cut_session_ends_and_another_begins(agent: Agent) -> None:
    agent.send("GET", "/customers/1")
    session = Session.objects.get(id=last(shape="getCustomer", status="done").session_id)
    cut_session(session.id, actor=agent.world.cast.engineer, reason="Look into it")
    eventually(
        lambda: agent.world.gateway.service._visits._open == {} or Session.objects.get(id=session.id).ended_at,
        within=15,
    )
    assert agent.send("GET", "/customers/1").status_code == 200
    assert last(shape="getCustomer").session_id != session.id


def test_customers_are_as_the_api_has_them(agent: Agent) -> None:
    """What is not tagged passes untouched: the mask is the list's alone."""
    assert agent.send("GET", "/customers/1").json()["data"] == CUSTOMERS
    assert isinstance(agent.api.seen[0], Seen)


def test_half_an_answer_is_not_passed_off_as_a_whole_one(agent: Agent) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        agent.send("GET", "/cut")
    assert last(shape="cut", status="failed").message == "The API broke off."
    with pytest.raises(httpx.RemoteProtocolError):
        agent.send("POST", "/cut")
    assert last(shape="cutting", status="uncertain").message == "The API broke off."
    assert agent.send("GET", "/customers/1").status_code == 200


def test_a_gate_that_has_not_heard_for_a_moment_waits_for_its_database(agent: Agent) -> None:
    watch = agent.world.gateway.service._watch
    for _ in range(5):
        watch._heard -= 10
        assert agent.send("GET", "/customers/1").status_code == 200


# ---- what is kept between requests ----
def test_the_use_of_a_credential_is_recorded_once_a_session(agent: Agent) -> None:
    before = Outbox.objects.filter(event=Event.SECRET_USED).count()
    agent.token, other = agent.world.token(resource="bank"), agent.token
    for _ in range(3):
        agent.send("GET", "/customers/1")
        agent.token, other = other, agent.token
        agent.send("GET", "/customers/1")
    assert Outbox.objects.filter(event=Event.SECRET_USED).count() == before + 2


def test_connections_outlive_changes_that_do_not_concern_them(agent: Agent) -> None:
    targets, cast = agent.world.gateway.service._targets, agent.world.cast
    headers = {"Authorization": f"Bearer {agent.token}"}
    with agent.http.stream("GET", "/http/bank/events", headers=headers) as response:
        pieces = response.iter_raw()
        next(pieces)
        revision, before = targets._known["bank"]
        inventory.create_segment(f"s-{uuid.uuid4().hex[:6]}", purpose="Something else", actor=cast.engineer)
        bank = Resource.objects.get(name="bank")

        def read_again() -> Target:
            assert agent.send("GET", "/customers/1").status_code == 200
            assert targets._known["bank"][0] > revision
            return targets._known["bank"][1]

        assert eventually(read_again).pool is before.pool
        revision = targets._known["bank"][0]
        inventory.change_resource(bank.id, actor=cast.engineer, connections=21)
        assert eventually(read_again).pool is not before.pool
        agent.api.more.set()
        assert next(pieces) == b"data: 1\n\n"
    for _ in range(3):
        agent.api.more.set()
