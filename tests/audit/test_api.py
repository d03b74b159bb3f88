"""The record, the inventory and the policies over the API: what one may see, page by page, and proofs that hold."""

from __future__ import annotations

import json
import threading
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import Client

from accounts import actions as people
from accounts.models import User
from accounts.scopes import READ
from activity.actions import Opening, open_session
from activity.models import Frame
from console.database import Logins
from core.ids import new_id
from ledger import merkle, verify
from ledger.models import Outbox
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from policies import actions as policies
from tests.activity.asking import asked
from tests.approvals.world import World, assemble, held
from tests.bring.callers import Caller
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def get(user: User, path: str) -> Any:
    _, secret = people.create_api_token(user, name="tests", scopes=[READ], lifetime=timedelta(hours=1), actor=user)
    response = Client(headers={"Authorization": f"Token {secret}"}).get(f"/api/{path}")
    return response.status_code, json.loads(response.content)


def names(user: User, path: str) -> list[str]:
    status, body = get(user, f"v1/{path}")
    assert status == 200
    return [one["name"] for one in body["results"]]


def a_session(world: World) -> Opening:
    opening = Opening(
        id=new_id(), agent_id=world.agent.id, agent_name=world.agent.name, resource_id=world.resource.id,
        resource_name=world.resource.name, credential_id=new_id(), node_id=new_id(), source="127.0.0.1",
    )  # fmt: skip
    open_session(opening)
    return opening


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["reviewer", "owner", "ciso", "auditor", "engineer"])
def test_the_inventory_is_for_those_it_concerns(world: World, who: str) -> None:
    assert names(getattr(world.cast, who), "agents") == ["support.production"]
    assert names(getattr(world.cast, who), "agents?segment=nowhere") == []
    assert names(getattr(world.cast, who), "resources") == ["shop"]
    assert names(getattr(world.cast, who), "segments") == ["production"]


@pytest.mark.django_db
def test_an_outsider_finds_nothing_anywhere(world: World) -> None:
    held(world)
    a_session(world)
    policies.install('@id("a") permit (principal, action, resource);', actor=world.cast.engineer)
    outsider = world.cast.outsider
    for path in ("agents", "resources", "segments", "sessions", "actions", "holds", "policies", "ledger/entries"):
        assert get(outsider, f"v1/{path}")[1]["results"] == [], path
    for path in (f"agents/{world.agent.id}", "policies/1", "ledger/checkpoint", "ledger/proof?index=0"):
        status, body = get(outsider, f"v1/{path}")
        assert (status, body["code"]) == (404, "not_found"), path


@pytest.mark.django_db
def test_one_agent_says_who_answers_for_it_and_no_key(world: World) -> None:
    _, shown = get(world.cast.auditor, f"v1/agents/{world.agent.id}")
    assert (shown["owner"], shown["deputy"], shown["segment"]) == ("olga", "dev", "production")
    assert shown["spiffe_id"] == "spiffe://narrowgate.test/agent/support.production"


@pytest.mark.django_db
def test_a_resource_does_not_say_where_it_is(world: World) -> None:
    _, shown = get(world.cast.reviewer, f"v1/resources/{world.resource.id}")
    assert not {"host", "port", "database", "secrets"} & shown.keys()


@pytest.mark.django_db
def test_reading_sessions_is_itself_recorded(world: World) -> None:
    opening = a_session(world)
    _, listed = get(world.cast.auditor, "v1/sessions?agent=support.production")
    _, shown = get(world.cast.auditor, f"v1/sessions/{opening.id}")
    assert [one["id"] for one in listed["results"]] == [shown["id"]] == [str(opening.id)]
    reads = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="record:read").order_by("id")]
    assert [read["subject"]["name"] for read in reads] == ["api sessions", "api sessions"]
    assert reads[0]["details"] == {"agent": "support.production"}
    assert reads[1]["subject"]["id"] == str(opening.id)


@pytest.mark.django_db
def test_the_active_policies_can_be_read(world: World) -> None:
    text = '@id("a") permit (principal, action, resource);'
    policies.install(text, actor=world.cast.engineer)
    _, listed = get(world.cast.reviewer, "v1/policies?status=active")
    _, shown = get(world.cast.reviewer, "v1/policies/1")
    assert listed["results"] == [shown]
    assert (shown["text"], shown["author"], shown["approved_by"]) == (text, "enzo", None)


