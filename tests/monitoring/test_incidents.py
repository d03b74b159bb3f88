"""An incident's life: who may see it, who may answer it, and what each answer leaves in the ledger."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts import actions as people
from accounts.models import Role, User
from accounts.scopes import INCIDENTS_WRITE, READ
from activity.actions import Opening as Connection
from activity.actions import open_session
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from monitoring import actions
from monitoring.models import AgentScore, Incident, Signal
from monitoring.opening import Opening
from monitoring.queries import visible_incidents, visible_signals
from tests.approvals.world import World, assemble, enrol, held
from tests.cast import Cast

SEE = ("ciso", "auditor", "engineer", "administrator", "owner", "deputy")
DO_NOT = ("reviewer", "teammate", "outsider")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def incident(world: World) -> Incident:
    now = db_now()
    AgentScore.objects.create(agent=world.agent)
    signals = [
        Signal.objects.create(kind="denied", agent=world.agent, points=6, at=now, entry=number) for number in range(5)
    ]
    return actions.open_or_join(Opening.of(Incident.Kind.DENIALS, agent_id=world.agent.id, began_at=now), signals)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _said(event: str) -> list[dict[str, Any]]:
    return [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event=event).order_by("id")]


# ---- seeing ----
@pytest.mark.parametrize("who", SEE)
def test_those_it_concerns_see_it(world: World, incident: Incident, who: str) -> None:
    person = getattr(world.cast, who)
    page = _as(person).get(reverse("incidents:incident", args=[incident.id]))
    assert page.status_code == 200
    assert "Five denials in a minute" in page.content.decode()
    assert world.agent.name in _as(person).get(reverse("incidents:incidents")).content.decode()


@pytest.mark.parametrize("who", DO_NOT)
def test_for_others_it_does_not_exist(world: World, incident: Incident, who: str) -> None:
    person = getattr(world.cast, who)
    assert _as(person).get(reverse("incidents:incident", args=[incident.id])).status_code == 404
    assert _as(person).get(reverse("incidents:incidents")).status_code == 404
    assert not visible_incidents(person).exists()
    for step in ("acknowledge", "assign", "note", "resolve", "rate", "contain"):
        assert _as(person).post(reverse(f"incidents:{step}", args=[incident.id])).status_code == 404
    incident.refresh_from_db()
    assert incident.status == "open"


def test_another_agents_owner_sees_neither_incident_nor_signal(world: World, incident: Incident) -> None:
    enrol(world.cast, world.segment, "billing.production", owner=world.cast.engineer)
    stranger = people.invite(
        "nils", email="nils@example.com", name="Nils", roles=[Role.OWNER], actor=actions.MONITORING
    )
    assert not visible_incidents(stranger).exists()
    assert not visible_signals(stranger).exists()
    assert visible_signals(world.cast.owner).count() == 5


def test_an_address_that_proved_nothing_concerns_nobodys_agent(world: World) -> None:
    opening = Opening.of(Incident.Kind.UNPROVEN, source="203.0.113.7", began_at=db_now())
    found = actions.open_or_join(opening, [])
    assert not visible_incidents(world.cast.owner).filter(id=found.id).exists()
    page = _as(world.cast.ciso).get(reverse("incidents:incident", args=[found.id])).content.decode()
    assert "203.0.113.7" in page
    assert found.contained_at == found.detected_at


# ---- joining ----
def test_the_same_again_joins_the_open_one_and_opens_another_once_resolved(world: World, incident: Incident) -> None:
    opening = Opening.of(Incident.Kind.DENIALS, agent_id=world.agent.id, began_at=db_now())
    assert actions.open_or_join(opening, []) == incident
    actions.resolve(incident.id, reason="A bad deploy", actor=world.cast.ciso)
    assert actions.open_or_join(opening, []) != incident


# ---- answering ----
def test_a_ciso_acknowledges_assigns_notes_and_resolves(world: World, incident: Incident) -> None:
    ciso = world.cast.ciso
    actions.acknowledge(incident.id, actor=ciso)
    actions.assign(incident.id, assignee=world.cast.engineer, actor=ciso)
    actions.annotate(incident.id, text="Asked the owner.", actor=ciso)
    done = actions.resolve(incident.id, reason="A bad deploy", actor=ciso)
    assert (done.status, done.acknowledged_by, done.assignee) == ("resolved", ciso, world.cast.engineer)
    assert not Signal.objects.filter(settled_at=None).exists()
    steps = ("opened", "acknowledged", "assigned", "noted", "resolved")
    for step in steps:
        (entry,) = _said(f"incident:{step}")
        assert entry["subject"]["id"] == str(incident.id)
        assert "Asked" not in str(entry)
        assert "deploy" not in str(entry)
    assert _said("incident:resolved")[0]["actor"]["name"] == "Cleo Ciso"


def test_a_ciso_changes_its_severity(world: World, incident: Incident) -> None:
    client, address = _as(world.cast.ciso), reverse("incidents:rate", args=[incident.id])
    assert client.post(address, {"severity": "low"}).status_code == 302
    (entry,) = _said("incident:rated")
    assert entry["details"] == {"before": "high", "after": "low"}
    actions.rate(incident.id, severity="low", actor=world.cast.ciso)
    assert len(_said("incident:rated")) == 1, "the same again changes nothing"
    page = client.get(reverse("incidents:incident", args=[incident.id])).content.decode()
    assert 'data-band="2"' in page
    refused = client.post(address, {"severity": "terrible"})
    assert (refused.status_code, "There is no such severity." in refused.content.decode()) == (422, True)


def test_containing_says_what_it_does_then_does_it(world: World, incident: Incident) -> None:
    client, address = _as(world.cast.ciso), reverse("incidents:contain", args=[incident.id])
    open_session(
        Connection(
            id=new_id(), agent_id=world.agent.id, agent_name=world.agent.name, resource_id=world.resource.id,
            resource_name=world.resource.name, credential_id=new_id(), node_id=new_id(), source="203.0.113.7",
        )
    )  # fmt: skip
    held(world)
    page = client.get(address).content.decode()
    assert "Ends 1 live connection and 0 credentials within a second." in page
    assert "1 hold of its just now" in page
    empty = client.post(address, {"reason": " "})
    assert (empty.status_code, incident.agent) == (422, world.agent)
    assert client.post(address, {"reason": "It reads cards."}).status_code == 302
    incident.refresh_from_db()
    world.agent.refresh_from_db()
    assert world.agent.status == "suspended"
    assert world.agent.status_reason == "It reads cards."
    assert incident.contained_at is not None
    assert incident.suspended_at is None, "a person did it"
    (entry,) = _said("incident:contained")
    assert entry["details"]["by"] == "suspended by a person"
    assert "nothing to contain" in client.get(address).content.decode()
    with pytest.raises(AlreadySettled):
        actions.contain(incident.id, reason="Again", actor=world.cast.ciso)


def test_an_address_cannot_be_suspended(world: World) -> None:
    opening = Opening.of(Incident.Kind.UNPROVEN, source="203.0.113.7", began_at=db_now())
    found = actions.open_or_join(opening, [])
    with pytest.raises(Invalid):
        actions.contain(found.id, reason="Stop it", actor=world.cast.ciso)
    assert _as(world.cast.ciso).get(reverse("incidents:contain", args=[found.id])).status_code == 404


@pytest.mark.parametrize("who", ["auditor", "engineer", "administrator", "owner"])
def test_others_who_see_it_may_not_contain_or_rate(world: World, incident: Incident, who: str) -> None:
    person = getattr(world.cast, who)
    with pytest.raises(Refused):
        actions.contain(incident.id, reason="Stop", actor=person)
    with pytest.raises(Refused):
        actions.rate(incident.id, severity="low", actor=person)
    assert _as(person).get(reverse("incidents:contain", args=[incident.id])).status_code == 404
    world.agent.refresh_from_db()
    assert world.agent.status == "active"


@pytest.mark.parametrize("who", ["auditor", "engineer", "administrator", "owner"])
def test_others_who_see_it_may_not_answer(world: World, incident: Incident, who: str) -> None:
    person = getattr(world.cast, who)
    page = _as(person).get(reverse("incidents:incident", args=[incident.id])).content.decode()
    assert "Resolve</button>" not in page
    with pytest.raises(Refused):
        actions.acknowledge(incident.id, actor=person)
    answer = _as(person).post(reverse("incidents:resolve", args=[incident.id]), {"reason": "Nothing"})
    assert answer.status_code == 404
    incident.refresh_from_db()
    assert incident.status == "open"
    (entry,) = _said("incident:refused")
    assert entry["details"] == {"code": "role_required"}


def test_nobody_answers_for_their_own_agent(world: World, incident: Incident) -> None:
    people.set_roles(world.cast.owner, [Role.OWNER, Role.CISO], actor=world.cast.administrator)
    owner = User.objects.get(id=world.cast.owner.id)
    with pytest.raises(Refused, match="own agent"):
        actions.resolve(incident.id, reason="Fine", actor=owner)
    assert "Resolve</button>" not in _as(owner).get(reverse("incidents:incident", args=[incident.id])).content.decode()


def test_what_is_resolved_is_not_answered_again_and_takes_notes(world: World, incident: Incident) -> None:
    ciso = world.cast.ciso
    actions.resolve(incident.id, reason="A bad deploy", actor=ciso)
    with pytest.raises(AlreadySettled):
        actions.resolve(incident.id, reason="Again", actor=ciso)
    with pytest.raises(AlreadySettled):
        actions.acknowledge(incident.id, actor=ciso)
    with pytest.raises(AlreadySettled):
        actions.assign(incident.id, assignee=None, actor=ciso)
    assert actions.annotate(incident.id, text="Later.", actor=ciso).text == "Later."


def test_it_is_acknowledged_once(world: World, incident: Incident) -> None:
    actions.acknowledge(incident.id, actor=world.cast.ciso)
    with pytest.raises(AlreadySettled):
        actions.acknowledge(incident.id, actor=world.cast.ciso)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 1001])
def test_a_reason_says_something_and_not_too_much(world: World, incident: Incident, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        actions.resolve(incident.id, reason=text, actor=world.cast.ciso)
    assert caught.value.field == "reason"
    with pytest.raises(Invalid):
        actions.annotate(incident.id, text=text, actor=world.cast.ciso)


def test_it_is_given_only_to_somebody_who_can_work_on_it(world: World, incident: Incident) -> None:
    with pytest.raises(Invalid):
        actions.assign(incident.id, assignee=world.cast.reviewer, actor=world.cast.ciso)
    with pytest.raises(NotFound):
        actions.assign(incident.id, assignee=None, actor=world.cast.outsider)


# ---- pages ----
def test_the_page_answers_and_keeps_what_was_typed(world: World, incident: Incident) -> None:
    client = _as(world.cast.ciso)
    address = reverse("incidents:incident", args=[incident.id])
    assert client.post(reverse("incidents:acknowledge", args=[incident.id])).headers["Location"] == address
    assert client.post(reverse("incidents:note", args=[incident.id]), {"text": "<b>Looking</b>"}).status_code == 302
    assigned = client.post(reverse("incidents:assign", args=[incident.id]), {"assignee": world.cast.engineer.username})
    assert assigned.status_code == 302
    page = client.get(address).content.decode()
    assert "&lt;b&gt;Looking&lt;/b&gt;" in page
    assert "Enzo Engineer" in page
    refused = client.post(reverse("incidents:assign", args=[incident.id]), {"assignee": "nobody"})
    assert refused.status_code == 422
    empty = client.post(reverse("incidents:resolve", args=[incident.id]), {"reason": " "})
    assert (empty.status_code, b"Resolving takes a reason." in empty.content) == (422, True)
    long = client.post(reverse("incidents:note", args=[incident.id]), {"text": "y" * 1001}).content.decode()
    assert "y" * 1001 in long
    assert client.post(reverse("incidents:resolve", args=[incident.id]), {"reason": "Deploy"}).status_code == 302
    page = client.get(address).content.decode()
    assert "Resolve</button>" not in page
    assert "Deploy" in page
    assert " style=" not in page


def test_the_list_filters_and_pages_by_key(world: World, incident: Incident) -> None:
    client = _as(world.cast.auditor)
    listed = reverse("incidents:incidents")
    for asked, found in (
        ({"status": "unresolved"}, True), ({"status": "resolved"}, False), ({"kind": "denials"}, True), ({"kind": "risk"}, False),
        ({"severity": "high"}, True), ({"severity": "low"}, False), ({"q": "support"}, True), ({"q": "zzz"}, False),
        ({"kind": "nonsense"}, False), ({"after": "nonsense"}, True), ({"after": "2026-01-01T00:00:00_x"}, True),
    ):  # fmt: skip
        page = client.get(listed, asked).content.decode()
        assert (world.agent.name in page) is found, asked
    past = client.get(listed, {"after": f"3_{incident.detected_at.isoformat()}_{incident.id}"}).content.decode()
    assert "No incident here matches." in past


def test_each_line_of_a_score_leads_to_its_signals(world: World, incident: Incident) -> None:
    lines = [{"because": "5 actions were denied", "points": 30, "kind": "denied"}]
    AgentScore.objects.filter(agent=world.agent).update(score=30, lines=lines)
    page = _as(world.cast.owner).get(reverse("console:agent", args=[world.agent.name])).content.decode()
    way = f"{reverse('incidents:signals')}?agent={world.agent.name}&amp;kind=denied"
    assert way in page
    rows = _as(world.cast.owner).get(way.replace("&amp;", "&")).content.decode()
    assert rows.count("An action was denied</a>") + rows.count("An action was denied<br>") == 5
    assert _as(world.cast.outsider).get(reverse("incidents:signals")).status_code == 404
    assert (
        world.agent.name
        not in _as(world.cast.teammate).get(reverse("incidents:signals"), {"kind": "unproven"}).content.decode()
    )


# ---- the API ----
def _api(person: User, *scopes: str) -> dict[str, Any]:
    _, secret = people.create_api_token(person, name="t", scopes=scopes, lifetime=timedelta(hours=1), actor=person)
    return {"HTTP_AUTHORIZATION": f"Token {secret}"}


def test_the_api_lists_and_resolves(world: World, incident: Incident) -> None:
    headers = _api(world.cast.ciso, READ, INCIDENTS_WRITE)
    (listed,) = (
        Client().get("/api/v1/incidents", {"status": "open", "agent": world.agent.name}, **headers).json()["results"]
    )
    assert (listed["id"], listed["kind"], listed["agent"]) == (str(incident.id), "denials", world.agent.name)
    assert Client().get("/api/v1/incidents", {"status": "resolved"}, **headers).json()["results"] == []
    address = f"/api/v1/incidents/{incident.id}/resolve"
    empty = Client().post(address, {"reason": ""}, content_type="application/json", **headers)
    assert empty.status_code == 400
    answer = Client().post(address, {"reason": "A bad deploy"}, content_type="application/json", **headers)
    assert (answer.status_code, answer.json()["status"], answer.json()["resolution"]) == (
        200,
        "resolved",
        "A bad deploy",
    )
    assert Client().post(address, {"reason": "Again"}, content_type="application/json", **headers).status_code == 409


def test_the_api_answers_in_every_way_that_the_page_does(world: World, incident: Incident) -> None:
    headers = _api(world.cast.ciso, READ, INCIDENTS_WRITE)

    def post(step: str, body: dict[str, Any]) -> Any:
        address = f"/api/v1/incidents/{incident.id}/{step}"
        return Client().post(address, body, content_type="application/json", **headers)

    assert post("acknowledge", {}).json()["acknowledged_by"] == "cleo"
    assert post("severity", {"severity": "low"}).json()["severity"] == "low"
    assert post("assign", {"assignee": "enzo"}).json()["assignee"] == "enzo"
    assert post("assign", {"assignee": None}).json()["assignee"] is None
    assert post("note", {"text": "Looking."}).status_code == 200
    assert post("contain", {"reason": "Enough."}).json()["contained_at"]
    for step, body, field in (
        ("severity", {"severity": "x"}, "severity"), ("assign", {"assignee": "nobody-known"}, "assignee"),
        ("note", {}, "text"), ("contain", {"reason": ""}, "reason"),
    ):  # fmt: skip
        refused = post(step, body)
        assert refused.status_code in {400, 422}
        assert field in refused.content.decode()
    assert post("contain", {"reason": "Again."}).status_code == 409


def test_the_api_refuses_whoever_may_not(world: World, incident: Incident) -> None:
    address = f"/api/v1/incidents/{incident.id}"
    body: dict[str, Any] = {"data": {"reason": "Fine"}, "content_type": "application/json"}
    assert Client().get(address, **_api(world.cast.outsider, READ)).status_code == 404
    assert (
        Client().post(f"{address}/resolve", **body, **_api(world.cast.outsider, READ, INCIDENTS_WRITE)).status_code
        == 404
    )
    assert Client().post(f"{address}/resolve", **body, **_api(world.cast.ciso, READ)).status_code == 403
    assert (
        Client().post(f"{address}/resolve", **body, **_api(world.cast.auditor, READ, INCIDENTS_WRITE)).status_code
        == 404
    )
    assert Client().get(address).status_code == 401
