"""Two administrators at once, on real connections."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection, transaction

from accounts import actions
from accounts.invitation_actions import accept, issue
from accounts.models import Invitation, Role, User
from accounts.role_actions import confirm_change
from console.database import Logins
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from tests.approvals.test_races import wait_for_a_blocked_connection
from tests.approvals.world import in_thread
from tests.cast import SETUP, Cast


def _both(logins: Logins, first: Callable[[], object], second: Callable[[], object]) -> object:
    """What became of `second`, which waits for the transaction in which `first` happens."""
    with transaction.atomic():
        first()
        thread, results = in_thread(second)
        wait_for_a_blocked_connection(logins)
    thread.join(10)
    assert not thread.is_alive()
    return results[0]


def test_two_administrators_close_each_other_and_one_wins(fresh_database: Logins, fresh_cast: Cast) -> None:
    ada, abel = fresh_cast.administrator, fresh_cast.second_administrator
    lost = _both(
        fresh_database, lambda: actions.deactivate(abel, actor=ada), lambda: actions.deactivate(ada, actor=abel)
    )
    assert isinstance(lost, Refused)
    assert User.objects.filter(roles__contains=[Role.ADMINISTRATOR], is_active=True).get() == ada


def test_a_change_is_confirmed_once(fresh_database: Logins, fresh_cast: Cast) -> None:
    third = actions.invite("agnes", email="c@example.com", name="Agnes", roles=[Role.ADMINISTRATOR], actor=SETUP)
    actions.set_roles(fresh_cast.outsider, [Role.ADMINISTRATOR], actor=fresh_cast.administrator)
    change = fresh_cast.outsider.pending_changes.get()
    lost = _both(
        fresh_database,
        lambda: confirm_change(change.id, actor=fresh_cast.second_administrator),
        lambda: confirm_change(change.id, actor=third),
    )
    assert isinstance(lost, AlreadySettled)


def test_an_invitation_is_used_once(fresh_database: Logins, fresh_cast: Cast) -> None:
    _, secret = issue(fresh_cast.outsider, actor=fresh_cast.administrator)
    lost = _both(
        fresh_database, lambda: accept(secret, "a-long-enough-word-7"), lambda: accept(secret, "another-long-word-8")
    )
    assert isinstance(lost, NotFound)
    assert User.objects.get(id=fresh_cast.outsider.id).check_password("a-long-enough-word-7")


def test_two_administrators_invite_anew_and_the_later_link_counts(fresh_database: Logins, fresh_cast: Cast) -> None:
    made: list[str] = []

    def again(actor: User) -> None:
        made.append(issue(fresh_cast.outsider, actor=actor)[1])

    _both(
        fresh_database,
        lambda: again(fresh_cast.administrator),
        lambda: again(fresh_cast.second_administrator),
    )
    assert Invitation.objects.count() == 1
    assert accept(made[1], "a-long-enough-word-7") == fresh_cast.outsider


def test_a_name_is_given_once(fresh_database: Logins, fresh_cast: Cast) -> None:
    def invite(actor: User) -> User:
        return actions.invite("nina", email="n@example.com", name="Nina", actor=actor)

    lost = _both(
        fresh_database,
        lambda: invite(fresh_cast.administrator),
        lambda: invite(fresh_cast.second_administrator),
    )
    assert isinstance(lost, Invalid)
    assert connection.is_usable()
