"""Who may review what, and that nobody approves their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import actions as people
from accounts.models import Membership, Role, User
from approvals import actions
from approvals.eligibility import standing
from approvals.models import Hold, Review
from approvals.queries import reviewers_for, visible_to
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound, Stale
from ledger.models import Outbox
from tests.approvals.world import BOTH, TWO, World, approve, backdate, held

pytestmark = pytest.mark.django_db
Status = Hold.Status


def make_reviewer(world: World, user: User) -> None:
    """Give somebody every right there is to review, as of long ago."""
    people.set_roles(user, [*map(Role, user.roles), Role.REVIEWER, Role.ADMINISTRATOR], actor=world.cast.administrator)
    people.add_member(user, world.cast.dba, actor=world.cast.administrator)
    Membership.objects.filter(user=user).update(since=db_now() - timedelta(days=1))


def test_one_approval_approves_where_one_is_needed(world: World) -> None:
    hold = approve(held(world), world.cast.reviewer)
    assert (hold.status, hold.redeem_by is not None) == (Status.APPROVED, True)
    assert [review.reviewer for review in hold.reviews.all()] == [world.cast.reviewer]


def test_a_quorum_takes_people_from_each_group(world: World) -> None:
    hold = approve(held(world, BOTH), world.cast.reviewer, world.cast.teammate)
    assert hold.status == Status.WAITING
    assert approve(hold, world.cast.reviewer2).status == Status.APPROVED


def test_a_quorum_counts_people_not_groups(world: World) -> None:
    people.add_member(world.cast.reviewer, world.cast.security, actor=world.cast.administrator)
    hold = approve(held(world, BOTH), world.cast.reviewer)
    assert hold.status == Status.WAITING
    with pytest.raises(NotEligible, match="already"):
        approve(hold, world.cast.reviewer)
    assert approve(hold, world.cast.teammate).status == Status.APPROVED


def test_two_accounts_of_one_person_count_once(world: World) -> None:
    User.objects.filter(id=world.cast.teammate.id).update(person=world.cast.reviewer.person)
    hold = approve(held(world, TWO), world.cast.reviewer)
    with pytest.raises(NotEligible, match="already"):
        approve(hold, world.cast.teammate)


@pytest.mark.parametrize(
    ("who", "because"), [("owner", "own this agent"), ("deputy", "deputy"), ("engineer", "enrolled this agent")]
)
def test_nobody_approves_their_own(world: World, who: str, because: str) -> None:
    person = getattr(world.cast, who)
    make_reviewer(world, person)
    hold = held(world)
    with pytest.raises(NotEligible, match=because):
        approve(hold, person)
    with pytest.raises(NotEligible, match=because):
        actions.deny(hold.id, actor=person, seen=hold.digest, reason="No.")
    assert not hold.reviews.exists()


def test_the_person_acted_for_is_excluded(world: World) -> None:
    hold = held(world, on_behalf_of=world.cast.reviewer.id)
    with pytest.raises(NotEligible, match="acts for you"):
        approve(hold, world.cast.reviewer)
    assert approve(hold, world.cast.teammate).status == Status.APPROVED


def test_another_account_of_the_owner_is_excluded(world: World) -> None:
    User.objects.filter(id=world.cast.reviewer.id).update(person=world.cast.owner.person)
    with pytest.raises(NotEligible, match="own this agent"):
        approve(held(world), world.cast.reviewer)


def test_the_owner_of_then_and_the_owner_of_now_are_excluded(world: World) -> None:
    make_reviewer(world, world.cast.owner)
    hold = held(world)
    world.agent.owner = world.cast.reviewer
    world.agent.save(update_fields=["owner"])
    with pytest.raises(NotEligible, match="owned this agent when it asked"):
        approve(hold, world.cast.owner)
    with pytest.raises(NotEligible, match="You own this agent"):
        approve(hold, world.cast.reviewer)


def test_membership_gained_after_the_asking_does_not_count_until_confirmed(world: World) -> None:
    hold = held(world, BOTH)
    membership = people.add_member(world.cast.teammate, world.cast.security, actor=world.cast.administrator)
    assert approve(hold, world.cast.reviewer, world.cast.teammate).status == Status.WAITING
    people.confirm_member(membership, actor=world.cast.second_administrator)
    assert standing(world.cast.teammate, hold).groups == {"dba", "security"}


def test_somebody_who_joined_late_is_told_so(world: World) -> None:
    hold = held(world)
    people.set_roles(world.cast.outsider, [Role.REVIEWER], actor=world.cast.administrator)
    people.add_member(world.cast.outsider, world.cast.dba, actor=world.cast.administrator)
    with pytest.raises(NotEligible, match="joined dba after"):
        approve(hold, User.objects.get(id=world.cast.outsider.id))


def test_the_wrong_group_the_wrong_segment_and_no_role_are_refused(world: World) -> None:
    hold = held(world)
    with pytest.raises(NotEligible, match="somebody from dba"):
        approve(hold, world.cast.reviewer2)
    with pytest.raises(NotEligible, match="not a reviewer"):
        approve(hold, world.cast.ciso)
    people.set_roles(world.cast.ciso, [Role.CISO, Role.REVIEWER], actor=world.cast.administrator)
    with pytest.raises(NotEligible, match="segment production"):
        approve(hold, User.objects.get(id=world.cast.ciso.id))


def test_who_owns_the_agent_is_told_so_before_their_role_is_asked(world: World) -> None:
    owner = world.cast.owner
    people.set_roles(owner, [Role.OWNER], actor=world.cast.administrator)
    with pytest.raises(NotEligible, match="own this agent"):
        approve(held(world), User.objects.get(id=owner.id))


def test_the_outsider_sees_no_hold_and_cannot_touch_one(world: World) -> None:
    hold = held(world)
    assert not visible_to(world.cast.outsider).exists()
    with pytest.raises(NotFound):
        approve(hold, world.cast.outsider)


def test_a_closed_account_reviews_nothing_although_its_session_lives(world: World) -> None:
    hold = held(world)
    people.deactivate(world.cast.reviewer, actor=world.cast.administrator)
    with pytest.raises(NotFound):
        approve(hold, world.cast.reviewer)  # the object still says active


def test_another_digest_is_refused(world: World) -> None:
    hold = held(world)
    with pytest.raises(Stale):
        actions.approve(hold.id, actor=world.cast.reviewer, seen="sha256:" + "0" * 64)
    with pytest.raises(Stale):
        actions.approve(hold.id, actor=world.cast.reviewer, seen="")
    assert not hold.reviews.exists()


def test_one_denial_settles_and_needs_a_reason(world: World) -> None:
    hold = approve(held(world, BOTH), world.cast.reviewer)
    with pytest.raises(Invalid, match="needs a reason"):
        actions.deny(hold.id, actor=world.cast.reviewer2, seen=hold.digest, reason="  ")
    denied = actions.deny(hold.id, actor=world.cast.reviewer2, seen=hold.digest, reason="Not on a Friday.")
    assert (denied.status, denied.settled_because) == (Status.DENIED, "Denied by Sam Security: “Not on a Friday.”")
    with pytest.raises(AlreadySettled, match="already denied"):
        approve(hold, world.cast.teammate)


def test_who_approved_may_still_deny(world: World) -> None:
    hold = approve(held(world, TWO), world.cast.reviewer)
    denied = actions.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="I misread it.")
    assert denied.status == Status.DENIED


def test_past_its_deadline_it_is_settled_whatever_a_task_has_done(world: World) -> None:
    hold = held(world)
    backdate(hold, asked_at=db_now() - timedelta(hours=1), deadline=db_now() - timedelta(seconds=1))
    with pytest.raises(AlreadySettled, match="deadline"):
        approve(hold, world.cast.reviewer)


def test_a_reason_has_an_end(world: World) -> None:
    hold = held(world)
    with pytest.raises(Invalid, match="1000 characters"):
        actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="x" * 1001)


def test_everybody_concerned_is_listed_with_where_they_stand(world: World) -> None:
    standings = {str(one.user): (one.eligible, one.about) for one in reviewers_for(held(world))}
    assert standings["Rita Reviewer"] == standings["Tom Teammate"] == (True, "")
    assert standings["Olga Owner"] == (False, "Owns this agent.")
    assert "Otto Outsider" not in standings


def test_a_review_keeps_what_was_seen(world: World) -> None:
    hold = held(world)
    actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason=" Looks right. ")
    review = Review.objects.get()
    assert (review.digest, review.reason) == (hold.digest, "Looks right.")


# ---- taken back ----
def test_an_approval_taken_back_counts_no_longer_and_may_be_given_again(world: World) -> None:
    hold = approve(held(world, TWO), world.cast.reviewer)
    actions.retract(hold.id, actor=world.cast.reviewer)
    assert approve(hold, world.cast.teammate).status == Hold.Status.WAITING
    assert approve(hold, world.cast.reviewer).status == Hold.Status.APPROVED
    said = list(Outbox.objects.filter(event__startswith="hold:").order_by("id").values_list("event", flat=True))
    assert said[1:3] == ["hold:approved", "hold:retracted"]
    verdicts = sorted(Review.objects.filter(hold=hold).values_list("verdict", flat=True))
    assert verdicts == ["approve", "approve", "retract"]


def test_an_approval_is_taken_back_twice_only_if_given_twice(world: World) -> None:
    hold = held(world, TWO)
    for _ in range(2):
        approve(hold, world.cast.reviewer)
        actions.retract(hold.id, actor=world.cast.reviewer)
        with pytest.raises(NotEligible, match="not approved"):
            actions.retract(hold.id, actor=world.cast.reviewer)


def test_nobody_takes_back_what_another_gave_or_what_settled(world: World) -> None:
    hold = approve(held(world, TWO), world.cast.reviewer)
    with pytest.raises(NotEligible):
        actions.retract(hold.id, actor=world.cast.teammate)
    with pytest.raises(NotFound):
        actions.retract(hold.id, actor=world.cast.outsider)
    approve(hold, world.cast.teammate)
    with pytest.raises(AlreadySettled):
        actions.retract(hold.id, actor=world.cast.reviewer)
