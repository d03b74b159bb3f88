"""Bringing one's own by page: to those who may, with what was typed kept and the field named."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents import actions as inventory
from agents.models import Agent, ColumnTag, Resource, Segment
from agents.vault import open_secret
from policies import actions as policies
from policies.models import PolicyVersion
from policies.queries import active
from tests.bring.callers import browser, new_key
from tests.bring.conftest import LOGIN, PASSWORD, Clinic
from tests.cast import Cast

pytestmark = pytest.mark.django_db
ALLOW = (
    '@id("reads") @why("Reads.")\npermit (principal in Function::"triage", action in Action::"sql:read", resource);\n'
)
EVERYBODY = ("reviewer", "ciso", "auditor", "owner", "administrator", "engineer", "outsider")


@pytest.fixture
def engineer(cast: Cast) -> Client:
    return browser(cast.engineer)


@pytest.fixture
def segment(cast: Cast) -> Segment:
    return inventory.create_segment("clinic", purpose="Patients", actor=cast.engineer)


@pytest.fixture
def agent(cast: Cast, segment: Segment) -> Agent:
    return inventory.enrol(
        "triage.production",
        purpose="Sorts",
        segment=segment,
        owner=cast.owner,
        public_jwk=new_key(),
        actor=cast.engineer,
    )


@pytest.fixture
def records(cast: Cast, segment: Segment, clinic: Clinic) -> Resource:
    where: Any = {"host": clinic.host, "database": "clinic", "tls": "off"}
    made = inventory.add_resource("records", segment=segment, actor=cast.engineer, **where)
    inventory.store_secret(made.id, user=LOGIN, password=PASSWORD, actor=cast.engineer)
    return made


def text(response: Any) -> str:
    """What the page says, tags and spaces aside."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# ---- agents ----
def test_an_empty_form_is_empty(engineer: Client, segment: Segment) -> None:
    assert ">null<" not in "".join(engineer.get("/agents/enrol/").content.decode().split())


