"""What an erased person typed goes with them: from the rows that show it, and from what the ledger's commitments open to."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from accounts import actions as people
from accounts.models import Role, User
from accounts.role_actions import ask_to_erase
from activity.actions import close_session, cut_session
from activity.models import Action
from agents import actions as agents
from agents import halt_actions as halts
from agents import reinstating_actions as reinstating
from agents.delegation_actions import delegate, end_delegation
from approvals import actions as approvals
from approvals.models import Hold, Review
from audit.takers import says
from core.db import db_now
from ledger.events import Event
from ledger.models import Entry, Outbox
from ledger.personal import ERASED_WORDS, reveal
from ledger.reading import columns_of
from ledger.schemas import WORDS, problem_of
from monitoring import actions as monitoring
from monitoring.models import Incident
from monitoring.opening import Opening
from policies import actions as policies
from tests.accounts.test_erasing import columns_that_say
from tests.activity.asking import session
from tests.approvals.test_settling import row_of
from tests.approvals.world import BOTH, World, assemble, held
from tests.cast import SETUP, Cast

pytestmark = pytest.mark.django_db

POLICY = '@id("reads") permit (principal, action == Action::"sql:select", resource);'


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def zoe(world: World) -> User:
    """Somebody who may do everything that takes a reason."""
    roles = [Role.REVIEWER, Role.CISO, Role.ENGINEER]
    zoe = people.invite("zebra", email="z@zebra.example", name="Zoe Zebra", roles=roles, actor=SETUP)
    people.add_member(zoe, world.cast.dba, actor=world.cast.administrator)
    return zoe


def _reviews(world: World, zoe: User) -> tuple[Hold, Hold]:
    denied, approved = held(world, text="DELETE 1"), held(world, BOTH, text="DELETE 2")
    row_of(denied)
    approvals.deny(denied.id, actor=zoe, seen=denied.digest, reason="The zebra says no")
    approvals.approve(approved.id, actor=zoe, seen=approved.digest, reason="A zebra says yes")
    return denied, approved


def _withdraws(world: World, zoe: User) -> Hold:
    agents.change_agent(world.agent.id, actor=world.cast.engineer, owner=zoe)
    hold = held(world, text="DELETE 3")
    row_of(hold)
    approvals.withdraw_own(hold.id, actor=zoe, reason="Zebra took it back")
    agents.change_agent(world.agent.id, actor=world.cast.engineer, owner=world.cast.owner)
    return hold


def _answers(world: World, zoe: User) -> Incident:
    opening = Opening.of(Incident.Kind.UNPROVEN, source="203.0.113.7", began_at=db_now())
    incident = monitoring.open_or_join(opening, [])
    monitoring.annotate(incident.id, text="A zebra looked", actor=zoe)
    monitoring.resolve(incident.id, reason="The zebra is gone", actor=zoe)
    return incident


def _stops(world: World, zoe: User) -> None:
    agents.suspend(world.agent.id, actor=zoe, reason="It bit a zebra")
    asked = reinstating.ask_to_reinstate(world.agent.id, actor=zoe, reason="The zebra is well")
    reinstating.reinstate(asked.id, actor=world.cast.ciso)
    agents.suspend(world.agent.id, actor=world.cast.ciso, reason="Once more")
    again = reinstating.ask_to_reinstate(world.agent.id, actor=world.cast.engineer, reason="Sorry")
    reinstating.decline_reinstatement(again.id, actor=zoe, reason="Not for a zebra")
    waiting = reinstating.ask_to_reinstate(world.agent.id, actor=world.cast.engineer, reason="Please")
    reinstating.reinstate(waiting.id, actor=world.cast.ciso)
    agents.suspend(world.agent.id, actor=zoe, reason="The zebra again")


def _halts(world: World, zoe: User) -> None:
    halts.halt(actor=zoe, reason="A zebra escaped")
    halts.ask_to_lift(actor=zoe, reason="The zebra came back")
    halts.lift(actor=world.cast.engineer)


def _delegates(world: World, zoe: User) -> None:
    life = timedelta(hours=1)
    for reason in ("Enough of zebras", "No zebras"):
        granted = delegate(world.agent.id, resource=world.resource, purpose="To feed zebras", life=life, actor=zoe)
        end_delegation(granted.id, actor=zoe, reason=reason)


def _cuts(world: World, zoe: User) -> None:
    for live in (session(world.agent, world.resource), session(world.agent, world.resource)):
        cut_session(live.id, actor=zoe, reason="Zebra crossing")
        close_session(live.id, because="This session was cut: Zebra crossing")


def _erase(world: World, zoe: User) -> None:
    people.deactivate(zoe, actor=world.cast.administrator)
    ask_to_erase(zoe, actor=SETUP)


def _entries() -> list[Entry]:
    """What waits for the log, as the log will have it."""
    rows = [
        Entry(index=row.id, outbox_id=row.id, leaf=bytes(row.leaf), leaf_hash=b"", **columns_of(bytes(row.leaf))._asdict())
        for row in Outbox.objects.order_by("id")
    ]  # fmt: skip
    return reveal(rows)


def test_nothing_that_an_erased_person_typed_is_left(world: World, zoe: User) -> None:
    denied, _ = _reviews(world, zoe)
    withdrawn, incident = _withdraws(world, zoe), _answers(world, zoe)
    _delegates(world, zoe)
    _halts(world, zoe)
    _stops(world, zoe)
    _cuts(world, zoe)
    policies.draft(POLICY, actor=zoe, note="What a zebra needs")
    assert columns_that_say(b"zebra")
    _erase(world, zoe)
    assert columns_that_say(b"zebra") == []
    assert "erased" in Hold.objects.get(id=denied.id).settled_because
    assert "erased" in Action.objects.get(id=withdrawn.action_id).message
    incident.refresh_from_db()
    salts = [bytes(one.salt) for one in Review.objects.filter(reviewer=zoe)]
    assert {bytes(incident.salt), bytes(incident.notes.get().salt), *salts} == {b""}
    assert {bytes(Hold.objects.get(id=withdrawn.id).salt), bytes(Action.objects.get(id=withdrawn.action_id).salt)} == {
        b""
    }


def test_what_others_typed_stays(world: World, zoe: User) -> None:
    live = session(world.agent, world.resource)
    cut_session(live.id, actor=world.cast.engineer, reason="Too much")
    agents.suspend(world.agent.id, actor=world.cast.ciso, reason="It reads cards")
    _erase(world, zoe)
    live.refresh_from_db()
    world.agent.refresh_from_db()
    assert (live.cut_by, live.cut_reason, world.agent.status_reason) == ("Enzo Engineer", "Too much", "It reads cards")


def test_a_leaf_holds_a_commitment_to_a_reason_and_readers_see_the_reason(world: World, zoe: User) -> None:
    _stops(world, zoe)
    _cuts(world, zoe)
    told = [entry for entry in _entries() if entry.event in WORDS]
    leaves = [json.loads(bytes(entry.leaf)) for entry in told]
    assert {says["details"]["reason"][:7] for says in leaves} == {"sha256:"}
    assert [problem_of(says["event"], says["details"]) for says in leaves] == [""] * len(leaves)
    shown = {(entry.event, says(entry)["details"]["reason"]) for entry in told}
    assert {
        (Event.AGENT_SUSPENDED.value, "It bit a zebra"), (Event.AGENT_REINSTATED.value, "The zebra is well"),
        (Event.REINSTATEMENT_DECLINED.value, "Not for a zebra"), (Event.SESSION_CUT.value, "Zebra crossing"),
    } <= shown  # fmt: skip


def test_a_reason_is_its_writer_s_and_not_of_who_confirmed(world: World, zoe: User) -> None:
    _stops(world, zoe)
    _erase(world, zoe)
    by: dict[str, list[dict[str, Any]]] = {}
    for entry in _entries():
        by.setdefault(entry.event, []).append(says(entry).get("details", {}))
    assert [one["reason"] for one in by["agent:reinstated"]] == [ERASED_WORDS, "Please"]
    assert [one["reason"] for one in by["agent:suspended"]] == [ERASED_WORDS, "Once more", ERASED_WORDS]


def test_what_an_erased_person_is_said_to_have_typed_later_is_not_kept(world: World, zoe: User) -> None:
    asked = reinstating.ask_to_reinstate(_stopped(world), actor=zoe, reason="The zebra is well")
    _erase(world, zoe)
    reinstating.reinstate(asked.id, actor=world.cast.ciso)
    assert columns_that_say(b"zebra") == []
    leaf = json.loads(bytes(Outbox.objects.filter(event="agent:reinstated").latest("id").leaf))
    assert leaf["details"]["reason"] == ERASED_WORDS


def test_what_narrowgate_does_by_itself_says_why_in_clear(world: World) -> None:
    agents.suspend(world.agent.id, actor=monitoring.MONITORING, reason="Risk 91.")
    leaf = json.loads(bytes(Outbox.objects.filter(event="agent:suspended").latest("id").leaf))
    assert leaf["details"]["reason"] == "Risk 91."


def _stopped(world: World) -> Any:
    return agents.suspend(world.agent.id, actor=world.cast.ciso, reason="Once").id
