"""Two at once, on real connections: exactly one wins. The loser is made to wait for the winner's row lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts.models import User
from agents import actions as inventory
from agents.actors import agent_actor
from agents.models import Agent, Resource
from approvals import actions
from approvals.asking import MOST_PER_AGENT
from approvals.models import Hold
from console.database import Logins
from core.db import db_now
from core.errors import AlreadySettled, NotEligible
from tests.approvals.world import NODE, ONE, TWO, World, approve, backdate, decided, enrol, held, in_thread, release

Status = Hold.Status


def second_while_first_is_open(
    logins: Logins, hold: Hold, first: Callable[[], object], second: Callable[[], object]
) -> tuple[object, list[object]]:
    """Run `first` in a transaction that stays open until `second` waits for its lock, then let both end."""
    with transaction.atomic():
        Hold.objects.select_for_update().get(id=hold.id)
        thread, results = in_thread(second)
        wait_for_a_blocked_connection(logins)
        won = first()
    thread.join(10)
    assert not thread.is_alive()
    return won, results


def wait_for_a_blocked_connection(logins: Logins, at_least: int = 1) -> None:
    with psycopg.connect(logins.owner, autocommit=True) as watcher:
        for _ in range(500):
            (count,) = watcher.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() or (0,)
            if count >= at_least:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waited for the lock")


def test_two_last_approvals_approve_once(fresh_database: Logins, fresh_world: World) -> None:
    cast, hold = fresh_world.cast, held(fresh_world, TWO)
    won, results = second_while_first_is_open(
        fresh_database, hold, lambda: approve(hold, cast.reviewer), lambda: approve(hold, cast.teammate)
    )
    (last,) = results
    assert isinstance(won, Hold)
    assert isinstance(last, Hold)
    assert (won.status, last.status) == (Status.WAITING, Status.APPROVED)
    assert Hold.objects.get().reviews.count() == 2


def test_the_same_person_twice_at_once_is_one_review(fresh_database: Logins, fresh_world: World) -> None:
    cast, hold = fresh_world.cast, held(fresh_world, TWO)
    _, results = second_while_first_is_open(
        fresh_database, hold, lambda: approve(hold, cast.reviewer), lambda: approve(hold, cast.reviewer)
    )
    assert isinstance(results[0], NotEligible)
    assert Hold.objects.get().reviews.count() == 1


def test_an_approval_after_the_expiry_loses(fresh_database: Logins, fresh_world: World) -> None:
    cast, hold = fresh_world.cast, held(fresh_world)
    backdate(hold, asked_at=db_now() - timedelta(hours=1), deadline=db_now())
    won, results = second_while_first_is_open(
        fresh_database, hold, lambda: actions.expire(hold.id), lambda: approve(hold, cast.reviewer)
    )
    assert isinstance(won, Hold)
    assert won.status == Status.EXPIRED
    assert isinstance(results[0], AlreadySettled)
    assert not Hold.objects.get().reviews.exists()


def test_an_expiry_after_the_last_approval_does_nothing(fresh_database: Logins, fresh_world: World) -> None:
    """The task read the hold as due-soon, the approval came first: the task must not undo it."""
    cast, hold = fresh_world.cast, held(fresh_world)
    _, results = second_while_first_is_open(
        fresh_database, hold, lambda: approve(hold, cast.reviewer), lambda: actions.expire(hold.id)
    )
    assert isinstance(results[0], Hold)
    assert Hold.objects.get().status == Status.APPROVED


def test_a_deadline_that_passes_while_waiting_for_the_lock_counts(fresh_database: Logins, fresh_world: World) -> None:
    cast, hold = fresh_world.cast, held(fresh_world)
    backdate(hold, deadline=db_now() + timedelta(seconds=1))

    def until_past() -> None:
        time.sleep(1.1)

    _, results = second_while_first_is_open(fresh_database, hold, until_past, lambda: approve(hold, cast.reviewer))
    assert isinstance(results[0], AlreadySettled)
    assert Hold.objects.get().status == Status.WAITING  # until somebody announces it


@pytest.mark.parametrize("by_owner", [True, False])
@pytest.mark.parametrize("withdraw_first", [True, False])
def test_approve_against_withdraw(
    fresh_database: Logins, fresh_world: World, withdraw_first: bool, by_owner: bool
) -> None:
    cast, hold = fresh_world.cast, held(fresh_world)
    agent = agent_actor(fresh_world.agent)
    moves: list[Callable[[], object]] = [
        lambda: (
            actions.withdraw_own(hold.id, actor=cast.owner, reason="Not needed.")
            if by_owner
            else actions.withdraw(hold.id, by=agent)
        ),
        lambda: approve(hold, cast.reviewer),
    ]
    first, second = moves if withdraw_first else moves[::-1]
    _, results = second_while_first_is_open(fresh_database, hold, first, second)
    assert isinstance(results[0], AlreadySettled)
    assert Hold.objects.get().status == (Status.WITHDRAWN if withdraw_first else Status.APPROVED)


def test_deny_against_the_last_approval(fresh_database: Logins, fresh_world: World) -> None:
    cast, hold = fresh_world.cast, held(fresh_world)

    def deny() -> Hold:
        return actions.deny(hold.id, actor=cast.teammate, seen=hold.digest, reason="No.")

    _, results = second_while_first_is_open(fresh_database, hold, deny, lambda: approve(hold, cast.reviewer))
    assert isinstance(results[0], AlreadySettled)
    assert Hold.objects.get().status == Status.DENIED


def test_two_gateways_release_once(fresh_database: Logins, fresh_world: World) -> None:
    hold = approve(held(fresh_world), fresh_world.cast.reviewer)
    won, results = second_while_first_is_open(
        fresh_database,
        hold,
        lambda: release(hold, None, policy_version=0),
        lambda: release(hold, None, policy_version=0),
    )
    assert isinstance(won, Hold)
    assert won.status == Status.RELEASED
    assert isinstance(results[0], AlreadySettled)
    assert "released" in results[0].message


def test_many_gateways_at_once_release_once(fresh_database: Logins, fresh_world: World) -> None:
    hold = approve(held(fresh_world), fresh_world.cast.reviewer)
    started = [in_thread(lambda: release(hold)) for _ in range(8)]
    for thread, _ in started:
        thread.join(20)
    outcomes = [results[0] for _, results in started]
    assert sum(isinstance(outcome, Hold) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, AlreadySettled) for outcome in outcomes) == 7


def test_a_release_is_refused_while_the_suspension_of_its_agent_commits(
    fresh_database: Logins, fresh_world: World
) -> None:
    hold = approve(held(fresh_world), fresh_world.cast.reviewer)
    with transaction.atomic():
        inventory.suspend(fresh_world.agent.id, actor=fresh_world.cast.ciso, reason="Odd.")
        thread, results = in_thread(lambda: release(hold))
        wait_for_a_blocked_connection(fresh_database)
    thread.join(10)
    assert getattr(results[0], "code", "") == "agent_not_active"
    assert Hold.objects.get().status == Status.LAPSED


def test_the_gateway_is_told_after_the_commit_and_not_of_what_rolled_back(
    fresh_database: Logins, fresh_world: World
) -> None:
    hold = held(fresh_world)
    with psycopg.connect(fresh_database.gateway, autocommit=True) as listener:
        listener.execute(f"LISTEN {actions.CHANNEL}")
        with transaction.atomic():
            approve(hold, fresh_world.cast.reviewer)
            transaction.set_rollback(True)
        assert list(listener.notifies(timeout=0.2, stop_after=1)) == []
        approve(hold, fresh_world.cast.reviewer)
        (told,) = listener.notifies(timeout=5, stop_after=1)
    assert told.payload == str(hold.id)


def test_asking_at_once_keeps_the_limit(fresh_database: Logins, fresh_world: World) -> None:
    texts = [f"DELETE {number}" for number in range(8)]
    started = [in_thread(partial(held, fresh_world, text=text)) for text in texts]
    for thread, _ in started:
        thread.join(20)
    codes = [getattr(results[0], "code", "asked") for _, results in started]
    assert sorted(codes) == ["asked"] * 5 + ["too_many_holds"] * 3


def test_asking_at_several_resources_at_once_keeps_the_agents_limit(fresh_database: Logins, fresh_world: World) -> None:
    resources = [another_resource(fresh_world, f"shop{number}") for number in range(8)]
    worlds = [replace(fresh_world, resource=resource) for resource in resources]
    asked_while_locked(fresh_database, worlds, Agent.objects.filter(id=fresh_world.agent.id))
    assert Hold.objects.count() == MOST_PER_AGENT


def test_asking_by_several_agents_at_once_keeps_the_owners_limit(
    fresh_database: Logins, fresh_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("approvals.asking.MOST_PER_OWNER", 3)
    cast = fresh_world.cast
    worlds = [
        replace(
            fresh_world,
            agent=enrol(cast, fresh_world.segment, f"support.production.{number:02}"),
            resource=another_resource(fresh_world, f"shop{number}"),
        )
        for number in range(1, 7)
    ]
    asked_while_locked(fresh_database, worlds, User.objects.filter(id=cast.owner.id))
    assert Hold.objects.count() == 3


def another_resource(world: World, name: str) -> Resource:
    where: Any = {"host": "localhost", "database": name, "tls": "off"}
    return inventory.add_resource(name, segment=world.segment, actor=world.cast.engineer, **where)


def asked_while_locked(logins: Logins, worlds: list[World], rows: QuerySet[Any]) -> None:
    """Let all of `worlds` ask, held up together by a lock on what they share, then let them go at once."""
    with transaction.atomic():
        list(rows.select_for_update())
        started = [in_thread(partial(held, world)) for world in worlds]
        wait_for_a_blocked_connection(logins, len(worlds))
    for thread, results in started:
        thread.join(20)
        assert results


def test_the_same_asked_at_once_is_one_hold(fresh_database: Logins, fresh_world: World) -> None:
    started = [in_thread(lambda: held(fresh_world)) for _ in range(4)]
    for thread, _ in started:
        thread.join(20)
    assert len({results[0].id for _, results in started if isinstance(results[0], Hold)}) == 1
    assert Hold.objects.count() == 1


def test_a_connection_that_dies_before_its_commit_leaves_the_hold_approved(
    fresh_database: Logins, fresh_world: World
) -> None:
    hold = approve(held(fresh_world), fresh_world.cast.reviewer)

    def dies() -> None:
        with transaction.atomic():
            actions.release(hold.id, digest=hold.digest, decision=decided(ONE), node=NODE)
            connection.close()

    thread, _ = in_thread(lambda: _ignoring(dies))
    thread.join(10)
    assert Hold.objects.get().status == Status.APPROVED
    assert release(hold).status == Status.RELEASED


def _ignoring(work: Callable[[], object]) -> None:
    with suppress(Exception):  # whatever a dying connection raises
        work()
