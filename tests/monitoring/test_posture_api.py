"""The posture over the API: every figure leads to exactly the rows that it counts; marks are read and changed; risks are explained."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.scopes import READ
from activity.models import Action
from agents.models import Agent
from approvals import actions as approvals
from core.db import db_now
from core.ids import new_id
from ledger.models import Outbox
from monitoring import actions as incidents
from monitoring import counting
from monitoring.count_actions import add_counts
from monitoring.models import AgentScore, Incident, Mark, Signal
from monitoring.steps import SLUGS
from tests.approvals.world import World, approve, assemble, backdate, held, request
from tests.bring.callers import Caller, browser
from tests.cast import Cast

HOURS = 3600
COUNTED = (
    "incidents",
    "unresolved",
    "decided",
    "holds_released",
    "holds_denied",
    "holds_expired",
    "holds_waiting",
    "agents",
    "attention",
)


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _incident(world: World, **changed: object) -> Incident:
    now = db_now()
    fields: dict[str, object] = {
        "kind": "denials", "severity": "high", "agent": world.agent, "began_at": now - timedelta(seconds=40),
        "detected_at": now - timedelta(seconds=10), "contained_at": now - timedelta(seconds=8),
    }  # fmt: skip
    return Incident.objects.create(**{**fields, **changed})


def _action(world: World, **changed: object) -> Action:
    fields: dict[str, object] = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": world.agent.id, "resource_id": world.resource.id,
        "credential_id": new_id(), "number": 1, "verb": "sql:select", "shown": "SELECT 1", "digest": "sha256:00", "salt": b"",
        "status": "done", "policy_version": 1, "entry_id": new_id(), "released_at": db_now() - timedelta(minutes=1),
    }  # fmt: skip
    return Action.objects.create(**{**fields, **changed})


def _busy(world: World) -> None:
    """Something of everything that the page counts, and as much that it does not."""
    now, ages_ago = db_now(), db_now() - timedelta(days=40)
    _incident(world)
    _incident(world, status="resolved", resolved_at=now)
    _incident(world, agent=None, source="203.0.113.9", kind="unproven", withheld_at=now, contained_at=None)
    _incident(world, status="resolved", detected_at=ages_ago, began_at=ages_ago, resolved_at=now)
    for status in ("released", "denied", "expired", "withdrawn"):
        hold = approvals.ask(request(world, f"DELETE FROM customers WHERE note = '{status}'"))
        backdate(hold, status=status, asked_at=now - timedelta(seconds=20), settled_at=now - timedelta(seconds=1))
    backdate(approve(held(world), world.cast.reviewer), settled_at=ages_ago)
    approvals.ask(request(world, "DELETE FROM customers WHERE id = 3"))
    for decision, masked, number in (("allow", False, 3), ("allow", True, 2), ("hold", False, 4), ("deny", False, 1)):
        for _ in range(number):
            _action(world, decision=decision, masked=masked, asked_at=now - timedelta(hours=1))
            _action(world, decision=decision, masked=masked, asked_at=ages_ago)
    add_counts(counting.counted(Action.objects.all()))
    Agent.objects.update(risk=70)


def _posture(world: World, **query: str) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    status, body = Caller(world.cast.ciso, READ).get(f"posture?{asked}")
    assert status == 200
    return dict(body)


def test_each_figure_leads_to_exactly_the_rows_that_it_counts(world: World) -> None:
    _busy(world)
    caller, found = Caller(world.cast.ciso), {one["key"]: one for one in _posture(world)["figures"]}
    assert len(found) == len(_posture(world)["figures"])
    wrong = {}
    for key in (*COUNTED, "actions_allow", "actions_mask", "actions_hold", "actions_deny"):
        status, page = caller.get(found[key]["rows"].removeprefix("/api/v1/"))
        if (status, len(page["results"])) != (200, found[key]["value"]):
            wrong[key] = (found[key]["value"], len(page["results"]))
    assert not wrong
    for key in ("detect", "contain", "resolve"):
        _, page = caller.get(found[key]["rows"].removeprefix("/api/v1/"))
        assert len(page["results"]) == found[key]["more"]["count"], key
    assert all(one["definition"].endswith(".") for one in found.values())
    assert (found["detect"]["value"], found["detect"]["more"]["target"]) == (
        30.0,
        Mark.objects.get(figure="detect").target.total_seconds(),
    )


def test_it_says_what_the_page_says(world: World, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    _busy(world)
    caller = Caller(world.cast.ciso, READ)
    with django_assert_max_num_queries(17):
        _, said = caller.get("posture?period=7d")
    assert not said["holds"]
    assert "1 incident waits for a person to contain it." in said["worries"]
    assert [step["slug"] for step in said["steps"]] == list(SLUGS)
    assert said["riskiest"][0]["agent"] == "support.production"
    page = browser(world.cast.ciso).get(reverse("console:posture"), {"period": "7d"}).content.decode()
    assert all(step["says"] in page for step in said["steps"] if "ago" not in step["says"])
    assert caller.get("posture?period=7")[1]["field"] == "period"


def test_what_falls_short_of_a_step_is_listed_page_by_page(world: World) -> None:
    agents = [f"worker-{number}.production" for number in range(60)]
    fields = {"function": "", "environment": "production", "purpose": "", "segment": world.segment}
    people = {"owner": world.cast.owner, "enroller": world.cast.engineer}
    Agent.objects.bulk_create(Agent(name=name, **fields, **people) for name in agents)
    caller = Caller(world.cast.ciso, READ)
    _, first = caller.get("posture/steps/roles")
    _, second = caller.get(first["next"].partition("/api/v1/")[2])
    assert first["step"]["short"] == 60
    assert sorted(one["name"] for one in [*first["results"], *second["results"]]) == sorted(agents)
    assert second["next"] is None
    assert caller.get("posture/steps/roles?segment=nowhere")[1]["results"] == []
    assert caller.get("posture/steps/roles?since=yesterday")[1]["field"] == "since"
    assert caller.get("posture/steps/none")[0] == 404


def test_decisions_of_people_are_listed_with_the_time_each_took(world: World) -> None:
    _busy(world)
    _, page = Caller(world.cast.auditor, READ).get("posture/decisions")
    assert sorted((one["status"], one["took"]) for one in page["results"]) == [("denied", 19.0), ("released", 19.0)]


def test_marks_are_read_and_changed_with_their_entry(world: World) -> None:
    caller = Caller(world.cast.ciso)
    assert [one["figure"] for one in caller.get("posture/marks")[1]] == ["detect", "contain", "resolve"]
    status, mark = caller.put("posture/marks/contain", {"baseline": None, "target": 90})
    assert (status, mark) == (200, {"figure": "contain", "baseline": None, "target": 90})
    assert caller.put("posture/marks/contain", {"baseline": 2 * HOURS, "target": 90})[1]["baseline"] == 2 * HOURS
    entry = json.loads(bytes(Outbox.objects.filter(event="mark:changed").latest("id").leaf))
    assert entry["details"]["after"] == {"baseline": 2 * HOURS, "target": 90}
    assert "target" in caller.put("posture/marks/contain", {"baseline": None, "target": 0})[1]["errors"]
    assert caller.put("posture/marks/nothing", {"baseline": None, "target": 1})[0] == 404
    assert Caller(world.cast.ciso, READ).put("posture/marks/contain", {"baseline": None, "target": 1})[0] == 403
    assert Caller(world.cast.auditor).put("posture/marks/contain", {"baseline": None, "target": 1})[0] == 404


def test_a_risk_is_explained_down_to_its_signals(world: World) -> None:
    now = db_now()
    lines = [{"because": "3 actions were denied", "points": 18, "kind": "denied"}]
    AgentScore.objects.update_or_create(agent=world.agent, defaults={"score": 18, "lines": lines})
    for place, kind in enumerate(("denied", "denied", "first_use")):
        Signal.objects.create(kind=kind, agent=world.agent, points=6, at=now, entry=place)
    owner = Caller(world.cast.owner, READ)
    assert owner.get("agents/support.production/risk")[1] == {"risk": 18, "lines": lines}
    _, page = owner.get("signals?agent=support.production&kind=denied")
    assert [one["says"] for one in page["results"]] == ["An action was denied"] * 2
    outsider = Caller(world.cast.outsider, READ)
    assert outsider.get("signals")[1]["results"] == []
    assert outsider.get("agents/support.production/risk")[0] == 404


def test_the_list_of_incidents_is_asked_as_on_the_console(world: World) -> None:
    low, high = _incident(world, severity="low"), _incident(world, status="resolved", resolved_at=db_now())
    caller = Caller(world.cast.ciso, READ)

    def found(query: str) -> list[str]:
        return [one["id"] for one in caller.get(f"incidents?{query}")[1]["results"]]

    assert found("sort=-severity") == [str(high.id), str(low.id)]
    assert found("sort=detected") == [str(low.id), str(high.id)]
    assert found("status=unresolved&assignee=nobody") == [str(low.id)]
    first = caller.get("incidents?limit=1&sort=-severity")[1]
    second = caller.get(first["next"].partition("/api/v1/")[2])[1]
    assert [one["id"] for one in (*first["results"], *second["results"])] == [str(high.id), str(low.id)]
    for wrong in ("status=nothing", "sort=name", "since=yesterday", "source=nowhere", "counted=all"):
        status, problem = caller.get(f"incidents?{wrong}")
        assert (status, problem["field"]) == (422, wrong.partition("=")[0])


def test_an_incident_tells_what_happened_and_what_people_noted(world: World) -> None:
    incident = _incident(world)
    Signal.objects.create(kind="denied", agent=world.agent, points=6, at=db_now(), entry=4, incident=incident)
    incidents.annotate(incident.id, text="Asked the owner.", actor=world.cast.ciso)
    _, told = Caller(world.cast.owner, READ).get(f"incidents/{incident.id}/timeline")
    assert [one["text"] for one in told["notes"]] == ["Asked the owner."]
    assert [(one["says"], one["entry"], one["kind"]) for one in told["moments"]] == [
        ("An action was denied", 4, "denied")
    ]
    assert Caller(world.cast.reviewer, READ).get(f"incidents/{incident.id}/timeline")[0] == 404