def test_an_agent_is_enrolled(engineer: Client, cast: Cast, segment: Segment) -> None:
    form = {"name": "triage.production", "purpose": "Sorts", "segment": "clinic", "owner": cast.owner.username}
    answer = engineer.post(reverse("agents:enrol"), {**form, "key": json.dumps(new_key())}, follow=True)
    assert "triage.production is enrolled" in text(answer)
    assert Agent.objects.get().enroller == cast.engineer


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "Triage Bot prod"}, "Perhaps triage"),
        ({"key": "not json"}, "That is not JSON"),
        ({"key": "[1]"}, "That is not JSON"),
        ({"key": '{"kty": "EC", "d": "x"}'}, "That is a private key"),
        ({"purpose": ""}, "This field is required"),
        ({"segment": "nowhere"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_enrolled_is_kept_as_typed(
    engineer: Client, cast: Cast, segment: Segment, changed: dict[str, str], says: str
) -> None:
    form = {"name": "triage.production", "purpose": "Sorts “things”", "segment": "clinic", "owner": cast.owner.username}
    answer = engineer.post(reverse("agents:enrol"), {**form, "key": json.dumps(new_key()), **changed})
    assert answer.status_code == 422
    assert says in text(answer)
    page = answer.content.decode()
    assert 'aria-invalid="true"' in page
    assert "purpose" in changed or "Sorts “things”" in page
    assert not Agent.objects.exists()


def test_suspending_says_what_it_does_and_needs_a_reason(engineer: Client, agent: Agent) -> None:
    address = reverse("agents:suspend", args=[agent.name])
    assert "no live connection and no live credential just now" in text(engineer.get(address))
    assert "Say why" in text(engineer.post(address, {"reason": " "}))
    assert "is suspended" in text(engineer.post(address, {"reason": "Odd"}, follow=True))
    assert "nothing to suspend" in text(engineer.get(address))
    assert "A second person confirms" in text(
        engineer.post(reverse("agents:reinstate", args=[agent.name]), {"reason": "Fine"}, follow=True)
    )
    assert Agent.objects.get().status == "suspended"


def test_the_owner_stops_and_does_not_reinstate(cast: Cast, agent: Agent) -> None:
    owner = browser(cast.owner)
    assert "Suspend…" in text(owner.get(reverse("console:agent", args=[agent.name])))
    assert owner.post(reverse("agents:suspend", args=[agent.name]), {"reason": "Mine"}).status_code == 302
    assert owner.post(reverse("agents:reinstate", args=[agent.name]), {"reason": "Mine"}).status_code == 302
    assert Agent.objects.get().status == "suspended"


# ---- who may ----
@pytest.mark.parametrize(
    ("name", "arguments", "may"),
    [
        ("start", [], {"engineer", "administrator"}),
        ("agents:enrol", [], {"engineer"}),
        ("agents:suspend", ["triage.production"], {"engineer", "ciso", "administrator", "owner"}),
        ("agents:reinstate", ["triage.production"], {"engineer", "ciso", "owner"}),
        ("agents:revoke", ["triage.production"], {"engineer", "ciso", "administrator", "owner"}),
        ("agents:edit", ["triage.production"], {"engineer"}),
        ("resources:retire", ["records"], {"engineer"}),
        ("resources:edit_segment", ["clinic"], {"engineer", "administrator"}),
        ("resources:retire_segment", ["clinic"], {"engineer"}),
        ("agents:retire", ["triage.production"], {"engineer"}),
        ("resources:all", [], {"engineer", "administrator"}),
        ("resources:one", ["records"], {"engineer", "administrator"}),
        ("resources:add", [], {"engineer"}),
        ("resources:edit", ["records"], {"engineer"}),
        ("resources:login", ["records"], {"engineer"}),
        ("resources:segments", [], {"engineer", "administrator"}),
        ("policies:versions", [], {"engineer", "ciso", "auditor", "administrator", "reviewer"}),
        ("policies:version", [1], {"engineer", "ciso", "auditor", "administrator", "reviewer"}),
        ("policies:new", [], {"engineer", "administrator"}),
        ("policies:rollback", [1], {"engineer", "administrator"}),
    ],
)
def test_a_page_is_for_those_who_may(
    cast: Cast, agent: Agent, records: Resource, name: str, arguments: list[object], may: set[str]
) -> None:
    policies.install(ALLOW, actor=cast.engineer)
    address = reverse(name, args=arguments)
    assert Client().get(address).status_code == 302
    for who in EVERYBODY:
        answer = browser(getattr(cast, who)).get(address)
        assert answer.status_code == (200 if who in may else 404), who
        assert " style=" not in answer.content.decode()
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("who", [who for who in EVERYBODY if who != "engineer"])
def test_nobody_else_posts(cast: Cast, records: Resource, who: str) -> None:
    client = browser(getattr(cast, who))
    for name in ("test", "scan", "tags", "edit", "login"):
        assert client.post(reverse(f"resources:{name}", args=["records"]), {"tag": "x"}).status_code == 404
    assert client.post(reverse("resources:add"), {}).status_code == 404
    assert client.post(reverse("agents:enrol"), {}).status_code == 404
    if who != "administrator":
        assert client.post(reverse("resources:reviewers"), {"segment": "clinic", "group": "dba"}).status_code == 404
        assert client.post(reverse("resources:segments"), {"name": "mine"}).status_code == 404
    assert not ColumnTag.objects.exists()


# ---- resources ----
def test_a_resource_is_added_tested_scanned_and_tagged(engineer: Client, segment: Segment, clinic: Clinic) -> None:
    form = {
        "name": "records",
        "segment": "clinic",
        "host": clinic.host,
        "port": "5432",
        "database": "clinic",
        "tls": "off",
    }
    more = {"user": LOGIN, "password": PASSWORD, "search_path": "public", "connections": "50"}
    answer = engineer.post(reverse("resources:add"), {**form, **more}, follow=True)
    assert "records is behind the gate" in text(answer)
    assert PASSWORD not in answer.content.decode()
    assert open_secret(Resource.objects.get()).password == PASSWORD
    assert "The gate can sign in" in text(engineer.post(reverse("resources:test", args=["records"])))
    scanned = engineer.post(reverse("resources:scan", args=["records"]))
    assert "20 of 20 sampled values are e-mail addresses." in text(scanned)
    values = [
        one.replace("&quot;", '"') for one in re.findall(r'name="chosen" value="([^"]+)"', scanned.content.decode())
    ]
    assert len(values) == 2
    answer = engineer.post(
        reverse("resources:tags", args=["records"]), {"chosen": [values[1], "{broken", "[]"]}, follow=True
    )
    assert "1 column tagged" in text(answer)
    assert ColumnTag.objects.get().column == "reach_at"


def test_what_cannot_be_added_is_kept_but_for_the_password(engineer: Client, segment: Segment) -> None:
    form = {"name": "Records", "segment": "clinic", "host": "db.example.com", "port": "99999", "database": "clinic"}
    answer = engineer.post(reverse("resources:add"), {**form, "tls": "off", "user": "u", "password": "hunter2hunter2"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Use small letters" in page
    assert "less than or equal to 65535" in page
    assert 'value="db.example.com"' in page
    assert "hunter2" not in page
    assert not Resource.objects.exists()


def test_without_tls_beyond_this_machine_is_refused_at_its_field(engineer: Client, segment: Segment) -> None:
    form = {"name": "records", "segment": "clinic", "host": "db.example.com", "port": "5432", "database": "clinic"}
    more = {"tls": "off", "user": "u", "password": "p", "search_path": "public", "connections": "50"}
    answer = engineer.post(reverse("resources:add"), {**form, **more})
    assert answer.status_code == 422
    assert 'id="id_tls_error"' in answer.content.decode()
    assert not Resource.objects.exists()


def test_the_way_and_the_login_are_changed(engineer: Client, records: Resource) -> None:
    page = engineer.get(reverse("resources:edit", args=["records"])).content.decode()
    assert records.host in page
    form = {
        "host": records.host,
        "port": "5432",
        "database": "clinique",
        "tls": "off",
        "search_path": "public",
        "segment": "clinic",
    }
    engineer.post(reverse("resources:edit", args=["records"]), {**form, "connections": "5"})
    records.refresh_from_db()
    assert (records.database, records.connections) == ("clinique", 5)
    assert "There is no database clinique" in text(engineer.post(reverse("resources:test", args=["records"])))
    assert "There is no database clinique" in text(engineer.post(reverse("resources:scan", args=["records"])))
    engineer.post(reverse("resources:login", args=["records"]), {"user": "x", "password": " y ", "use": "reading"})
    assert open_secret(records, "reading").password == " y "


def test_a_tag_by_hand(engineer: Client, records: Resource) -> None:
    address = reverse("resources:tags", args=["records"])
    wrong = engineer.post(address, {"schema": "public", "table": "patients", "column": "ward", "tag": "No Tag"})
    assert (wrong.status_code, 'value="patients"' in wrong.content.decode()) == (422, True)
    engineer.post(address, {"schema": "public", "table": "patients", "column": "ward", "tag": "ward", "lookup": "on"})
    assert ColumnTag.objects.get().lookup


def test_an_administrator_says_who_reviews(cast: Cast, segment: Segment) -> None:
    answer = browser(cast.administrator).post(
        reverse("resources:reviewers"), {"segment": "clinic", "group": "dba"}, follow=True
    )
    assert "The members of dba review what is asked in clinic." in text(answer)
    assert browser(cast.engineer).post(reverse("resources:segments"), {"name": "clinic"}).status_code == 422


# ---- policies ----
def test_the_first_version_comes_into_force_and_the_next_waits_for_another(cast: Cast, engineer: Client) -> None:
    assert "nothing is allowed" in text(engineer.get(reverse("policies:versions")))
    assert "is in force" in text(
        engineer.post(reverse("policies:new"), {"text": ALLOW.replace("\n", "\r\n")}, follow=True)
    )
    assert PolicyVersion.objects.get().text == ALLOW
    second = f"// why\n{ALLOW}"
    answer = engineer.post(reverse("policies:new"), {"text": second, "note": "Says why", "do": "propose"}, follow=True)
    assert "Nobody approves policies they wrote" in text(answer)
    assert text(engineer.post(reverse("policies:approve", args=[2]))).count("Nobody approves policies they wrote.") >= 1
    ciso = browser(cast.ciso)
    assert "Approve it" in text(ciso.get(reverse("policies:version", args=[2])))
    assert "is approved" in text(ciso.post(reverse("policies:approve", args=[2]), follow=True))
    assert ciso.post(reverse("policies:activate", args=[2])).status_code == 404
    assert "is in force" in text(engineer.post(reverse("policies:activate", args=[2]), follow=True))
    back = reverse("policies:rollback", args=[1])
    assert "needs a reason" in text(engineer.post(back, {"reason": ""}))
    assert "Version 1 is in force again." in text(engineer.post(back, {"reason": "Too much"}, follow=True))
    assert active() == PolicyVersion.objects.get(number=1)


def test_problems_are_told_by_line_and_nothing_is_kept(engineer: Client) -> None:
    wrong = f'{ALLOW}@id("x") @hold("nobody:1")\nforbid (principal, action, resource);\n'
    for what in ("check", "propose"):
        answer = engineer.post(reverse("policies:new"), {"text": wrong, "do": what})
        assert answer.status_code == 422
        assert "Line 3 There is no group" in text(answer)
        assert "nobody:1" in answer.content.decode()
    checked = engineer.post(reverse("policies:new"), {"text": ALLOW, "do": "check"})
    assert "Nothing is wrong." in text(checked)
    assert not PolicyVersion.objects.exists()


# ---- the first steps ----
def test_the_guide_follows_what_is_there(cast: Cast, engineer: Client, clinic: Clinic) -> None:
    def states() -> list[str]:
        page = engineer.get(reverse("start")).content.decode()
        return re.findall(r'<li class="(is-done|is-next|)"><span class="step-mark"', page)

    assert engineer.get("/").headers["Location"] == reverse("start")
    assert states() == ["is-next", "is-done", "", "", "", ""]  # the cast has its reviewers
    segment = inventory.create_segment("clinic", actor=cast.engineer)
    assert states()[:3] == ["is-done", "is-done", "is-next"]
    inventory.let_review(cast.dba, segment, actor=cast.administrator)
    where: Any = {"host": clinic.host, "database": "clinic", "tls": "off"}
    made = inventory.add_resource("records", segment=segment, actor=cast.engineer, **where)
    assert states()[3] == "is-next"  # without a login it cannot be reached
    inventory.store_secret(made.id, user=LOGIN, password=PASSWORD, actor=cast.engineer)
    inventory.enrol(
        "triage.test", purpose="Tries", segment=segment, owner=cast.owner, public_jwk=new_key(), actor=cast.engineer
    )
    policies.install(ALLOW, actor=cast.engineer)
    assert states() == ["is-done"] * 6
    assert "narrowgate sql triage.test records" in text(engineer.get(reverse("start")))
    assert engineer.get("/").headers["Location"] == reverse("agents:agents")
