"""What a gateway loads: active policies over the active inventory, or an engine that denies all."""

from __future__ import annotations

import gc
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import actions as inventory
from agents.revision import current_revision
from core.ids import new_id
from policies import actions, parse, plan, snapshot
from policies.evaluate import Ask, Code, Verdict
from policies.models import PolicyVersion
from tests.approvals.world import World, assemble
from tests.cast import Cast
from tests.policies.worlds import changed

pytestmark = pytest.mark.django_db
READS = '@id("reads") permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop");'
READ = Ask("support.production", frozenset({"sql:select"}), "shop")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def test_without_an_active_version_everything_is_denied(world: World) -> None:
    loaded = snapshot.load()
    decision = loaded.engine.decide(READ)
    assert (decision.verdict, decision.code, loaded.policy_version) == (Verdict.DENY, Code.NO_POLICIES, 0)


def test_the_active_version_decides_over_the_inventory(world: World) -> None:
    actions.install(READS, actor=world.cast.engineer)
    inventory.confirm_tag(world.resource.id, table="customers", column="email", tag="email", actor=world.cast.engineer)
    loaded = snapshot.load()
    assert loaded.engine.decide(READ).verdict is Verdict.ALLOW
    assert (loaded.revision, loaded.policy_version) == (current_revision(), 1)
    assert loaded.agents["support.production"].id == world.agent.id
    assert loaded.resources["shop"].id == world.resource.id
    assert [(row.table, row.column, row.tag) for row in loaded.tags["shop"]] == [("customers", "email", "email")]


def test_a_suspended_agent_is_not_in_it(world: World) -> None:
    actions.install(READS, actor=world.cast.engineer)
    inventory.suspend(world.agent.id, actor=world.cast.ciso, reason="Odd.")
    loaded = snapshot.load()
    assert loaded.engine.decide(READ).code is Code.UNKNOWN_AGENT
    assert not loaded.agents


def test_a_corrupt_version_denies_everything(world: World) -> None:
    version = actions.install(READS, actor=world.cast.engineer)
    changed(version, text="permit(")
    decision = snapshot.load().engine.decide(READ)
    assert (decision.verdict, decision.code) == (Verdict.DENY, Code.NO_POLICIES)
    assert "cannot be used" in decision.why


def test_loading_takes_few_queries_however_much_there_is(world: World) -> None:
    actions.install(READS, actor=world.cast.engineer)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        snapshot.load()
    assert len(captured) <= 10


def test_reading_ahead_leaves_collecting_on_and_never_raises(cast: Cast) -> None:
    actions.install(READS, actor=cast.engineer)
    version = PolicyVersion.objects.get()
    parse.forget()
    with patch.object(plan, "FORMAT", 0):  # as another release wrote it
        plan.made_by.cache_clear()
        snapshot.read_ahead(version.id)
    plan.made_by.cache_clear()
    assert [policy.terms.id for policy in parse._known.values()] == ["reads"]
    changed(version, text="permit (")
    snapshot.read_ahead(version.id)
    snapshot.read_ahead(new_id())
    assert gc.isenabled()
