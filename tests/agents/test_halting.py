"""Stopping an owner's agents, a segment's, or everything; and that two people lift the last."""

from __future__ import annotations

import json

import pytest

from agents import actions, halt_actions, keys, tokens
from agents.models import Agent, Credential
from agents.oauth_errors import OAuthError
from core.errors import AlreadySettled, Refused, RoleRequired
from ledger.events import Event
from ledger.models import Outbox
from tests.agents.conftest import Enrolled, claims_of, enrol, request_with, sign
from tests.cast import Cast

WHY = "Something is wrong."


def token_of(enrolled: Enrolled) -> Credential:
    return tokens.issue(request_with(sign(enrolled, claims_of(enrolled)))).credential


def test_everything_stops_and_two_people_lift_it(cast: Cast, enrolled: Enrolled) -> None:
    credential = token_of(enrolled)
    halt_actions.halt(actor=cast.ciso, reason=WHY)
    credential.refresh_from_db()
    assert credential.revoked_at is not None
    with pytest.raises(OAuthError, match=f"Everything is stopped. {WHY}"):
        token_of(enrolled)
    halt_actions.ask_to_lift(actor=cast.ciso, reason="It was a drill.")
    with pytest.raises(Refused) as refused:
        halt_actions.lift(actor=cast.ciso)
    assert refused.value.code == "same_person"
    halt_actions.lift(actor=cast.engineer)
    assert token_of(enrolled).revoked_at is None
    said = [json.loads(bytes(one.leaf)) for one in Outbox.objects.filter(event__startswith="halt:").order_by("id")]
    assert [one["event"] for one in said] == [Event.HALTED, Event.LIFT_ASKED, Event.LIFTED]
    assert (said[0]["details"]["credentials"], said[0]["details"]["reason"][:7]) == (1, "sha256:")


def test_it_stops_once(cast: Cast) -> None:
    halt_actions.halt(actor=cast.engineer, reason=WHY)
    with pytest.raises(AlreadySettled):
        halt_actions.halt(actor=cast.ciso, reason=WHY)


def test_nothing_is_lifted_that_nobody_asked_for(cast: Cast) -> None:
    with pytest.raises(AlreadySettled):
        halt_actions.lift(actor=cast.engineer)
    halt_actions.halt(actor=cast.engineer, reason=WHY)
    with pytest.raises(AlreadySettled):
        halt_actions.lift(actor=cast.ciso)
    halt_actions.ask_to_lift(actor=cast.engineer, reason=WHY)
    with pytest.raises(AlreadySettled):
        halt_actions.ask_to_lift(actor=cast.ciso, reason=WHY)


@pytest.mark.parametrize("person", ["reviewer", "owner", "auditor", "outsider"])
def test_not_everybody_stops_everything(cast: Cast, enrolled: Enrolled, person: str) -> None:
    somebody = getattr(cast, person)
    for stop in (
        lambda: halt_actions.halt(actor=somebody, reason=WHY),
        lambda: halt_actions.suspend_owned(cast.owner.id, actor=somebody, reason=WHY),
        lambda: halt_actions.suspend_segment(enrolled.agent.segment, actor=somebody, reason=WHY),
        lambda: halt_actions.ask_to_lift(actor=somebody, reason=WHY),
        lambda: halt_actions.lift(actor=somebody),
    ):
        with pytest.raises(RoleRequired):
            stop()


def test_an_owners_agents_are_suspended_each_with_its_entry(cast: Cast, enrolled: Enrolled) -> None:
    other = enrol(cast, enrolled.agent.segment, enrolled.resource, keys.generate("ES256"), "billing.production")
    token_of(other)
    actions.suspend(enrolled.agent.id, actor=cast.engineer, reason="Earlier.")
    assert halt_actions.suspend_owned(cast.owner.id, actor=cast.ciso, reason=WHY) == 1
    other.agent.refresh_from_db()
    assert other.agent.status == Agent.Status.SUSPENDED
    assert not Credential.objects.filter(revoked_at=None).exists()
    assert Outbox.objects.filter(event=Event.AGENT_SUSPENDED).count() == 2


def test_a_segments_agents_are_suspended_and_no_others(cast: Cast, enrolled: Enrolled) -> None:
    clinic = actions.create_segment("clinic", actor=cast.engineer)
    elsewhere = enrol(cast, clinic, enrolled.resource, keys.generate("ES256"), "billing.production")
    assert halt_actions.suspend_segment(enrolled.agent.segment, actor=cast.engineer, reason=WHY) == 1
    elsewhere.agent.refresh_from_db()
    assert elsewhere.agent.status == Agent.Status.ACTIVE
