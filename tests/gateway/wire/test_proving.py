"""`@proof`: however young its credential, an agent shows that its key is held before what policy guards is released."""

from __future__ import annotations

import json
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import psycopg
import pytest
from joserfc import jwt
from typer.testing import CliRunner

from activity.models import Action
from agents import actions as inventory
from agents import certificates, keys
from agents.certificates import CertificateRequest
from agents.possession import PROOF_TYPE
from approvals import actions as approvals
from approvals.models import Hold
from cli.main import commands
from core.ids import new_id
from gateway import https
from gateway.postgres.session import Session as Live
from ledger.events import Event
from ledger.models import Outbox
from policies import actions as policies
from tests.gateway.wire.doors import served, trusting
from tests.gateway.wire.test_certificates import Holder
from tests.gateway.wire.test_https_door import Prover, curl, token_form
from tests.gateway.wire.world import POLICIES, World, eventually, proven

UPDATE = "UPDATE orders SET note = 'x' WHERE id = 7"
DELETE = "DELETE FROM orders WHERE id = 8"
GUARDED = (
    POLICIES.replace('@id("writes")', '@id("writes") @proof("60s")')
    .replace('@id("deletes-need-people")', '@id("deletes-need-people") @proof("30s")')
    .replace('@id("pays")', '@id("pays") @proof("60s")')
)


@pytest.fixture(scope="module")
def world(standing_world: World) -> World:
    """A gateway that decides by policies which ask for proofs."""
    cast = standing_world.cast
    version = policies.propose(policies.draft(GUARDED, actor=cast.engineer).id, actor=cast.engineer)
    version = policies.activate(policies.approve(version.id, actor=cast.ciso).id, actor=cast.engineer)

    def decides() -> bool:
        with standing_world.connect() as connection:
            connection.execute("SELECT 1")
        return Action.objects.filter(policy_version=version.number).exists()

    assert eventually(decides)
    return standing_world


@pytest.fixture
def connection(world: World) -> Iterator[psycopg.Connection[Any]]:
    with world.connect() as connection:
        yield connection


def refused(connection: psycopg.Connection[Any], sql: str = UPDATE) -> tuple[str, str]:
    """The refusal's words, and the challenge in its hint; empty where there is none."""
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(sql)
    found = re.search(r"narrowgate proof support\.production (\S+) prints", caught.value.diag.message_hint or "")
    return str(caught.value.diag.message_primary), found[1] if found else ""


def proof(world: World, challenge: str, *, key: keys.Key | None = None, **changed: Any) -> str:
    held = key or world.key
    algorithm = keys.algorithm_of(held)
    head = {"alg": algorithm, "typ": changed.pop("typ", PROOF_TYPE), "kid": changed.pop("kid", keys.kid_of(held))}
    claims = {"iss": world.agent.name, "challenge": challenge} | changed
    return jwt.encode(head, claims, held, algorithms=[algorithm])


def give(connection: psycopg.Connection[Any], text: str) -> None:
    connection.execute(f"SET narrowgate.proof = '{text}'")


def live(world: World, connection: psycopg.Connection[Any]) -> Live:
    return next(one for pid, (_, one) in world.gateway.service._sessions.items() if pid == connection.info.backend_pid)


def age(world: World, connection: psycopg.Connection[Any], seconds: float) -> None:
    """Let a session's proof be that much older."""
    session = live(world, connection)
    session.caller = replace(session.caller, proved=session.caller.proved - seconds)


def test_a_token_alone_does_not_reach_what_asks_for_a_proof(world: World, connection: Any) -> None:
    assert connection.execute("SELECT name FROM customers WHERE id = 7").fetchone() == ("Name 7",)
    said, challenge = refused(connection)
    assert "Policy asks for a proof, at most 60 s old, that the agent's key is held." in said
    assert Action.objects.latest("asked_at").code == "proof_needed"
    text = proof(world, challenge)
    give(connection, text)
    assert connection.execute(UPDATE).rowcount == 1
    leaves = [bytes(one.leaf).decode() for one in Outbox.objects.all()]
    assert any(Event.SESSION_PROVED in leaf for leaf in leaves)
    assert not any(text in leaf for leaf in leaves)
    age(world, connection, 61)
    assert "proof" in refused(connection)[0]


def test_a_proof_that_does_not_answer_proves_nothing(world: World, connection: Any) -> None:
    _, challenge = refused(connection)
    assert "does not answer" in refused(connection, f"SET narrowgate.proof = '{proof(world, challenge + 'x')}'")[0]
    again = refused(connection, f"SET narrowgate.proof = '{proof(world, challenge)}'")[0]
    assert "asked for no proof since" in again  # a challenge is good for one answer, right or wrong
    for changed in ({"key": keys.generate("ES256")}, {"typ": "JWT"}, {"iss": "root.production"}, {"kid": "other"}):
        _, challenge = refused(connection)
        assert "proof" in refused(connection, f"SET narrowgate.proof = '{proof(world, challenge, **changed)}'")[0]
    assert "proof" in refused(connection)[0]
    shown = Action.objects.filter(code="proof_refused").values_list("shown", flat=True)
    assert shown
    assert all("eyJ" not in one for one in shown)


