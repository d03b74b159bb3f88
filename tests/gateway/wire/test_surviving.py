"""A database error is over when the database answers again: nothing that watches or tidies ends with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from activity import actions
from activity.models import Session
from agents import actions as inventory
from agents import tokens
from agents.revision import current_revision
from gateway.visits import HTTP, Visit
from policies import actions as policy_actions
from policies import snapshot as policies
from tests.gateway.wire.world import POLICIES, World, eventually


def failing_once(work: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """`work`, that fails the first time. `failed` says whether it has."""

    def worked(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop()
        return work(*args, **kwargs)

    errors = [error]
    return worked


def visit_of(world: World) -> Visit:
    """A session without a connection."""
    identity = tokens.read(world.token())
    visits = world.gateway.service._visits
    return world.gateway.run(visits.enter(identity, protocol=HTTP, source="127.0.0.1", client="tests"))


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
def test_what_changed_while_the_database_failed_is_read_once_it_answers(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(policies, "load", failing_once(policies.load, error))
    inventory.create_segment("other", purpose="Something else", actor=world.cast.engineer)
    watch = world.gateway.service._watch
    assert eventually(lambda: watch.current().revision == current_revision())


def test_a_session_is_closed_once_the_database_answers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    visit, visits = visit_of(world), world.gateway.service._visits
    monkeypatch.setattr(actions, "close_session", failing_once(actions.close_session, OperationalError("gone")))
    visit.end("Enough.")
    world.gateway.run(visits._close_ended())
    assert visit in visits._open.values()
    assert Session.objects.get(id=visit.caller.session_id).ended_at is None
    world.gateway.run(visits._close_ended())
    assert visit not in visits._open.values()
    assert Session.objects.get(id=visit.caller.session_id).ended_at is not None


def test_the_risk_of_agents_is_known_before_policies_decide_by_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, cast = world.gateway.service._watch, world.cast
    decided_already: list[bool] = []
    risks = policies.risks

    def looked() -> dict[str, int]:
        decided_already.append(watch.current().engine.looks_at("risk"))
        return risks()

    monkeypatch.setattr(policies, "risks", looked)
    wary = '@id("wary") @why("Not now.") forbid (principal, action, resource) when { context has risk && context.risk.score > 50 };'
    draft = policy_actions.draft(f"{POLICIES}\n{wary}", actor=cast.engineer)
    version = policy_actions.propose(draft.id, actor=cast.engineer)
    policy_actions.activate(policy_actions.approve(version.id, actor=cast.ciso).id, actor=cast.engineer)
    assert eventually(lambda: watch.current().engine.looks_at("risk"))
    assert decided_already[0] is False
