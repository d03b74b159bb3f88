"""Scores as they are added up from the database: permissions against use, keys, and what is worth an entry."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from activity.models import Action
from agents import actions as inventory
from agents import keys
from agents.models import Agent
from core.ids import new_id
from ledger.models import Outbox
from monitoring import scoring
from monitoring.actions import expect_score
from monitoring.models import AgentScore, Signal
from monitoring.scoring import add_up
from monitoring.standing import Permissions
from policies import actions as policies
from policies.reaching import agent_reach
from tests.approvals.world import World, assemble, enrol
from tests.cast import Cast

POLICIES = """
@id("reads") @why("Support reads.")
permit (principal in Function::"support", action in Action::"sql:read", resource == Resource::"shop");
@id("updates") @why("Support updates.")
permit (principal in Function::"support", action == Action::"sql:update", resource == Resource::"shop");
@id("updates-wait") @hold("dba:1") @ttl("5m") @why("A person looks.")
forbid (principal, action == Action::"sql:update", resource == Resource::"shop") unless { context has approval };
@id("no-deletes") @why("Never.")
forbid (principal, action == Action::"sql:delete", resource == Resource::"shop");
"""


@pytest.fixture
def world(cast: Cast) -> World:
    found = assemble(cast)
    policies.install(POLICIES, actor=cast.engineer)
    return found


def _scored(world: World) -> AgentScore:
    expect_score([world.agent.id])
    assert add_up() == 1
    return AgentScore.objects.get(agent=world.agent)


def _act(world: World, verb: str, **changed: object) -> None:
    row = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": world.agent.id, "credential_id": new_id(), "shown": "",
        "resource_id": world.resource.id, "number": 1, "verb": verb, "digest": "", "salt": b"", "decision": "allow",
        "status": "done", **changed,
    }  # fmt: skip
    Action.objects.create(**row)


def _signal(world: World, kind: str, points: int, **ago: float) -> None:
    entry = Signal.objects.count()
    at = timezone.now() - timedelta(**ago)
    Signal.objects.create(agent=world.agent, kind=kind, points=points, at=at, entry=entry)


def _kinds(scored: AgentScore) -> set[str]:
    return {line["kind"] for line in scored.lines}


def test_what_it_may_do_is_counted_with_what_waits_for_people(world: World) -> None:
    scored = _scored(world)
    assert (scored.granted, scored.used) == (2, 0)
    assert _kinds(scored) == {"breadth"}


def test_what_it_used_is_not_held_against_it(world: World) -> None:
    _act(world, "sql:select")
    _act(world, "sql:update", decision="hold")
    _act(world, "sql:delete", decision="deny")
    _act(world, "sql:session")
    scored = _scored(world)
    assert (scored.granted, scored.used, scored.score) == (2, 2, 0)


def test_what_it_used_long_ago_is(world: World) -> None:
    _act(world, "sql:select", asked_at=timezone.now() - timedelta(days=31))
    assert _scored(world).used == 0


def test_another_function_holds_nothing(world: World) -> None:
    other = enrol(world.cast, world.segment, "billing.production")
    expect_score([other.id])
    add_up()
    assert AgentScore.objects.get(agent=other).granted == 0


def test_keys_that_are_old_or_many_are_a_line(world: World) -> None:
    world.agent.keys.update(added_at=timezone.now() - timedelta(days=100))
    jwk = keys.public_jwk(keys.generate("ES256"))
    inventory.add_key(world.agent.id, public_jwk=jwk, actor=world.cast.engineer)
    (line,) = [line for line in _scored(world).lines if line["kind"] == "credentials"]
    assert line == {"because": "A key is 100 days old; 2 keys are valid", "points": 8, "kind": "credentials"}


def test_a_settled_signal_and_one_of_another_agent_do_not_count(world: World) -> None:
    _signal(world, "denied", 6)
    Signal.objects.update(settled_at=timezone.now())
    other = enrol(world.cast, world.segment, "billing.production")
    Signal.objects.create(agent=other, kind="denied", points=6, at=timezone.now(), entry=99)
    assert "denied" not in _kinds(_scored(world))


def test_the_risk_and_its_reasons_are_an_entry_once(world: World) -> None:
    _signal(world, "denied", 6)
    before = Outbox.objects.filter(event="agent:changed").count()
    scored = _scored(world)
    assert Agent.objects.get(id=world.agent.id).risk == scored.score
    assert _scored(world).score == scored.score
    assert Outbox.objects.filter(event="agent:changed").count() == before + 1


def test_what_only_faded_a_little_is_not_written(world: World) -> None:
    for _ in range(4):
        _signal(world, "denied", 6)
    first = _scored(world).score
    Signal.objects.update(at=timezone.now() - timedelta(hours=1))
    assert _scored(world).score == first
    Signal.objects.update(at=timezone.now() - timedelta(hours=20))
    assert _scored(world).score < first - 5


def test_a_retired_agent_is_not_added_up(world: World) -> None:
    inventory.retire(world.agent.id, actor=world.cast.engineer, reason="Replaced")
    expect_score([world.agent.id])
    assert add_up() == 0


def test_what_is_counted_is_what_the_page_of_the_agent_lists(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    world = assemble(cast)
    monkeypatch.setattr(scoring, "_permissions", Permissions())  # the other tests' policies have the same number
    rules = (
        POLICIES
        + """
@id("inserts-orders") @why("Only orders.") permit (principal in Function::"support", action == Action::"sql:insert", resource == Resource::"shop")
when { context has tables && context.tables.contains("public.orders") };
"""
    )
    policies.install(rules, actor=cast.engineer)
    scored = _scored(world)
    reach = agent_reach(world.agent, timezone.now())
    assert ("shop", "sql:insert") in {(one.resource, one.verb) for one in reach.used}
    assert scored.granted == len(reach.used) == 3
