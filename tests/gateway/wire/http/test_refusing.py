"""What never reaches the API, however it is written."""

from __future__ import annotations

import json
import time

import pytest

from activity.models import Action
from ledger.events import Event
from ledger.models import Outbox
from tests.gateway.wire.http.agent import Agent, last


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
        ("CONNECT evil.test:443 HTTP/1.1\nHost: localhost\nConnection: close\n\n", b"400"),
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


def test_a_body_that_is_read_first_has_an_end_and_says_how_it_may_be_longer(agent: Agent) -> None:
    pieces = (b"x" * 100_000 for _ in range(11))
    for body in (
        {"json": {"amount": 1, "to": "x" * 1_100_000}},
        {"content": pieces, "headers": {"Content-Type": "text/csv"}},
    ):
        refused = agent.send("POST", "/transfers", **body)
        assert (refused.status_code, refused.json()["code"]) == (413, "too_long")
        assert "Content-Length" in refused.json()["remedy"]
    assert not agent.api.seen


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
    assert last(shape="moved", status="failed").message


def test_a_change_whose_answer_is_refused_may_have_happened(agent: Agent) -> None:
    assert agent.send("POST", "/moved/away").json()["code"] == "redirect_denied"
    assert "redirects" in last(shape="moving", status="uncertain").message


def test_whatever_breaks_at_the_gate_leaves_an_outcome(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_given: object) -> None:
        raise LookupError("a fault of ours")

    monkeypatch.setattr("gateway.http.relaying._passing", breaks)
    for method, path, shape, status in (
        ("POST", "/transfers", "createTransfer", "uncertain"),
        ("GET", "/customers", "listCustomers", "failed"),
    ):
        assert agent.send(method, path, json={"amount": 5} if method == "POST" else None).status_code == 500
        assert last(shape=shape, status=status, message="Something broke at the gate.")


# ---- heads without an end ----
def test_a_head_that_grows_is_refused_whatever_part_of_it_grows(agent: Agent) -> None:
    begun = "GET /http/bank/customers HTTP/1.1\nHost: localhost\nConnection: close\n"
    for grows in ("X-Long: ", "X-a: b\n" * 9_999 + "X-Long: "):
        got = agent.raw(begun + grows, b"a" * 70_000)
        assert got.startswith(b"HTTP/1.1 400 "), got[:200]
        assert b"more than 65536 bytes" in got
    assert not agent.api.seen


def test_a_head_that_does_not_arrive_is_not_waited_for(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.https.HEAD_WITHIN", 0.3)
    for sent in ("", "GET /http/bank/cust", "GET /http/bank/customers HTTP/1.1\nHost: localhost\n"):
        began = time.monotonic()
        assert agent.raw(sent) == b""
        assert 0.2 < time.monotonic() - began < 5
    assert not agent.api.seen


def test_a_body_that_does_not_arrive_is_not_waited_for(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.door.WITHIN", 0.3)
    head = "POST /http/bank/transfers HTTP/1.1\nHost: x\nAuthorization: Bearer TOKEN\nContent-Type: application/json\nContent-Length: 9\n\n"
    assert agent.raw(head, b"{").startswith(b"HTTP/1.1 408 ")
    assert not agent.api.seen


def test_a_field_after_the_body_is_no_field_of_the_head(agent: Agent) -> None:
    head = (
        "POST /http/bank/transfers HTTP/1.1\nHost: localhost\nAuthorization: Bearer TOKEN\nContent-Type: application/json\n"
        "Transfer-Encoding: chunked\nConnection: close\n\n2\n{}\n0\nAuthorization: Bearer x\n\n"
    )
    got = agent.raw(head)
    assert got.startswith(b"HTTP/1.1 400 "), got[:200]
    assert not agent.api.seen
