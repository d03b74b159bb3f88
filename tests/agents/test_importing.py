"""Agents and resources as files: looked at before they are brought, brought whole or not at all, read back as they were written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from agents import actions
from agents.carrying import MOST_BYTES, rows_of, written
from agents.importing import apply, plan
from agents.models import Agent, Resource
from core import cells
from core.errors import Invalid, Refused
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser, new_key
from tests.cast import Cast

NAME = "support.production"


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def new(name: str = "billing.production", **changed: Any) -> dict[str, Any]:
    return {
        "name": name,
        "purpose": "Bills",
        "segment": "production",
        "owner": "olga",
        "public_jwk": new_key(),
        **changed,
    }


def test_a_look_says_what_would_happen_and_nothing_does(world: World) -> None:
    things = [new(), {"name": NAME, "purpose": "Helps", "deputy": ""}, {"name": NAME + ".02", "purpose": "x"}]
    found = plan(json.dumps(things), "json", "agents", actor=world.cast.engineer)
    assert [(one.line, one.verb) for one in found.items] == [(1, "create"), (2, "change"), (3, "refuse")]
    assert [vars(part) for part in found.items[1].differences] == [
        {"field": "purpose", "before": "Answers customers", "after": "Helps"},
        {"field": "deputy", "before": "dev", "after": ""},
    ]
    assert found.items[2].about in {"segment", "owner", "public_jwk"}
    assert Agent.objects.count() == 1


def test_all_of_it_is_done_an_entry_each(world: World) -> None:
    text = json.dumps([new(), {"name": NAME, "purpose": "Helps", "data_classes": ["ssn"]}])
    seen = plan(text, "json", "agents", actor=world.cast.engineer).digest
    before = Outbox.objects.count()
    apply(text, "json", "agents", seen=seen, actor=world.cast.engineer)
    assert Agent.objects.get(name=NAME).data_classes == ["ssn"]
    assert Outbox.objects.count() == before + 2
    again = plan(json.dumps([{"name": NAME, "purpose": "Helps"}]), "json", "agents", actor=world.cast.engineer)
    assert again.same == 1


def test_one_row_that_cannot_be_used_and_nothing_is_done(world: World) -> None:
    text = json.dumps([new(), {"name": NAME, "owner": "nobody"}])
    found = plan(text, "json", "agents", actor=world.cast.engineer)
    assert (found.items[1].about, found.items[1].verb) == ("owner", "refuse")
    with pytest.raises(Refused) as refused:
        apply(text, "json", "agents", seen=found.digest, actor=world.cast.engineer)
    assert refused.value.code == "refused_rows"
    assert Agent.objects.count() == 1


def test_what_fails_half_way_leaves_nothing_behind(world: World) -> None:
    """Two new agents with one key: only doing it tells."""
    key = new_key()
    text = json.dumps([new("a.production", public_jwk=key), new("b.production", public_jwk=key)])
    seen = plan(text, "json", "agents", actor=world.cast.engineer).digest
    with pytest.raises(Invalid) as refused:
        apply(text, "json", "agents", seen=seen, actor=world.cast.engineer)
    assert refused.value.message.startswith("Line 2: ")
    assert Agent.objects.count() == 1


def test_what_changed_since_it_was_looked_at_is_not_done(world: World) -> None:
    text = json.dumps([{"name": NAME, "purpose": "Helps"}])
    seen = plan(text, "json", "agents", actor=world.cast.engineer).digest
    actions.change_agent(world.agent.id, purpose="Sells", actor=world.cast.engineer)
    with pytest.raises(Refused) as refused:
        apply(text, "json", "agents", seen=seen, actor=world.cast.engineer)
    assert refused.value.code == "stale"


def test_only_engineers_bring_files(world: World) -> None:
    for who in ("owner", "ciso", "administrator", "auditor", "outsider"):
        with pytest.raises(Refused):
            plan("[]", "json", "agents", actor=getattr(world.cast, who))


@pytest.mark.parametrize(
    ("text", "form", "says"),
    [
        ("", "csv", "nothing in the file"),
        ("[]", "json", "nothing in the file"),
        ("{", "json", "not JSON"),
        ('{"name": "x"}', "json", "not a list"),
        ('[{"nmae": "x"}]', "json", "no field “nmae”"),
        ("name,purpose\nx\n", "csv", "Line 2: 1 cells under 2 names"),
        ('name,purpose\n"x\n', "csv", "not CSV"),
        ("name,name\nx,y\n", "csv", "named twice"),
        ("name\nx\nx\n", "csv", "is in line 2 already"),
        ("name\n" + "x" * MOST_BYTES, "csv", "more than 400 kB"),
        ("name\n" + "\n".join(f"a{n}" for n in range(2_001)), "csv", "more than 2,000 rows"),
        ("name,public_jwk\nx,{\n", "csv", "the key is not JSON"),
        ("[" * 100_000, "json", "not JSON"),
    ],
)
def test_what_is_no_such_file_is_told_by_line(text: str, form: str, says: str) -> None:
    with pytest.raises(Invalid) as refused:
        rows_of(text, form, "agents")
    assert says in refused.value.message


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_is_written_is_read_back_and_no_cell_is_a_formula(world: World, form: str) -> None:
    evil = "=HYPERLINK(1)"
    actions.change_agent(
        world.agent.id,
        purpose=evil,
        task_scope="a;=b\n@c, 'd'",
        data_classes=["email", "ssn"],
        actor=world.cast.engineer,
    )
    answer = browser(world.cast.engineer).post(f"/agents/file/{form}/")
    text = answer.content.decode()
    assert evil in text
    assert form == "json" or f",{evil}" not in text
    found = plan(text, form, "agents", actor=world.cast.engineer)
    assert [one.verb for one in found.items] == ["same"]
    assert Outbox.objects.filter(event="export:made").count() == 1


@pytest.mark.parametrize("text", ["plain", "=1+1", "'quoted'", "''", "a;=b", "x\n+y", "-", "@", "\t=1", "a;'b", "' =x"])
def test_a_cell_says_what_was_typed(text: str) -> None:
    (line,) = ["".join(cells.csv_lines(["name"], [[text]]))]
    (row,) = rows_of(line, "csv", "agents")
    assert row.values["name"] == text


def test_resources_are_carried_without_their_secrets(world: World) -> None:
    actions.store_secret(world.resource.id, user="gate", password="geheim", actor=world.cast.engineer)
    _, said = Caller(world.cast.engineer).get("files/resources")
    assert "geheim" not in json.dumps(said)
    (thing,) = said["things"]
    text = json.dumps([{**thing, "port": 6543}, {**thing, "name": "crm"}])
    status, planned = Caller(world.cast.engineer).post("files/resources", {"text": text})
    assert (status, planned["done"], [one["verb"] for one in planned["items"]]) == (200, False, ["change", "create"])
    status, done = Caller(world.cast.engineer).post("files/resources", {"text": text, "seen": planned["digest"]})
    assert (status, done["done"]) == (200, True)
    assert Resource.objects.get(name="shop").port == 6543
    assert Resource.objects.filter(name="crm").exists()


def test_by_page_a_file_is_looked_at_and_then_brought(world: World) -> None:
    client = browser(world.cast.engineer)
    text = written([{"name": NAME, "purpose": "Helps"}], "csv", "agents").replace(NAME, NAME)
    only = "name,purpose\n" + f"{NAME},Helps people\n"
    file = SimpleUploadedFile("agents.csv", only.encode())
    page = client.post("/agents/file/", {"file": file, "form": "csv"}).content.decode()
    assert "0 new, 1 changed, 0 as they are." in page
    assert "Helps people" in page
    seen = plan(only, "csv", "agents", actor=world.cast.engineer).digest
    answer = client.post("/agents/file/", {"text": only, "form": "csv", "seen": seen})
    assert answer.status_code == 302
    assert Agent.objects.get(name=NAME).purpose == "Helps people"
    refused = client.post("/agents/file/", {"text": only, "form": "csv", "seen": seen})
    assert (refused.status_code, "Look at it again" in refused.content.decode()) == (422, True)
    assert client.post("/agents/file/", {"form": "csv"}).status_code == 422
    assert text.startswith(cells.BOM)
