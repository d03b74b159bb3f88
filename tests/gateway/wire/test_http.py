"""Agents reach an API through the gate: real requests, a real API, and what never reaches it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from activity.models import Action, Frame, Session
from agents import actions as inventory
from agents.api_actions import describe_api
from approvals import actions as approvals
from approvals.models import Hold
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.api_upstream import CUSTOMERS, DOCUMENT, SECRET, Api, Seen
from tests.gateway.wire.doors import client, served, trusting
from tests.gateway.wire.world import World, eventually

TRANSFER = {"amount": 250, "to": "DE02"}


@pytest.fixture(scope="module")
def api(standing_world: World) -> Iterator[Api]:
    api, cast = Api(), standing_world.cast
    server = api.start()
    bank = inventory.add_resource(
        "bank", kind="http", segment=standing_world.segment, owner=cast.owner, actor=cast.engineer, host="127.0.0.1",
        port=api.port, path="/v1", tls="off", connections=20,
    )  # fmt: skip
    inventory.store_secret(bank.id, user="Bearer", password=SECRET, actor=cast.engineer)
    describe_api(bank.id, document=json.dumps(DOCUMENT), actor=cast.engineer)
    for column, tag in (("data[].email", "email"), ("**.phone", "phone")):
        inventory.confirm_tag(
            bank.id, schema="response", table="listCustomers", column=column, tag=tag, actor=cast.engineer
        )
    yield api
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def door(standing_world: World, api: Api) -> Iterator[str]:
    with served(standing_world) as address:
        yield address


class Agent:
    """An agent's program, that speaks HTTP."""

    def __init__(self, world: World, door: str, api: Api, http: httpx.Client) -> None:
        self.world, self.door, self.api, self.http = world, door, api, http
        self.token = world.token(resource="bank")
        api.seen.clear()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.http.request(method, f"/http/bank{path}", headers=headers, **options)

    def raw(self, head: str, body: bytes = b"") -> bytes:
        """Bytes as no client would send them; what came back."""
        port = int(self.door.rpartition(":")[2])
        with (
            socket.create_connection(("localhost", port), timeout=20) as plain,
            trusting(self.world).wrap_socket(plain, server_hostname="localhost") as stream,
        ):
            stream.sendall(head.replace("TOKEN", self.token).replace("\n", "\r\n").encode("latin-1") + body)
            got = b""
            try:
                while piece := stream.recv(65_536):
                    got += piece
            except (OSError, ssl.SSLError):
                pass
            return got


@pytest.fixture
def agent(standing_world: World, door: str, api: Api) -> Iterator[Agent]:
    with client(standing_world, door) as http:
        yield Agent(standing_world, door, api, http)
    Hold.objects.filter(status="waiting").update(status="withdrawn")


def last(**wanted: Any) -> Action:
    """The newest action at the API, once it is as wanted."""
    found = eventually(lambda: Action.objects.filter(**wanted).order_by("-asked_at", "-number").first())
    assert found is not None
    return found


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
    from concurrent.futures import ThreadPoolExecutor

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


# ---- what never reaches the API ----
@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/admin", "unlisted_operation"),
        ("POST", "/customers", "unlisted_operation"),
        ("PATCH", "/customers/1", "unlisted_operation"),
        ("TRACE", "/customers", "unlisted_operation"),
        ("GET", "/Customers", "unlisted_operation"),
        ("GET", "/customers/", "unlisted_operation"),
        ("GET", "/customers?admin=1", "unlisted_parameter"),
        ("GET", "/customers?_method=DELETE", "unlisted_parameter"),
        ("DELETE", "/customers/1", "no_match"),
    ],
)
def test_what_is_not_listed_or_not_permitted_is_denied(agent: Agent, method: str, path: str, code: str) -> None:
    response = agent.send(method, path)
    said = response.json()
    assert (response.status_code, said["code"]) == (403, code)
    assert Action.objects.get(id=said["action"]).status == "denied"
    assert not agent.api.seen


def test_a_token_for_another_resource_is_refused_and_recorded(agent: Agent) -> None:
    agent.token = agent.world.token(resource="shop")
    refused = agent.send("GET", "/customers")
    assert (refused.status_code, refused.json()["code"]) == (403, "wrong_resource")
    assert agent.api.seen == []
    entry = json.loads(bytes(Outbox.objects.filter(event=Event.SESSION_REFUSED).latest("id").leaf))
    assert (entry["details"]["code"], entry["subject"]["name"]) == ("wrong_resource", "bank")