def test_another_sessions_challenge_is_none_of_this_one(world: World, connection: Any) -> None:
    with world.connect() as other:
        _, challenge = refused(other)
        refused(connection)
        assert "does not answer" in refused(connection, f"SET narrowgate.proof = '{proof(world, challenge)}'")[0]
        give(other, proof(world, challenge))
        assert "proof" in refused(connection)[0]


def test_a_connection_with_a_certificate_has_proved_it(world: World, tmp_path: Path) -> None:
    holder = Holder(tmp_path)
    holder.take(certificates.certify(CertificateRequest(**proven(world.agent, world.key), csr=holder.csr)).chain)
    with world.connect(**holder.files()) as connection:
        assert connection.execute(UPDATE).rowcount == 1
        age(world, connection, 61)
        _, challenge = refused(connection)
        give(connection, proof(world, challenge))
        assert connection.execute(UPDATE).rowcount == 1


def test_the_command_signs_what_the_gate_asked(world: World, connection: Any, tmp_path: Path) -> None:
    held = tmp_path / "agent.jwk"
    held.write_text(json.dumps(world.key.as_dict(private=True)), encoding="utf-8")
    _, challenge = refused(connection)
    done = CliRunner().invoke(commands, ["proof", world.agent.name, challenge, "--key", str(held)])
    give(connection, done.stdout.strip())
    assert connection.execute(UPDATE).rowcount == 1


def test_what_people_approved_waits_for_the_proof(world: World, connection: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(refused, connection, DELETE)
        hold = eventually(lambda: Hold.objects.filter(status="waiting").first())
        assert hold is not None
        approvals.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest)
        said, challenge = runs.result(30)
    assert "at most 30 s old" in said
    hold.refresh_from_db()
    assert hold.status == "approved"
    give(connection, proof(world, challenge))
    assert connection.execute(DELETE).rowcount == 1
    hold.refresh_from_db()
    assert (hold.status, Hold.objects.count()) == ("released", 1)


def test_a_key_that_was_revoked_proves_nothing(world: World, connection: Any) -> None:
    fresh = keys.generate("ES256")
    added = inventory.add_key(world.agent.id, public_jwk=keys.public_jwk(fresh), actor=world.cast.engineer)
    _, challenge = refused(connection)
    inventory.revoke_key(added.id, actor=world.cast.engineer, reason="Lost.")
    assert "proof" in refused(connection, f"SET narrowgate.proof = '{proof(world, challenge, key=fresh)}'")[0]


def test_over_http_the_proof_of_the_request_counts(world: World) -> None:
    with served(world) as door:
        bound = Prover(world, door)
        said = {"operation": "payments.transfer", "arguments": {"amount": 5}}
        with bound.client:
            token = bound.token(world)
            answer = bound.client.post(
                f"{door}/v1/actions",
                json=said,
                headers={
                    "DPoP": bound.proof("POST", "/v1/actions", token),
                    "Authorization": f"DPoP {token}",
                    "Idempotency-Key": str(new_id()),
                },
            )
            assert (answer.status_code, answer.json()["status"]) == (200, "released")
            bearer = {"Authorization": f"Bearer {world.token()}", "Idempotency-Key": uuid.uuid4().hex}
            refused = bound.client.post(f"{door}/v1/actions", json=said, headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "proof_needed")
        assert "bound to a key" in refused.json()["remedy"]


def showing(world: World, holder: Holder) -> ssl.SSLContext:
    """TLS as a client with that certificate has it, of the version whose sessions a client can keep at once."""
    context, files = trusting(world), holder.files()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files["sslcert"], files["sslkey"])
    return context


def asked(
    tls: ssl.SSLContext, door: str, token: str, session: ssl.SSLSession | None = None
) -> tuple[Any, ssl.SSLSession | None]:
    """The answer to a payment that is asked over a connection of its own; and that connection's session."""
    body = json.dumps({"operation": "payments.transfer", "arguments": {"amount": 5}}).encode()
    head = f"POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
    head += f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    port = int(door.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        tls.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
    ):
        secure.sendall(head.encode() + body)
        answer = HTTPResponse(secure)
        answer.begin()
        return json.loads(answer.read()), secure.session


def test_over_http_a_new_connection_proves_the_certificates_key_and_a_resumed_one_does_not(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = Holder(tmp_path)
    holder.take(certificates.certify(CertificateRequest(**proven(world.agent, world.key), csr=holder.csr)).chain)
    with served(world) as door:
        _, got = curl(world, door, "/oauth/token", *token_form(world), holder=holder)
        token = got["access_token"]
        tls = showing(world, holder)
        said, session = asked(tls, door, token)
        assert said["status"] == "released"
        resumed, _ = asked(tls, door, token, session)
        assert resumed["code"] == "proof_needed"
        assert "connect anew" in resumed["remedy"]
        assert asked(tls, door, token)[0]["status"] == "released"
        monkeypatch.setattr(https, "_proved", lambda _tls: datetime.now(UTC) - timedelta(seconds=61))
        assert asked(tls, door, token)[0]["code"] == "proof_needed"  # as over a connection that is a minute old
