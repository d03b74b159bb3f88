"""What waits long is asked of a further group, at the second that policy names; a hold is handed to a colleague. Neither lends a right."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts import actions as people
from accounts.quorum import Requirement
from approvals import actions, waiting_actions
from approvals.errors import QuorumLost
from approvals.models import Hold
from approvals.notifications.audience import audience
from approvals.notifications.told import Told
from approvals.tasks import expire_due
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound
from ledger.models import Outbox
from policies.terms import Escalation
from tests.approvals.world import ONE, TWO, World, approve, backdate, decided, held, release, request

SOON = Escalation("security", timedelta(minutes=5))


def waiting(world: World, requirement: Requirement = TWO, **changed: Any) -> Hold:
    return actions.ask(request(world, decision=decided(requirement, escalate=SOON), **changed))


def escalated(hold: Hold) -> Hold:
    """The same hold five minutes later."""
    backdate(hold, escalate_at=db_now())
    expire_due()
    hold.refresh_from_db()
    return hold


def test_the_further_group_fills_seats_from_the_second_that_policy_names(world: World) -> None:
    cast, hold = world.cast, waiting(world)
    assert hold.escalate_at == hold.asked_at + timedelta(minutes=5)
    backdate(hold, escalate_at=db_now() + timedelta(seconds=1))
    expire_due()
    with pytest.raises(NotEligible):
        approve(hold, cast.reviewer2)
    hold = escalated(hold)
    assert (hold.requirement, hold.escalate_at) == ({"dba|security": 2}, None)
    assert Outbox.objects.filter(event="hold:escalated").count() == 1
    settled = approve(hold, cast.reviewer, cast.reviewer2)
    assert settled.status == Hold.Status.APPROVED
    assert release(settled, TWO, escalate=SOON).status == Hold.Status.RELEASED


def test_what_is_decided_or_over_does_not_escalate(world: World) -> None:
    hold = approve(waiting(world, ONE), world.cast.reviewer)
    backdate(hold, escalate_at=db_now())
    expire_due()
    hold.refresh_from_db()
    assert hold.escalated_at is None
    other = waiting(world, text="DELETE FROM orders")
    backdate(other, asked_at=db_now() - timedelta(hours=1), escalate_at=db_now(), deadline=db_now())
    expire_due()
    other.refresh_from_db()
    assert (other.status, other.escalated_at) == (Hold.Status.EXPIRED, None)


def test_policies_that_name_nobody_any_more_take_it_back_at_the_release(world: World) -> None:
    hold = approve(escalated(waiting(world, ONE)), world.cast.reviewer2)
    assert hold.status == Hold.Status.APPROVED
    with pytest.raises(QuorumLost):
        release(hold, ONE)
    hold.refresh_from_db()
    assert (hold.requirement, hold.escalated_at) == ({"dba": 1}, None)


def test_one_that_ends_sooner_does_not_plan_to(world: World) -> None:
    assert waiting(world, in_transaction=True).escalate_at is None


def test_those_who_may_fill_in_are_told(world: World) -> None:
    cast, hold = world.cast, escalated(waiting(world))
    told = Told(1, hold.id, "hold:escalated", db_now(), "", hold.id, "sql:delete")
    assert cast.reviewer2 in {one.person for one in audience([told])}


def test_an_escalation_lends_nothing_to_whom_the_hold_excludes(world: World) -> None:
    people.add_member(world.cast.deputy, world.cast.security, actor=world.cast.administrator)
    with pytest.raises(NotEligible, match="deputy"):
        approve(escalated(waiting(world, ONE)), world.cast.deputy)


def test_a_hold_is_handed_to_a_colleague_who_may_review_it(world: World) -> None:
    cast, hold = world.cast, held(world, TWO)
    handed = waiting_actions.hand_over(hold.id, actor=cast.reviewer, to=cast.teammate.id)
    assert handed.handed_to == cast.teammate
    told = Told(1, hold.id, "hold:handed", db_now(), str(cast.reviewer.id), hold.id, "sql:delete")
    assert {one.person for one in audience([told])} == {cast.teammate}
    for to in (cast.reviewer2, cast.owner):  # of another group, or the agent's owner
        with pytest.raises(NotEligible):
            waiting_actions.hand_over(hold.id, actor=cast.reviewer, to=to.id)
    with pytest.raises(Invalid):
        waiting_actions.hand_over(hold.id, actor=cast.reviewer, to=cast.reviewer.id)
    with pytest.raises(NotEligible):
        waiting_actions.hand_over(hold.id, actor=cast.owner, to=cast.teammate.id)
    with pytest.raises(NotFound):
        waiting_actions.hand_over(hold.id, actor=cast.outsider, to=cast.teammate.id)
    actions.deny(hold.id, actor=cast.teammate, seen=hold.digest, reason="No")
    with pytest.raises(AlreadySettled):
        waiting_actions.hand_over(hold.id, actor=cast.reviewer, to=cast.teammate.id)


def test_the_page_hands_over_and_says_when_it_escalates(world: World, client: Client) -> None:
    cast, hold = world.cast, waiting(world)
    client.force_login(cast.reviewer)
    page = client.get(f"/queue/{hold.id}/").content.decode()
    assert "Hand it to a colleague" in page
    assert "may fill in" in page
    assert client.post(f"/queue/{hold.id}/hand-over/", {"to": str(cast.teammate.id)}).status_code == 302
    assert client.post(f"/queue/{hold.id}/hand-over/", {"to": "nonsense"}).status_code == 404
    assert "Handed to Tom Teammate." in client.get(f"/queue/{hold.id}/").content.decode()
    escalated(hold)
    assert "Escalated at" in client.get(f"/queue/{hold.id}/").content.decode()
