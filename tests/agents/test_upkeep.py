"""Agents that nobody uses or owns are told of, then suspended; the clock is the test's."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from accounts import actions as people
from agents import actions, upkeep
from agents.models import Agent, Credential
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.cast import Cast

Status = Agent.Status
LIFE, BEFORE = timedelta(days=90), upkeep.WARNED_BEFORE


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def began(world: World) -> datetime:
    """When its agent came into service: long ago."""
    at = timezone.now() - timedelta(days=400)
    Agent.objects.update(status_at=at)
    return at


def used(world: World, at: datetime) -> None:
    Credential.objects.create(
        agent=world.agent,
        key=world.agent.keys.get(),
        resource=world.resource,
        issued_at=at,
        expires_at=at + timedelta(minutes=9),
    )


def status(world: World) -> str:
    world.agent.refresh_from_db()
    return world.agent.status


def events(name: str) -> int:
    return Outbox.objects.filter(event=name).count()


def test_unused_it_is_told_of_and_then_suspended(world: World, began: datetime) -> None:
    assert upkeep.turn(began + LIFE - BEFORE - timedelta(minutes=1)) == 0
    warned = began + LIFE - BEFORE
    assert upkeep.turn(warned) == 1
    assert (events("agent:unused"), status(world)) == (1, Status.ACTIVE)
    assert upkeep.turn(warned + timedelta(days=1)) == 0
    assert upkeep.turn(began + LIFE) == 1
    assert (events("agent:suspended"), status(world)) == (1, Status.SUSPENDED)
    assert world.agent.status_reason == "Unused for 90 days."


def test_use_after_the_warning_begins_anew(world: World, began: datetime) -> None:
    upkeep.turn(began + LIFE - BEFORE)
    used(world, began + LIFE - timedelta(days=1))
    assert upkeep.turn(began + LIFE) == 0
    assert status(world) == Status.ACTIVE
    assert upkeep.turn(began + 2 * LIFE) == 1
    assert events("agent:unused") == 2


def test_nobody_is_suspended_without_having_been_told_in_time(world: World, began: datetime) -> None:
    late = began + 2 * LIFE
    assert upkeep.turn(late) == 1  # the server did not run for long: told now, and suspended no earlier than in 14 days
    assert status(world) == Status.ACTIVE
    assert upkeep.turn(late + BEFORE) == 1
    assert status(world) == Status.SUSPENDED


def test_one_that_was_let_act_again_has_its_days_before_it(world: World, began: datetime) -> None:
    actions.suspend(world.agent.id, actor=world.cast.ciso, reason="Odd")
    asked = actions.ask_to_reinstate(world.agent.id, actor=world.cast.owner, reason="Well again")
    actions.reinstate(asked.id, actor=world.cast.ciso)
    assert upkeep.turn(timezone.now() + timedelta(days=70)) == 0


def test_one_whose_owner_is_gone_is_told_of_and_then_suspended(world: World) -> None:
    now = timezone.now()
    people.deactivate(world.cast.owner, actor=world.cast.administrator)
    assert upkeep.turn(now) == 1
    assert (events("agent:ownerless"), status(world)) == (1, Status.ACTIVE)
    assert upkeep.turn(now + timedelta(days=13)) == 0
    assert upkeep.turn(now + timedelta(days=14)) == 1
    assert status(world) == Status.SUSPENDED
    assert world.agent.status_reason == "Its owner is gone, and nobody was named for 14 days."


def test_another_owner_in_time_and_all_is_well(world: World) -> None:
    now = timezone.now()
    people.deactivate(world.cast.owner, actor=world.cast.administrator)
    upkeep.turn(now)
    actions.change_agent(world.agent.id, owner=world.cast.ciso, actor=world.cast.engineer)
    assert upkeep.turn(now + timedelta(days=30)) == 0
    assert status(world) == Status.ACTIVE
    assert world.agent.ownerless_since is None


def test_an_owner_who_comes_back_is_owner_again(world: World) -> None:
    now = timezone.now()
    people.deactivate(world.cast.owner, actor=world.cast.administrator)
    upkeep.turn(now)
    people.reactivate(world.cast.owner, actor=world.cast.administrator)
    assert upkeep.turn(now + timedelta(days=30)) == 1  # forgotten, nothing else
    assert status(world) == Status.ACTIVE