@pytest.mark.parametrize(
    "path",
    [
        "/customers/../transfers", "/customers/%2e%2e/transfers", "/customers/..%2ftransfers", "//customers", "/customers//1", "/customers/1%2f2",
        "/customers/1;a=b", "/customers/%00", "/customers/%c0%af", "/customers/1.", "/customers/\\1", "/customers/%5c1", "/customers/%252e",
        "/customers/1%0d%0aX-Evil:1",
    ],
)  # fmt: skip
def test_tricks_with_paths_are_denied(agent: Agent, path: str) -> None:
    got = agent.raw(
        f"GET /http/bank{path} HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nConnection: close\n\n"
    )
    assert got.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400")), got[:200]
    assert not agent.api.seen


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /http/bank/transfers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nContent-Type: application/json\nContent-Length: 2\nTransfer-Encoding: chunked\nConnection: close\n\n2\n{}\n0\n\n", b"400"),
        ("POST /http/bank/transfers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nContent-Length: 2\nContent-Length: 3\nConnection: close\n\n{}", b"400"),
        ("POST /http/bank/transfers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nTransfer-Encoding: xchunked\nConnection: close\n\n{}", b"400"),
        ("GET /http/bank/customers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nAuthorization: Bearer x\nConnection: close\n\n", b"400"),
        ("GET http://evil.test/customers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nConnection: close\n\n", b"404"),
        ("GET /http/bank/events HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: x\n\n", b"501"),
        ("CONNECT evil.test:443 HTTP/1.1\nHost: localhost\nConnection: close\n\n", b"404"),
        ("GET /http/other/customers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nConnection: close\n\n", b"403"),
        ("GET /http/bank/customers HTTP/1.1\nHost: localhost\nConnection: close\n\n", b"401"),
        ("GET /http/BANK/customers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nConnection: close\n\n", b"404"),
    ],
)  # fmt: skip
def test_smuggled_and_misdirected_requests_are_refused(agent: Agent, head: str, status: bytes) -> None:
    got = agent.raw(head)
    assert got.split(b" ", 2)[1:2] == [status], got[:300]
    assert not agent.api.seen


def test_a_websocket_is_refused(agent: Agent) -> None:
    head = "GET /http/bank/events HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n"
    assert agent.raw(head).split(b" ", 2)[1:2] in ([b"403"], [b"501"])
    assert not agent.api.seen


def test_hosts_and_overrides_are_the_gates_to_say(agent: Agent) -> None:
    names = (
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "Forwarded",
        "Via",
        "TE",
        "Range-Unit",
    )
    headers = dict.fromkeys(names, "DELETE") | {
        "Host": "evil.test",
        "Proxy-Authorization": "Basic x",
        "Content-Type": "application/json",
    }
    assert agent.send("GET", "/customers/1", headers=headers).status_code == 200
    (seen,) = agent.api.seen
    assert {name.lower() for name, _ in seen.headers} <= {
        "host",
        "user-agent",
        "accept-encoding",
        "authorization",
        "accept",
    }
    assert seen.header("host") == [f"127.0.0.1:{agent.api.port}"]


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'{"amount": 1, "amount": 5000}', "application/json"),
        (b'{"amount": NaN}', "application/json"),
        (b'{"amount": 1', "application/json"),
        (b"\xff", "application/json"),
        (b'{"amount": 1}', "text/plain"),
        (b'{"amount": 1}', ""),
        (b"amount=1", "application/x-www-form-urlencoded"),
        (b'{"__entity": 1}', "application/json"),
    ],
)
def test_bodies_that_could_be_read_otherwise_are_denied(agent: Agent, body: bytes, media: str) -> None:
    headers = {"Content-Type": media} if media else {}
    response = agent.send("POST", "/transfers", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (403, "body_denied")
    assert not agent.api.seen


def test_a_packed_body_is_denied(agent: Agent) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert agent.send("POST", "/transfers", content=b"x", headers=headers).json()["code"] == "body_denied"


def test_an_amount_of_another_kind_is_denied_not_overlooked(agent: Agent) -> None:
    for amount in ("5000", 5000.5, None, [5000]):
        response = agent.send("POST", "/transfers", json={"amount": amount})
        assert (response.status_code, response.json()["code"]) == (403, "malformed_request")
    assert not agent.api.seen


def test_a_body_of_another_kind_is_covered_by_its_hash(agent: Agent) -> None:
    assert agent.send("POST", "/transfers", content=b"a,b\n", headers={"Content-Type": "text/csv"}).status_code == 201
    assert '"sha256"' in last(shape="createTransfer").shown
    assert (
        agent.send("POST", "/transfers", content=b"x" * 1_100_000, headers={"Content-Type": "text/csv"}).status_code
        == 413
    )


def test_redirects_lead_within_the_resource_or_nowhere(agent: Agent) -> None:
    inside = agent.send("GET", "/moved/inside")
    assert (inside.status_code, inside.headers["location"]) == (302, "/http/bank/customers?page=2")
    for how in ("away", "up"):
        answer = agent.send("GET", f"/moved/{how}")
        assert (answer.status_code, answer.json()["code"], "location" in answer.headers) == (
            502,
            "redirect_denied",
            False,
        )


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
    from activity.actions import cut_session

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
