"""What an agent may do, who can reach a resource, what crosses between segments: by page and API, from the policies in force."""

from __future__ import annotations

from typing import Any

import pytest

from agents import actions
from agents.models import Agent, Resource
from ledger.models import Outbox
from policies import actions as policies
from tests.activity.asking import asked, denied
from tests.approvals.world import World, assemble, enrol
from tests.bring.callers import Caller, browser
from tests.cast import Cast

RULES = """
@id("reads") permit (principal in Segment::"annex", action in Action::"sql:read", resource == Resource::"shop");
@id("support") permit (principal in Function::"support", action in [Action::"sql:read", Action::"sql:update"], resource);
@id("held") @hold("dba:1") forbid (principal, action in Action::"sql:write", resource) unless { context has approval };
"""


@pytest.fixture
def world(cast: Cast) -> World:
    """Support in production, two agents in the annex; a database in each."""
    made = assemble(cast)
    annex = actions.create_segment("annex", actor=cast.engineer)
    for name in ("alpha", "beta"):
        enrol(cast, annex, f"{name}.production")
    where: Any = {"host": "localhost", "database": "attic", "tls": "off"}
    actions.add_resource("attic", segment=annex, actor=cast.engineer, **where)
    actions.confirm_tag(made.resource.id, table="customers", column="ssn", tag="ssn", actor=cast.engineer)
    policies.install(RULES, actor=cast.engineer)
    return made


def test_an_agents_page_says_what_it_may_do_and_what_it_never_used(world: World) -> None:
    asked(world.agent, world.resource)
    denied(world.agent, world.resource, verb="sql:update")
    page = browser(world.cast.auditor).get(f"/agents/{world.agent.name}/permissions/").content.decode()
    assert "3 of 4 permissions were not used in 30 days." in page
    assert "Waits for 1 of dba." in page
    assert "Masked: ssn." in page
    assert Outbox.objects.filter(event="record:read").exists()


def test_by_api_the_same(world: World) -> None:
    asked(world.agent, world.resource)
    status, said = Caller(world.cast.owner).get(f"agents/{world.agent.name}/permissions")
    assert status == 200
    assert {(one["resource"], one["outcome"], *one["verbs"]) for one in said["permissions"]} == {
        ("attic", "allow", "sql:read"), ("attic", "hold", "sql:update"),
        ("shop", "allow", "sql:read"), ("shop", "hold", "sql:update"),
    }  # fmt: skip
    assert said["unused"] == 3
    assert [one["verb"] for one in said["used"] if one["last"]] == ["sql:select"]


def test_one_that_is_suspended_is_said_to_do_nothing_just_now(world: World) -> None:
    actions.suspend(world.agent.id, actor=world.cast.ciso, reason="Odd")
    page = browser(world.cast.ciso).get(f"/agents/{world.agent.name}/permissions/").content.decode()
    assert "just now it may do nothing at all" in page


def test_a_resources_page_says_who_can_reach_it(world: World) -> None:
    page = browser(world.cast.engineer).get("/resources/r/shop/reach/").content.decode()
    assert "3 active agents can reach" in page
    assert "2 agents of annex" in page
    status, said = Caller(world.cast.ciso).get("resources/shop/reach")
    assert (status, said["agents"]) == (200, 3)
    assert [one["agents"] for one in said["reachers"]] == [
        ["alpha.production", "beta.production"],
        ["support.production"],
    ]


def test_the_map_says_what_crosses_and_follows_what_changes(world: World) -> None:
    caller = Caller(world.cast.auditor)
    _, said = caller.get("crossings")
    assert [(one["begins"], one["ends"], one["agents"], one["allowed"], one["held"]) for one in said] == [
        ("annex", "production", 2, ["sql:read"], []),
        ("production", "annex", 1, ["sql:read"], ["sql:update"]),
        ("production", "production", 1, ["sql:read"], ["sql:update"]),
    ]
    page = browser(world.cast.auditor).get("/resources/segments/map/").content.decode()
    assert "2 crossings from one segment to another" in page
    actions.suspend(Agent.objects.get(name="alpha.production").id, actor=world.cast.ciso, reason="Odd")
    assert caller.get("crossings")[1][0]["agents"] == 1
    actions.retire_resource(Resource.objects.get(name="attic").id, actor=world.cast.engineer, reason="Over")
    assert [one["ends"] for one in caller.get("crossings")[1]] == ["production", "production"]


def test_without_policies_nothing_is_reachable_and_the_pages_say_so(cast: Cast) -> None:
    world = assemble(cast)
    for address in (f"/agents/{world.agent.name}/permissions/", "/resources/r/shop/reach/", "/resources/segments/map/"):
        assert "No version of the policies is active" in browser(cast.engineer).get(address).content.decode()


def test_what_one_may_not_see_is_not_there(world: World) -> None:
    for person in (world.cast.outsider, world.cast.owner, world.cast.reviewer):
        assert browser(person).get("/resources/r/shop/reach/").status_code == 404
        assert browser(person).get("/resources/segments/map/").status_code == 404
    assert browser(world.cast.outsider).get(f"/agents/{world.agent.name}/permissions/").status_code == 404
