"""The fleet as a list: filtered, in an order, by key, as a file; and one agent's page."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents import actions
from agents.models import Agent, Credential
from console.fleet import FleetForm, all_agents, fleet_page
from ledger.models import Outbox
from monitoring.models import AgentScore
from tests.activity.asking import asked, session
from tests.approvals.world import World, assemble, enrol, held
from tests.audit.test_lists import _taken
from tests.bring.callers import browser
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def fleet(world: World) -> dict[str, Agent]:
    """Four more agents, each with something of its own."""
    other = actions.create_segment("annex", purpose="Else", actor=world.cast.engineer)
    made = {name: enrol(world.cast, world.segment, f"{name}.production") for name in ("alpha", "beta", "gamma")}
    made["delta"] = enrol(world.cast, other, "delta.production", owner=world.cast.ciso)
    for name, risk in (("alpha", 90), ("beta", 45), ("gamma", 45), ("delta", 5)):
        Agent.objects.filter(id=made[name].id).update(risk=risk)
    asked(made["beta"], world.resource, ago=10)
    asked(made["alpha"], world.resource, ago=100)
    live(made["gamma"], world, minutes=3)
    live(made["alpha"], world, minutes=9)
    actions.retire(made["delta"].id, actor=world.cast.engineer, reason="Over")
    return made


def live(agent: Agent, world: World, *, minutes: int) -> None:
    now = timezone.now()
    Credential.objects.create(
        agent=agent,
        key=agent.keys.get(),
        resource=world.resource,
        issued_at=now,
        expires_at=now + timedelta(minutes=minutes),
    )


def found(world: World, who: str = "auditor", size: int = 50, **query: str) -> list[str]:
    form = FleetForm(query)
    assert form.is_valid(), form.errors
    page = fleet_page(getattr(world.cast, who), form.cleaned_data, size=size)
    return [agent.name.partition(".")[0] for agent in page.rows]


def test_each_filter_finds_what_it_names(world: World, fleet: dict[str, Agent]) -> None:
    actions.suspend(fleet["gamma"].id, actor=world.cast.ciso, reason="Odd")
    query: Any
    for query, expected in (
        ({}, ["alpha", "beta", "gamma", "support"]),
        ({"status": "any"}, ["alpha", "beta", "gamma", "delta", "support"]),
        ({"status": "retired"}, ["delta"]),
        ({"status": "suspended"}, ["gamma"]),
        ({"segment": "annex", "status": "any"}, ["delta"]),
        ({"owner": "cleo", "status": "any"}, ["delta"]),
        ({"owner": "nobody"}, []),
        ({"band": "5"}, ["alpha"]),
        ({"band": "3"}, ["beta", "gamma"]),
        ({"band": "1"}, ["support"]),
        ({"q": "BETA customers"}, ["beta"]),
        ({"q": "olga"}, ["alpha", "beta", "gamma", "support"]),
        ({"q": "%"}, []),
    ):
        assert found(world, **query) == expected, query


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("-risk", ["alpha", "beta", "gamma", "support"]),
        ("", ["alpha", "beta", "gamma", "support"]),
        ("name", ["alpha", "beta", "gamma", "support"]),
        ("last", ["beta", "alpha", "gamma", "support"]),
        ("expiry", ["gamma", "alpha", "beta", "support"]),
    ],
)
def test_every_order_goes_on_by_key(world: World, fleet: dict[str, Agent], sort: str, expected: list[str]) -> None:
    for size in (1, 2, 3, 50):
        names, key = [], ""
        while True:
            page = fleet_page(world.cast.auditor, {"sort": sort}, key, size)
            names += [agent.name.partition(".")[0] for agent in page.rows]
            key = page.more
            if not key:
                break
        assert names == expected, size
    assert [agent.name.partition(".")[0] for agent in all_agents(world.cast.auditor, {"sort": sort})] == expected


@pytest.mark.parametrize("key", ["x", "x~y", "9999~a", "~", "2026-01-01~a", "-1~a"])
@pytest.mark.parametrize("sort", ["-risk", "name", "last", "expiry"])
def test_a_key_that_is_none_breaks_nothing(world: World, sort: str, key: str) -> None:
    answer = browser(world.cast.auditor).get(reverse("agents:agents"), {"sort": sort, "after": key})
    assert answer.status_code == 200


def test_people_see_their_own(world: World, fleet: dict[str, Agent]) -> None:
    everything = {"alpha", "beta", "gamma", "support", "delta"}
    for who, expected in (
        ("auditor", everything), ("ciso", everything), ("engineer", everything), ("administrator", everything),
        ("owner", everything - {"delta"}), ("deputy", everything), ("reviewer", everything - {"delta"}), ("outsider", set()),
    ):  # fmt: skip
        assert set(found(world, who, status="any")) == expected, who


def test_the_page_keeps_what_was_asked_and_names_what_cannot_be(world: World, fleet: dict[str, Agent]) -> None:
    auditor = browser(world.cast.auditor)
    page = auditor.get(reverse("agents:agents"), {"q": "beta", "sort": "name"}).content.decode()
    assert 'value="beta"' in page
    assert '<option value="name" selected>' in page
    assert "just now" in page
    assert "alpha.production" not in page
    wrong = auditor.get(reverse("agents:agents"), {"band": "9"})
    assert (wrong.status_code, "Risk: Select a valid choice" in wrong.content.decode()) == (422, True)
    assert "No agent here matches." in auditor.get(reverse("agents:agents"), {"q": "zzz"}).content.decode()


def test_the_list_takes_the_same_few_queries_however_long(world: World, fleet: dict[str, Agent]) -> None:
    ciso = browser(world.cast.ciso)

    def queries(**query: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            ciso.get(reverse("agents:agents"), query)
        return len(captured)

    assert queries(q="alpha") == queries() <= 15


def test_it_is_taken_away_as_a_file(fresh_cast: Cast) -> None:
    world = assemble(fresh_cast)
    actions.change_agent(world.agent.id, actor=fresh_cast.engineer, purpose="=cmd()")
    status, body = _taken(fresh_cast.auditor, reverse("agents:agents_file") + "?segment=production")
    (row,) = csv.DictReader(io.StringIO(body.decode("utf-8-sig")))
    assert (status, row["agent"], row["purpose"], row["owner"]) == (200, "support.production", "'=cmd()", "olga")
    (entry,) = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="export:made")]
    assert (entry["subject"]["name"], entry["details"]) == ("agents", {"segment": "production"})
    assert browser(fresh_cast.auditor).post(reverse("agents:agents_file") + "?band=x").status_code == 302


# ---- one agent ----
def test_stopping_says_what_it_ends(world: World) -> None:
    session(world.agent, world.resource)
    session(world.agent, world.resource)
    live(world.agent, world, minutes=5)
    held(world)
    owner = browser(world.cast.owner)
    page = owner.get(reverse("agents:suspend", args=["support.production"])).content.decode()
    assert "Ends 2 live connections and 1 credential: cut within a second" in page
    assert "1 hold of its waits for people" in page
    revoke = reverse("agents:revoke", args=["support.production"])
    assert "Revoke 1 credential<" in owner.get(revoke).content.decode()
    assert "has no live credential any more" in owner.post(revoke, {"reason": "A drill"}, follow=True).content.decode()
    assert Agent.objects.get().status == "active"
    page = owner.get(reverse("agents:suspend", args=["support.production"])).content.decode()
    assert "Ends 2 live connections and 0 credentials" in page


def test_one_agents_page_leads_everywhere_and_opening_it_is_an_entry(world: World) -> None:
    action: Any = asked(world.agent, world.resource)
    page = browser(world.cast.engineer).get(reverse("console:agent", args=["support.production"])).content.decode()
    for address in (
        reverse("record:action", args=[action.id]), reverse("agents:edit", args=["support.production"]),
        reverse("agents:retire", args=["support.production"]), reverse("agents:revoke", args=["support.production"]),
        f"{reverse('record:actions')}?agent=support.production",
    ):  # fmt: skip
        assert address in page
    read = json.loads(bytes(Outbox.objects.get(event="record:read").leaf))
    assert (read["subject"]["name"], read["subject"]["id"]) == ("agent", str(world.agent.id))
    auditor = browser(world.cast.auditor).get(reverse("console:agent", args=["support.production"])).content.decode()
    assert "Suspend…" not in auditor
    assert "More to do" not in auditor


def test_an_agent_that_has_done_nothing_is_told_how_to_begin_and_what_it_may(world: World) -> None:
    address = reverse("console:agent", args=["support.production"])
    engineer = browser(world.cast.engineer)
    page = engineer.get(address).content.decode()
    assert "narrowgate agent run support.production --resource shop --key support.production.jwk -- psql" in page
    assert "narrowgate ssh-cert support.production --resource HOST --key support.production.jwk" in page
    assert "/mcp/TOOLS&quot;" in page
    assert "narrowgate token support.production --resource TOOLS --key support.production.jwk" in page
    assert "Not counted yet" in page
    AgentScore.objects.create(agent=world.agent, granted=12, used=5, measured_at=timezone.now())
    asked(world.agent, world.resource)
    page = engineer.get(address).content.decode()
    assert "agent run" not in page
    assert '<dd class="num">12</dd>' in page
    assert '<span class="num ink-hold">7</span> not used' in page


def test_a_fleet_without_an_agent_says_how_to_enrol_one(cast: Cast) -> None:
    address = reverse("agents:agents")
    assert "narrowgate agent enrol support.production" in browser(cast.engineer).get(address).content.decode()
    assert "No agent is yours to see yet." in browser(cast.ciso).get(address).content.decode()
