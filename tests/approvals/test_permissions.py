"""Groups that review a segment, one resource, or one agent: what their members see and may decide, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from accounts import actions as people
from accounts.actions import set_roles
from accounts.models import Role, User
from accounts.objects import groups_by_target, may_review, targets_by_group
from accounts.quorum import Requirement
from activity.visibility import actions_visible_to, sessions_visible_to
from agents import actions as inventory
from agents.models import Agent, Resource, Segment
from agents.queries import visible_agents, visible_resources, visible_segments
from approvals import actions
from approvals.eligibility import standing
from approvals.queries import visible_to, watchers
from core.errors import NotEligible, Refused
from ledger.models import Outbox
from tests.approvals.world import World, approve, enrol, held

pytestmark = pytest.mark.django_db


@pytest.fixture
def night(world: World) -> Group:
    """A group that reviews nothing yet, with one reviewer in it."""
    group = people.create_group("night", actor=world.cast.administrator)
    nora = people.invite(
        "nora", email="n@example.com", name="Nora", roles=[Role.REVIEWER], actor=world.cast.administrator
    )
    for one in (group, world.cast.dba):
        people.add_member(nora, one, actor=world.cast.administrator)
    inventory.stop_review(world.cast.dba, world.segment, actor=world.cast.administrator)
    return group


def _nora() -> User:
    return User.objects.get(username="nora")


def _target(world: World, kind: str) -> Segment | Resource | Agent:
    targets: dict[str, Segment | Resource | Agent] = {
        "segment": world.segment,
        "resource": world.resource,
        "agent": world.agent,
    }
    return targets[kind]


@pytest.mark.parametrize("kind", ["segment", "resource", "agent"])
def test_a_group_reviews_what_it_was_let_and_nothing_else(world: World, night: Group, kind: str) -> None:
    mine = held(world)
    other = inventory.add_resource(
        "other", segment=inventory.create_segment("apart", actor=world.cast.engineer), actor=world.cast.engineer,
        host="localhost", database="other", tls="off",
    )  # fmt: skip
    foreign = enrol(world.cast, other.segment, "billing.production")
    apart = held(world, text="DELETE 2", agent_id=foreign.id, resource_id=other.id)
    assert not standing(_nora(), mine).eligible
    assert not visible_to(_nora()).exists()
    inventory.let_review(night, _target(world, kind), actor=world.cast.administrator)
    assert standing(_nora(), mine).eligible
    assert not standing(_nora(), apart).eligible
    assert set(visible_to(_nora())) == {mine}
    assert approve(mine, _nora()).status == "approved"
    with pytest.raises(Exception, match="no such hold"):
        actions.approve(apart.id, actor=_nora(), seen=apart.digest)


@pytest.mark.parametrize("kind", ["segment", "resource", "agent"])
def test_it_ends_for_what_waits_too(world: World, night: Group, kind: str) -> None:
    inventory.let_review(night, _target(world, kind), actor=world.cast.administrator)
    hold = held(world)
    inventory.stop_review(night, _target(world, kind), actor=world.cast.administrator)
    assert not standing(_nora(), hold).eligible
    assert not visible_to(_nora()).exists()


def test_what_is_seen_follows_what_is_reviewed(world: World, night: Group) -> None:
    assert not visible_agents(_nora()).exists()
    inventory.let_review(night, world.agent, actor=world.cast.administrator)
    assert set(visible_agents(_nora())) == {world.agent}
    assert not visible_resources(_nora()).exists()
    inventory.let_review(night, world.resource, actor=world.cast.administrator)
    assert set(visible_resources(_nora())) == {world.resource}
    assert set(visible_segments(_nora())) == {world.segment}
    assert not actions_visible_to(_nora()).exists()
    assert not sessions_visible_to(_nora()).exists()


def test_the_entry_is_about_what_is_reviewed_and_made_once(world: World, night: Group) -> None:
    before = Outbox.objects.count()
    for _ in range(2):
        for kind in ("segment", "resource", "agent"):
            inventory.let_review(night, _target(world, kind), actor=world.cast.administrator)
    events = [row.event for row in Outbox.objects.order_by("id")[before:]]
    assert events == ["segment:changed", "resource:changed", "agent:changed"]
    assert {kind for kind, _ in targets_by_group([night])[night.id]} == {"segment", "resource", "agent"}
    assert groups_by_target([world.agent])["agent", world.agent.id] == {"night"}


def test_who_may_not_say_who_reviews(world: World, night: Group) -> None:
    with pytest.raises(Refused):
        inventory.let_review(night, world.agent, actor=world.cast.engineer)
    with pytest.raises(Refused):
        inventory.stop_review(night, world.agent, actor=world.cast.engineer)
    people.add_member(world.cast.second_administrator, night, actor=world.cast.administrator)
    with pytest.raises(Refused, match="group of their own"):
        inventory.let_review(night, world.agent, actor=world.cast.second_administrator)
    assert not may_review(_nora(), world.agent)


def test_a_former_owner_does_not_review_through_an_account_linked_since(world: World) -> None:
    hold = held(world)
    world.agent.owner, world.agent.deputy = world.cast.ciso, None
    world.agent.save()
    people.link(world.cast.owner, world.cast.reviewer, actor=world.cast.administrator)
    reviewer = User.objects.get(id=world.cast.reviewer.id)
    hold.refresh_from_db()
    assert standing(reviewer, hold).code == "owner"
    with pytest.raises(NotEligible):
        actions.approve(hold.id, actor=reviewer, seen=hold.digest)


def test_the_role_is_needed_whatever_the_group_may(world: World, night: Group) -> None:
    inventory.let_review(night, world.agent, actor=world.cast.administrator)
    set_roles(_nora(), [Role.OWNER], actor=world.cast.administrator)
    assert not visible_to(_nora()).exists()
    assert not may_review(_nora(), world.agent)


def test_who_is_pushed_to_is_who_may_see(world: World, night: Group) -> None:
    """Asked from the hold's side, the same people as from theirs: reviewers by segment, resource and agent, who answers, who reads all."""
    world.resource.owner = world.cast.outsider
    world.resource.save(update_fields=["owner"])
    people.deactivate(world.cast.teammate, actor=world.cast.administrator)
    people.set_manager(world.cast.owner, world.cast.reviewer2, actor=world.cast.administrator)
    holds = [
        held(world, Requirement.parse("@owner-manager:1"), text="DELETE FROM managed"),
        held(world),
        held(world, Requirement.parse("@data-owner:1"), text="DELETE FROM orders"),
        held(world, on_behalf_of=world.cast.outsider.id, text="DELETE FROM payments"),
    ]
    for kind in ("resource", "agent", "segment"):
        inventory.let_review(night, _target(world, kind), actor=world.cast.administrator)
        for hold in holds:
            expected = {user.id for user in User.objects.all() if visible_to(user).filter(id=hold.id).exists()}
            assert watchers(hold.id) == expected
        inventory.stop_review(night, _target(world, kind), actor=world.cast.administrator)
    assert watchers(world.agent.id) == frozenset()
