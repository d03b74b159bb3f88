"""Requirements beyond a count for each group: either of two, an order, the data owner, a group that is left out."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts import actions as people
from accounts.quorum import Requirement
from approvals import actions
from approvals.models import Hold
from approvals.notifications.audience import audience
from approvals.notifications.told import Told
from approvals.queries import visible_to
from core.db import db_now
from core.errors import Invalid, NotEligible, Refused
from ledger.models import Outbox
from tests.approvals.world import World, approve, held, release


def needing(world: World, text: str) -> Hold:
    return held(world, Requirement.parse(text))


def test_either_group_fills_the_seat(world: World) -> None:
    hold = approve(needing(world, "dba|security:1"), world.cast.reviewer2)
    assert hold.status == Hold.Status.APPROVED
    assert release(hold, Requirement.parse("dba|security:1")).status == Hold.Status.RELEASED


def test_the_second_stage_decides_after_the_first(world: World) -> None:
    cast, hold = world.cast, needing(world, "dba:1 then security:1")
    with pytest.raises(NotEligible, match="not your turn") as refused:
        approve(hold, cast.reviewer2)
    assert "First it takes 1 of dba" in str(refused.value)
    assert approve(hold, cast.reviewer).status == Hold.Status.WAITING
    assert Outbox.objects.filter(event="hold:second_stage").count() == 1
    settled = approve(hold, cast.reviewer2)
    assert settled.status == Hold.Status.APPROVED
    assert release(settled, Requirement.parse("dba:1 then security:1")).status == Hold.Status.RELEASED


def test_one_of_the_second_stage_may_deny_before_their_turn(world: World) -> None:
    hold = needing(world, "dba:1 then security:1")
    denied = actions.deny(hold.id, actor=world.cast.reviewer2, seen=hold.digest, reason="No")
    assert denied.status == Hold.Status.DENIED


def test_a_first_stage_that_lost_its_approval_is_asked_again_before_the_second(world: World) -> None:
    """Tom comes to dba's seat after Sam approved in the second stage: Sam's approval was of another order."""
    cast, needs = world.cast, Requirement.parse("dba:1 then security:1")
    hold = approve(needing(world, str(needs)), cast.reviewer, cast.reviewer2)
    people.deactivate(cast.reviewer, actor=cast.administrator)
    with pytest.raises(NotEligible):
        release(hold, needs)
    hold = approve(hold, cast.teammate)
    assert hold.status == Hold.Status.WAITING
    actions.retract(hold.id, actor=cast.reviewer2)
    assert approve(hold, cast.reviewer2).status == Hold.Status.APPROVED


def test_the_data_owner_is_asked_as_nobody_else_can_be(world: World) -> None:
    cast = world.cast
    world.resource.owner = cast.ciso
    world.resource.save(update_fields=["owner"])
    assert not visible_to(cast.outsider).exists()
    hold = needing(world, "@data-owner:1")
    assert hold.asks_owner
    with pytest.raises(NotEligible, match="the data owner"):
        approve(hold, cast.reviewer)
    assert approve(hold, cast.ciso).status == Hold.Status.APPROVED
    assert release(hold, Requirement.parse("@data-owner:1")).status == Hold.Status.RELEASED


def test_the_data_owner_is_excluded_from_what_their_own_agent_asks(world: World) -> None:
    world.resource.owner = world.cast.owner  # who owns the agent as well
    world.resource.save(update_fields=["owner"])
    with pytest.raises(NotEligible, match="own this agent"):
        approve(needing(world, "@data-owner:1"), world.cast.owner)


def test_the_owners_manager_of_then_and_now_is_asked_and_nobody_made_one_since(world: World) -> None:
    cast = world.cast
    people.set_manager(cast.owner, cast.outsider, actor=cast.administrator)
    hold = needing(world, "@owner-manager:1")
    assert (hold.asks_manager, hold.needs) == (True, "1 of the owner's manager")
    assert visible_to(cast.outsider).exists()
    people.set_manager(cast.owner, cast.ciso, actor=cast.administrator)
    for somebody in (cast.ciso, cast.outsider, cast.reviewer):
        with pytest.raises(NotEligible):
            approve(hold, somebody)
    people.set_manager(cast.owner, cast.outsider, actor=cast.administrator)
    hold.agent.owner.refresh_from_db()
    assert approve(hold, cast.outsider).status == Hold.Status.APPROVED
    assert release(hold, Requirement.parse("@owner-manager:1")).status == Hold.Status.RELEASED


def test_a_manager_who_answers_for_the_agent_does_not_decide(world: World) -> None:
    people.set_manager(world.cast.owner, world.cast.deputy, actor=world.cast.administrator)
    with pytest.raises(NotEligible, match="deputy"):
        approve(needing(world, "@owner-manager:1"), world.cast.deputy)


def test_nobody_makes_themselves_a_manager_and_nobody_is_their_own(world: World) -> None:
    cast = world.cast
    with pytest.raises(Refused):
        people.set_manager(cast.owner, cast.administrator, actor=cast.administrator)
    with pytest.raises(Invalid):
        people.set_manager(cast.owner, cast.owner, actor=cast.administrator)
    with pytest.raises(Refused):
        people.set_manager(cast.owner, cast.ciso, actor=cast.reviewer)
    people.deactivate(cast.teammate, actor=cast.administrator)
    with pytest.raises(Invalid):
        people.set_manager(cast.owner, cast.teammate, actor=cast.administrator)
    people.set_manager(cast.owner, cast.ciso, actor=cast.administrator)
    assert people.set_manager(cast.owner, None, actor=cast.administrator).manager is None


def test_nobody_of_a_group_that_is_left_out_decides_by_whatever_other_group(world: World) -> None:
    cast = world.cast
    people.add_member(cast.reviewer, cast.security, actor=cast.administrator)
    hold = needing(world, "dba:1 not security")
    with pytest.raises(NotEligible, match="nobody of security"):
        approve(hold, cast.reviewer)
    assert approve(hold, cast.teammate).status == Hold.Status.APPROVED


def test_each_stage_is_told_at_its_turn(world: World) -> None:
    cast, hold = world.cast, needing(world, "dba:1 then security:1")

    def told(event: str) -> set[object]:
        return {one.person for one in audience([Told(1, hold.id, event, db_now(), "", hold.id, "sql:delete")])}

    assert told("hold:asked") == {cast.reviewer, cast.teammate}
    approve(hold, cast.reviewer)
    assert told("hold:second_stage") == {cast.reviewer2}


def test_the_page_says_it_in_words(world: World, client: Client) -> None:
    hold = needing(world, "dba|security:1 then security:1 not interns")
    assert hold.needs == "1 of dba or security, then 1 of security; nobody of interns"
    client.force_login(world.cast.reviewer)
    page = client.get(f"/queue/{hold.id}/").content.decode()
    assert "dba or security" in page
    assert ">then</li>" in page
    assert "Nobody of interns." in page
    later = held(world, Requirement.parse("dba:2 then security:1"), text="DELETE FROM orders")
    client.force_login(world.cast.reviewer2)
    assert "not your turn yet" in client.get(f"/queue/{later.id}/").content.decode()
