"""Deadlines, withdrawals, what the ledger is told, and what browsers are."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from activity.models import Action
from agents.actors import agent_actor
from agents.models import Agent
from approvals import actions, tasks
from approvals.live import queue_of
from approvals.models import Hold
from approvals.queries import watchers
from core.db import db_now
from core.errors import AlreadySettled, NotFound
from core.ids import new_id
from ledger.models import Outbox
from ledger.personal import revealed
from tests.approvals.world import BOTH, NODE, World, approve, backdate, held, release

pytestmark = pytest.mark.django_db
Status = Hold.Status


def told(agent: Agent) -> list[dict[str, Any]]:
    """The entries about holds and released actions, in order."""
    entries = [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.order_by("id")]
    return [entry for entry in entries if entry["event"].startswith(("hold:", "action:", "review:"))]


def past(hold: Hold) -> None:
    backdate(hold, asked_at=db_now() - timedelta(hours=1), deadline=db_now())


def row_of(hold: Hold) -> Action:
    """The action's row, as the gate writes it with the hold."""
    return Action.objects.create(
        id=hold.action_id, session_id=hold.session_id, node_id=NODE, agent_id=hold.agent_id,
        resource_id=hold.resource_id, credential_id=new_id(), number=1, verb=hold.verb, shown=hold.shown,
        digest=hold.digest, salt=bytes(hold.salt), decision="hold", status=Action.Status.HELD,
    )  # fmt: skip


def test_the_task_expires_what_is_due_and_nothing_else(world: World) -> None:
    due, early = held(world, text="DELETE 1"), held(world, text="DELETE 2")
    past(due)
    assert tasks.expire_due() == 1
    assert {hold.id: hold.status for hold in Hold.objects.all()} == {due.id: Status.EXPIRED, early.id: Status.WAITING}
    assert tasks.expire_due() == 0


def test_the_task_lapses_what_was_not_collected(world: World) -> None:
    hold = approve(held(world), world.cast.reviewer)
    backdate(hold, redeem_by=db_now())
    assert tasks.expire_due() == 1
    assert Hold.objects.get().status == Status.LAPSED


def test_expiring_and_lapsing_early_do_nothing(world: World) -> None:
    hold = held(world)
    assert actions.expire(hold.id).status == Status.WAITING
    approve(hold, world.cast.reviewer)
    assert actions.lapse(hold.id).status == Status.APPROVED
    assert actions.expire(hold.id).status == Status.APPROVED


def test_a_withdrawn_hold_is_over(world: World) -> None:
    hold = held(world)
    by = agent_actor(world.agent)
    assert actions.withdraw(hold.id, by=by).settled_because == "Withdrawn by support.production."
    with pytest.raises(AlreadySettled):
        actions.withdraw(hold.id, by=by)
    with pytest.raises(NotFound):
        actions.withdraw(new_id(), by=by)


@pytest.mark.parametrize("ending", ["denied", "expired", "withdrawn", "lapsed"])
def test_the_action_ends_with_its_hold(world: World, ending: str) -> None:
    hold = held(world)
    row = row_of(hold)
    if ending == "denied":
        actions.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="No.")
    elif ending == "withdrawn":
        actions.withdraw(hold.id, by=agent_actor(world.agent))
    elif ending == "expired":
        past(hold)
        actions.expire(hold.id)
    else:
        backdate(approve(hold, world.cast.reviewer), redeem_by=db_now())
        actions.lapse(hold.id)
    row.refresh_from_db()
    assert (row.status, row.code) == (Action.Status.DENIED, ending)


def test_the_action_is_released_with_its_hold(world: World) -> None:
    hold = held(world)
    row = row_of(hold)
    release(approve(hold, world.cast.reviewer))
    row.refresh_from_db()
    assert (row.status, row.node_id) == (Action.Status.RELEASED, NODE)


def test_the_ledger_is_told_each_step_by_identifiers_alone(world: World) -> None:
    hold = held(world, BOTH, purpose="Jane Roe asked")
    actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="Jane Roe is right.")
    approve(hold, world.cast.reviewer2)
    release(hold, BOTH)
    entries = told(world.agent)
    events = ["hold:asked", "hold:approved", "hold:approved", "hold:settled", "action:released"]
    assert [entry["event"] for entry in entries] == events
    assert {entry["digest"] for entry in entries} == {hold.digest}
    assert {entry["action"] for entry in entries} == {str(hold.action_id)}
    assert entries[1]["actor"]["id"] == str(world.cast.reviewer.id)
    assert entries[1]["details"]["reason"].startswith("sha256:")
    assert len(entries[-1]["details"]["reviews"]) == 2
    assert "Jane" not in json.dumps(entries)


def test_joining_expiring_and_refusing_leave_entries(world: World) -> None:
    hold = held(world)
    held(world)
    with pytest.raises(NotFound) as refused:
        approve(hold, world.cast.outsider)
    actions.record_refusal(hold.id, actor=world.cast.outsider, error=refused.value)
    past(hold)
    actions.expire(hold.id)
    entries = told(world.agent)
    assert [entry["event"] for entry in entries] == ["hold:asked", "hold:joined", "review:refused", "hold:expired"]
    assert entries[2]["actor"]["name"] == "Otto Outsider"
    assert entries[2]["details"] == {"code": "not_found"}


def test_browsers_are_told_after_the_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    pushed: list[tuple[list[str], object]] = []
    monkeypatch.setattr("approvals.live.announce", lambda groups, message: pushed.append((groups, message)))
    with django_capture_on_commit_callbacks(execute=True):
        hold = held(world)
        assert pushed == []
    ((groups, message),) = pushed
    assert set(groups) == {queue_of(person) for person in watchers(hold.id)}
    assert queue_of(world.cast.reviewer.id) in groups
    assert isinstance(message, dict)
    assert (message["type"], message["hold"]) == ("hold.changed", str(hold.id))
    assert message.keys() == {"type", "hold"}  # identifiers alone
