"""What one administrator cannot do alone: make or unmake another, tell linked accounts apart, help themselves."""

from __future__ import annotations

import pytest

from accounts import actions
from accounts.models import PendingChange, Role, User
from accounts.role_actions import ask_to_unlink, confirm_change, drop_change
from console.database import Logins
from core.errors import AlreadySettled, Invalid, Refused
from ledger.models import Outbox
from tests.cast import SETUP, Cast

ADMIN = Role.ADMINISTRATOR


def _third(cast: Cast) -> User:
    return actions.invite("agnes", email="agnes@example.com", name="Agnes", roles=[ADMIN], actor=SETUP)


def _waiting(user: User) -> PendingChange:
    return user.pending_changes.get()


def _has(user: User, role: Role) -> bool:
    user.refresh_from_db()
    return user.has_role(role)


def test_an_administrator_is_appointed_by_two(cast: Cast) -> None:
    third = _third(cast)
    actions.set_roles(cast.outsider, [ADMIN, Role.AUDITOR], actor=cast.administrator)
    assert (_has(cast.outsider, Role.AUDITOR), _has(cast.outsider, ADMIN)) == (True, False)
    for person in (cast.administrator, cast.outsider, cast.ciso):
        with pytest.raises(Refused):
            confirm_change(_waiting(cast.outsider).id, actor=person)
    confirm_change(_waiting(cast.outsider).id, actor=third)
    assert _has(cast.outsider, ADMIN)
    assert _has(cast.outsider, Role.AUDITOR)
    said = [row.event for row in Outbox.objects.order_by("id")][-2:]
    assert said == ["change:confirmed", "role:changed"]


def test_an_invited_administrator_waits_for_the_second_too(cast: Cast) -> None:
    nina = actions.invite("nina", email="n@example.com", name="Nina", roles=[ADMIN], actor=cast.administrator)
    assert not nina.has_role(ADMIN)
    assert _waiting(nina).kind == "appoint"


def test_the_first_administrator_appoints_the_second_alone(fresh_database: Logins) -> None:
    first = actions.invite("ada", email="a@example.com", name="Ada", roles=[ADMIN], actor=SETUP)
    second = actions.invite("abel", email="b@example.com", name="Abel", roles=[ADMIN], actor=first)
    assert second.has_role(ADMIN)
    third = actions.invite("agnes", email="c@example.com", name="Agnes", roles=[ADMIN], actor=first)
    assert not third.has_role(ADMIN)


def test_closing_the_other_administrator_does_not_make_one_the_only_one(cast: Cast) -> None:
    actions.deactivate(cast.second_administrator, actor=cast.administrator)
    actions.set_roles(cast.outsider, [ADMIN], actor=cast.administrator)
    assert not _has(cast.outsider, ADMIN)


def test_an_administrator_is_dismissed_by_two_or_resigns(cast: Cast) -> None:
    actions.set_roles(cast.second_administrator, [Role.AUDITOR], actor=cast.administrator)
    assert _has(cast.second_administrator, ADMIN)
    with pytest.raises(Refused):
        confirm_change(_waiting(cast.second_administrator).id, actor=cast.administrator)
    confirm_change(_waiting(cast.second_administrator).id, actor=cast.second_administrator)
    cast.second_administrator.refresh_from_db()
    assert cast.second_administrator.roles == ["auditor"]


def test_asking_back_drops_what_waits(cast: Cast) -> None:
    actions.set_roles(cast.outsider, [ADMIN], actor=cast.administrator)
    actions.set_roles(cast.outsider, [Role.OWNER], actor=cast.administrator)
    assert not cast.outsider.pending_changes.exists()


def test_a_change_is_dropped_once(cast: Cast) -> None:
    actions.set_roles(cast.outsider, [ADMIN], actor=cast.administrator)
    change = _waiting(cast.outsider)
    with pytest.raises(Refused):
        drop_change(change.id, actor=cast.ciso)
    drop_change(change.id, actor=cast.second_administrator)
    with pytest.raises(AlreadySettled):
        confirm_change(change.id, actor=cast.second_administrator)


def test_linked_accounts_are_one_person_until_two_administrators_say_otherwise(cast: Cast) -> None:
    actions.link(cast.reviewer, cast.teammate, actor=cast.administrator)
    assert User.objects.get(id=cast.reviewer.id).person == cast.teammate.person
    ask_to_unlink(cast.reviewer, actor=cast.administrator)
    with pytest.raises(Refused):
        confirm_change(_waiting(cast.reviewer).id, actor=cast.administrator)
    assert User.objects.get(id=cast.reviewer.id).person == cast.teammate.person
    confirm_change(_waiting(cast.reviewer).id, actor=cast.second_administrator)
    assert User.objects.get(id=cast.reviewer.id).person != cast.teammate.person
    with pytest.raises(Invalid):
        ask_to_unlink(cast.reviewer, actor=cast.administrator)


def test_linking_takes_all_accounts_of_a_person_along(cast: Cast) -> None:
    actions.link(cast.reviewer, cast.teammate, actor=cast.administrator)
    actions.link(cast.reviewer, cast.reviewer2, actor=cast.administrator)
    people = {User.objects.get(id=one.id).person for one in (cast.reviewer, cast.teammate, cast.reviewer2)}
    assert len(people) == 1


def test_nobody_links_or_tells_apart_their_own(cast: Cast) -> None:
    for pair in ((cast.administrator, cast.reviewer), (cast.reviewer, cast.administrator)):
        with pytest.raises(Refused):
            actions.link(*pair, actor=cast.administrator)
    actions.link(cast.administrator, cast.reviewer, actor=cast.second_administrator)
    cast.administrator.refresh_from_db()
    with pytest.raises(Refused):
        ask_to_unlink(cast.reviewer, actor=cast.administrator)
    with pytest.raises(Refused):
        actions.link(cast.outsider, cast.ciso, actor=cast.ciso)
    with pytest.raises(Invalid):
        actions.link(cast.outsider, cast.outsider, actor=cast.second_administrator)


def test_nobody_adds_themselves_to_a_group(cast: Cast) -> None:
    with pytest.raises(Refused):
        actions.add_member(cast.administrator, cast.dba, actor=cast.administrator)
    actions.link(cast.outsider, cast.second_administrator, actor=cast.administrator)
    with pytest.raises(Refused):
        actions.add_member(cast.outsider, cast.dba, actor=User.objects.get(id=cast.second_administrator.id))


def test_a_stale_administrator_is_none(cast: Cast) -> None:
    actions.deactivate(cast.second_administrator, actor=cast.administrator)
    assert cast.second_administrator.is_active  # as this process remembers it
    with pytest.raises(Refused):
        actions.deactivate(cast.administrator, actor=cast.second_administrator)