def test_an_entry_and_its_proof_lead_to_the_signed_root(
    fresh_database: Logins, fresh_cast: Cast, tmp_path: Path
) -> None:
    sequence(fresh_database, tmp_path)
    _, page = get(fresh_cast.auditor, "v1/ledger/entries?limit=3")
    entry = page["results"][-1]
    _, checkpoint = get(fresh_cast.auditor, "v1/ledger/checkpoint")
    _, proof = get(fresh_cast.auditor, f"v1/ledger/proof?index={entry['index']}")
    assert proof["checkpoint"] == checkpoint
    assert merkle.leaf_hash(entry["leaf"].encode()) == b64decode(entry["leaf_hash"]) == b64decode(proof["leaf_hash"])
    hashes = [b64decode(part) for part in proof["hashes"]]
    root = b64decode(checkpoint["root"])
    merkle.verify_inclusion(entry["index"], checkpoint["size"], b64decode(proof["leaf_hash"]), hashes, root)
    says = json.loads(entry["leaf"])
    assert {**entry["says"], "actor": says["actor"], "subject": says["subject"]} == says
    assert not entry["says"]["actor"]["name"].startswith("sha256:")
    assert get(fresh_cast.auditor, "v1/ledger/proof")[1]["field"] == "index"
    assert get(fresh_cast.auditor, "v1/ledger/proof?index=-1")[0] == 422
    assert get(fresh_cast.auditor, "v1/ledger/proof?index=99999999")[0] == 404
    assert get(fresh_cast.reviewer, "v1/ledger/checkpoint")[0] == 404


async def collected(answer: Any) -> bytes:
    return b"".join([part async for part in answer.streaming_content])


def sequence(logins: Logins, folder: Path) -> None:
    """Run the sequencer until everything recorded so far is in the log."""
    from ledger import queries

    signer = FileSigner.load_or_create(folder / "ledger.pem", "tests", name=f"{settings.TRUST_DOMAIN}/ledger")
    stop = threading.Event()
    thread = threading.Thread(target=Sequencer(logins.sequencer, signer).run, args=[stop])
    thread.start()
    try:
        for _ in range(200):
            if queries.state().pending == 0 and queries.last_checkpoint():
                return
            stop.wait(0.05)
        raise AssertionError("the sequencer did not come to the end")
    finally:
        stop.set()
        thread.join(10)


@pytest.mark.django_db
def test_the_description_is_complete_and_without_warnings(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    call_command("spectacular", "--validate", "--fail-on-warn")
    described = capsys.readouterr().out
    for path in (
        "holds",
        "holds/{id}/approve",
        "holds/{id}/deny",
        "agents/{name}",
        "ledger/proof",
        "ledger/checkpoint",
    ):
        assert f"/api/v1/{path}:" in described, path


def test_the_ledger_is_filtered_as_on_the_console(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> None:
    world = assemble(fresh_cast)
    sequence(fresh_database, tmp_path)

    def events(query: str) -> list[str]:
        return [one["event"] for one in get(fresh_cast.auditor, f"v1/ledger/entries?{query}")[1]["results"]]

    assert events("event=agent:enrolled") == ["agent:enrolled"]
    assert events(f"subject={world.agent.id}") == events("agent=support.production") == ["agent:enrolled"]
    assert "segment:created" in events("q=segment&actor=Enzo")
    assert events("period=24h&until=2020-01-01T00:00:00Z") == []
    assert get(fresh_cast.auditor, "v1/ledger/entries?event=nothing")[1]["field"] == "event"
    assert get(fresh_cast.auditor, "v1/ledger/entries?session=x")[1]["field"] == "session"
    first = get(fresh_cast.auditor, "v1/ledger/entries?limit=2")[1]
    second = get(fresh_cast.auditor, first["next"].partition("/api/")[2])[1]
    indexes = [one["index"] for one in (*first["results"], *second["results"])]
    assert indexes == list(range(indexes[0], indexes[0] - 4, -1))


def test_evidence_is_taken_away_and_verifies(fresh_database: Logins, fresh_cast: Cast, tmp_path: Path) -> None:
    sequence(fresh_database, tmp_path)
    auditor = Caller(fresh_cast.auditor)
    answer: Any = auditor.client.post(
        "/api/v1/ledger/evidence", {"first": 2, "last": 5}, content_type="application/json"
    )
    (tmp_path / "taken.zip").write_bytes(async_to_sync(collected)(answer))
    assert "narrowgate-evidence-2-4.zip" in answer["Content-Disposition"]
    assert verify.verify(tmp_path / "taken.zip").problems == []
    assert Outbox.objects.filter(event="export:made").count() == 1
    assert Caller(fresh_cast.auditor, READ).post("ledger/evidence", {})[0] == 403
    assert Caller(fresh_cast.owner).post("ledger/evidence", {})[0] == 404
    assert auditor.post("ledger/evidence", {"first": 10_000})[0] == 404


@pytest.mark.django_db
def test_a_session_is_played_over_the_api_and_that_is_recorded(world: World) -> None:
    opening = a_session(world)
    first = asked(world.agent, world.resource, session_id=opening.id)
    Frame.objects.create(
        action_id=first.id, session_id=opening.id, columns=[{"name": "ssn", "masked": True}], rows=[["***"]]
    )
    status, played = get(world.cast.reviewer, f"v1/sessions/{opening.id}/replay")
    assert (status, len(played["shots"]), played["earlier"]) == (200, 1, False)
    shot = played["shots"][0]
    assert shot["action"]["id"] == str(first.id)
    assert shot["frame"]["rows"] == [["***"]]
    assert Outbox.objects.filter(event="record:read").exists()
    assert get(world.cast.reviewer, f"v1/sessions/{opening.id}/replay?at=x")[1]["field"] == "at"
    assert get(world.cast.outsider, f"v1/sessions/{opening.id}/replay")[0] == 404
