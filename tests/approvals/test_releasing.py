"""What was approved runs at most once, and only while everything it rests on still holds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import actions as people
from accounts.models import Membership, Role
from accounts.objects import withdraw_review
from agents import actions as inventory
from approvals import actions
from approvals.errors import PoliciesChanged, QuorumLost
from approvals.models import Hold
from core.db import db_now
from core.errors import AlreadySettled, Refused, Stale
from policies import actions as policies
from policies.decision import Code, Verdict
from tests.approvals.world import BOTH, ONE, TWO, World, approve, backdate, held, release

pytestmark = pytest.mark.django_db
Status = Hold.Status


@pytest.fixture
def approved(world: World) -> Hold:
    return approve(held(world), world.cast.reviewer)


def status(hold: Hold) -> str:
    return Hold.objects.get(id=hold.id).status


def test_an_approved_action_is_released_once(approved: Hold) -> None:
    assert release(approved).status == Status.RELEASED
    with pytest.raises(AlreadySettled, match="released"):
        release(approved)


def test_what_is_not_approved_is_not_released(world: World) -> None:
    hold = held(world)
    with pytest.raises(AlreadySettled, match="waiting"):
        release(hold)
    actions.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="No.")
    with pytest.raises(AlreadySettled, match="denied"):
        release(hold)


def test_another_digest_is_not_released(approved: Hold) -> None:
    approved.digest = "sha256:" + "0" * 64
    with pytest.raises(Stale):
        release(approved)
    assert status(approved) == Status.APPROVED


def test_an_approval_not_collected_in_time_is_over(approved: Hold) -> None:
    backdate(approved, redeem_by=db_now())
    with pytest.raises(AlreadySettled, match="in time"):
        release(approved)
    assert actions.lapse(approved.id).status == Status.LAPSED


def test_a_suspended_agent_loses_its_approval(world: World, approved: Hold) -> None:
    inventory.suspend(world.agent.id, actor=world.cast.ciso, reason="Odd.")
    with pytest.raises(Refused) as refused:
        release(approved)
    assert (refused.value.code, status(approved)) == ("agent_not_active", Status.LAPSED)


def test_what_policy_denies_now_lapses(approved: Hold) -> None:
    with pytest.raises(Refused) as refused:
        release(approved, None, verdict=Verdict.DENY, code=Code.FORBIDDEN, why="Never again.")
    assert (refused.value.code, status(approved)) == ("forbidden", Status.LAPSED)


def test_what_policy_allows_now_is_released(approved: Hold) -> None:
    assert release(approved, None).status == Status.RELEASED


def test_a_wider_requirement_makes_it_wait_again_and_keeps_the_approval(world: World, approved: Hold) -> None:
    with pytest.raises(QuorumLost):
        release(approved, BOTH)
    assert status(approved) == Status.WAITING
    assert approve(approved, world.cast.reviewer2).status == Status.APPROVED
    assert release(approved, BOTH).status == Status.RELEASED


def test_a_wider_requirement_after_the_deadline_lapses(approved: Hold) -> None:
    backdate(approved, asked_at=db_now() - timedelta(hours=1), deadline=db_now())
    with pytest.raises(QuorumLost):
        release(approved, BOTH)
    assert status(approved) == Status.LAPSED


def test_a_reviewer_who_left_counts_no_more(world: World, approved: Hold) -> None:
    people.deactivate(world.cast.reviewer, actor=world.cast.administrator)
    with pytest.raises(QuorumLost):
        release(approved)


def test_a_reviewer_who_lost_the_role_or_the_group_counts_no_more(world: World) -> None:
    first = approve(held(world, text="DELETE 1"), world.cast.reviewer)
    second = approve(held(world, text="DELETE 2"), world.cast.teammate)
    people.set_roles(world.cast.reviewer, [Role.AUDITOR], actor=world.cast.administrator)
    people.remove_member(Membership.objects.get(user=world.cast.teammate), actor=world.cast.administrator)
    for hold in (first, second):
        with pytest.raises(QuorumLost):
            release(hold)


def test_a_group_that_left_and_came_back_counts_only_from_then_on(world: World, approved: Hold) -> None:
    membership = Membership.objects.get(user=world.cast.reviewer)
    people.remove_member(membership, actor=world.cast.administrator)
    people.add_member(world.cast.reviewer, world.cast.dba, actor=world.cast.administrator)
    with pytest.raises(QuorumLost):
        release(approved)


def test_a_segment_that_the_group_reviews_no_more_counts_no_more(world: World, approved: Hold) -> None:
    withdraw_review(world.cast.dba, world.segment)
    with pytest.raises(QuorumLost):
        release(approved)


def test_a_reviewer_who_became_the_owner_counts_no_more(world: World, approved: Hold) -> None:
    world.agent.owner = world.cast.reviewer
    world.agent.save(update_fields=["owner"])
    with pytest.raises(QuorumLost):
        release(approved)


def test_a_quorum_is_counted_again_at_the_release(world: World) -> None:
    hold = approve(held(world, TWO), world.cast.reviewer, world.cast.teammate)
    people.deactivate(world.cast.teammate, actor=world.cast.administrator)
    with pytest.raises(QuorumLost):
        release(hold, TWO)
    assert status(hold) == Status.WAITING


def test_a_decision_by_other_policies_than_the_active_ones_is_not_used(world: World, approved: Hold) -> None:
    version = policies.install('@id("a") permit (principal, action, resource);', actor=world.cast.engineer)
    with pytest.raises(PoliciesChanged):
        release(approved)
    assert status(approved) == Status.APPROVED
    assert release(approved, ONE, policy_version=version.number).status == Status.RELEASED
