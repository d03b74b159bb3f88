"""Making people and changing what they may do; a refusal for each success."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts import actions
from accounts.models import Membership, Role, User
from accounts.queries import groups_as_of, people_visible_to
from core.db import db_now
from core.errors import Invalid, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.models import Outbox
from tests.cast import Cast

pytestmark = pytest.mark.django_db


def entries(event: Event) -> int:
    return Outbox.objects.filter(event=event.value).count()


def test_an_administrator_invites(cast: Cast) -> None:
    before = entries(Event.PERSON_INVITED)
    user = actions.invite(
        "nina",
        email="nina@example.com",
        name="Nina New",
        roles=[Role.REVIEWER],
        password="a-long-enough-word-7",
        actor=cast.administrator,
    )
    assert (user.has_role(Role.REVIEWER), user.check_password("a-long-enough-word-7")) == (True, True)
    assert entries(Event.PERSON_INVITED) == before + 1


@pytest.mark.parametrize("who", ["outsider", "engineer", "ciso", "reviewer", "auditor", "owner"])
def test_nobody_else_invites(cast: Cast, who: str) -> None:
    with pytest.raises(Refused):
        actions.invite("nina", email="n@example.com", name="Nina", actor=getattr(cast, who))
    assert not User.objects.filter(username="nina").exists()


def test_an_agent_does_not_pass_for_the_system(cast: Cast) -> None:
    with pytest.raises(Refused):
        actions.invite("nina", email="n@example.com", name="Nina", actor=Actor("agent", "1", "support.production"))


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"username": "rita"}, "username"), ({"password": "short"}, "password"), ({"roles": ["king"]}, "roles")],
)
def test_what_cannot_be_an_account_is_refused(cast: Cast, changed: dict[str, object], field: str) -> None:
    wanted: dict[str, object] = {"username": "nina", "email": "n@example.com", "name": "Nina"}
    with pytest.raises(Invalid) as refused:
        actions.invite(**(wanted | changed), actor=cast.administrator)  # type: ignore[arg-type] # wrong on purpose
    assert refused.value.field == field


def test_nobody_is_ever_a_superuser(cast: Cast) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(id=cast.outsider.id).update(is_superuser=True)


def test_roles_are_changed_by_another(cast: Cast) -> None:
    changed = actions.set_roles(cast.outsider, [Role.AUDITOR], actor=cast.administrator)
    assert changed.has_role(Role.AUDITOR)
    with pytest.raises(Refused, match="own roles"):
        actions.set_roles(cast.administrator, [Role.CISO], actor=cast.administrator)
    with pytest.raises(Refused):
        actions.set_roles(cast.outsider, [Role.CISO], actor=cast.ciso)


def test_a_second_account_of_the_same_person_is_the_same_person(cast: Cast) -> None:
    User.objects.filter(id=cast.second_administrator.id).update(person=cast.administrator.person)
    cast.second_administrator.refresh_from_db()
    with pytest.raises(Refused, match="own roles"):
        actions.set_roles(cast.administrator, [Role.CISO], actor=cast.second_administrator)


def test_a_new_membership_does_not_count_for_what_was_asked_before(cast: Cast) -> None:
    asked_at = db_now()
    membership = actions.add_member(cast.outsider, cast.dba, actor=cast.administrator)
    assert groups_as_of(cast.outsider, asked_at) == set()
    assert groups_as_of(cast.outsider, db_now()) == {"dba"}
    actions.confirm_member(membership, actor=cast.second_administrator)
    assert groups_as_of(cast.outsider, asked_at) == {"dba"}


def test_whoever_added_a_member_does_not_confirm_them(cast: Cast) -> None:
    membership = actions.add_member(cast.outsider, cast.dba, actor=cast.administrator)
    for person in (cast.administrator, cast.ciso):
        with pytest.raises(Refused):
            actions.confirm_member(membership, actor=person)
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.filter(id=membership.id).update(confirmed_by=cast.administrator)


def test_a_member_does_not_confirm_themselves(cast: Cast) -> None:
    membership = actions.add_member(cast.second_administrator, cast.dba, actor=cast.administrator)
    with pytest.raises(Refused, match="second administrator"):
        actions.confirm_member(membership, actor=cast.second_administrator)


def test_leaving_a_group_counts_at_once(cast: Cast) -> None:
    actions.remove_member(cast.reviewer.memberships.get(), actor=cast.administrator)
    assert groups_as_of(cast.reviewer, db_now()) == set()
    with pytest.raises(Refused):
        actions.remove_member(cast.teammate.memberships.get(), actor=cast.owner)


def test_a_group_is_made_once(cast: Cast) -> None:
    assert Group.objects.filter(name="dba").count() == 1
    with pytest.raises(Invalid):
        actions.create_group("dba", actor=cast.administrator)


def test_a_closed_account_keeps_nothing(cast: Cast) -> None:
    actions.create_api_token(cast.reviewer, name="x", scopes=["read"], lifetime=timedelta(days=1), actor=cast.reviewer)
    closed = actions.deactivate(cast.reviewer, actor=cast.administrator)
    assert (closed.has_role(Role.REVIEWER), closed.api_tokens.count()) == (False, 0)
    with pytest.raises(Refused, match="own account"):
        actions.deactivate(cast.administrator, actor=cast.administrator)


def test_people_see_their_groups_and_themselves(cast: Cast) -> None:
    assert set(people_visible_to(cast.reviewer)) == {cast.reviewer, cast.teammate}
    assert set(people_visible_to(cast.outsider)) == {cast.outsider}
    assert people_visible_to(cast.auditor).count() == User.objects.count()
