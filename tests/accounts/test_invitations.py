"""The way in: links that are used once, end, and end what was before; accounts that are closed and opened again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client

from accounts import actions
from accounts.invitation_actions import LIFE, accept, find, fresh_mail_secret, issue
from accounts.models import ApiToken, Invitation, User
from accounts.queries import groups_as_of
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.models import Outbox
from tests.cast import Cast

pytestmark = pytest.mark.django_db
WORD = "a-long-enough-word-7"


def _token(user: User) -> None:
    actions.create_api_token(user, name="x", scopes=["read"], lifetime=timedelta(days=1), actor=user)


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _still_in(client: Client) -> bool:
    return client.get("/agents/").status_code == 200


def test_a_link_sets_a_password_once(cast: Cast) -> None:
    nina = actions.invite("nina", email="n@example.com", name="Nina", actor=cast.administrator)
    invitation, secret = issue(nina, actor=cast.administrator)
    assert find(secret) == invitation
    joined = accept(secret, WORD, source="10.0.0.9")
    assert joined.check_password(WORD)
    assert Outbox.objects.latest("id").event == "person:joined"
    with pytest.raises(NotFound):
        accept(secret, WORD)


def test_the_link_in_the_mail_is_another_and_ends_with_it(cast: Cast) -> None:
    invitation, secret = issue(cast.outsider, actor=cast.administrator)
    mailed = fresh_mail_secret(invitation)
    assert find(mailed) == find(secret) == invitation
    assert not Invitation.objects.filter(digest__in=[secret, mailed]).exists()
    accept(mailed, WORD)
    with pytest.raises(NotFound):
        find(secret)


@pytest.mark.parametrize("why", ["late", "replaced", "closed", "wrong", "empty"])
def test_a_link_that_does_not_count(cast: Cast, why: str) -> None:
    _, secret = issue(cast.outsider, actor=cast.administrator)
    if why == "late":
        Invitation.objects.update(expires_at=db_now())
    elif why == "replaced":
        issue(cast.outsider, actor=cast.second_administrator)
    elif why == "closed":
        actions.deactivate(cast.outsider, actor=cast.administrator)
    with pytest.raises(NotFound):
        accept({"wrong": "x" * 43, "empty": ""}.get(why, secret), WORD)


def test_a_weak_password_is_refused_and_the_link_stays(cast: Cast) -> None:
    _, secret = issue(cast.outsider, actor=cast.administrator)
    with pytest.raises(Invalid) as refused:
        accept(secret, "short")
    assert refused.value.field == "password"
    assert find(secret).expires_at <= db_now() + LIFE


def test_who_may_not_issue_one(cast: Cast) -> None:
    for actor, user in ((cast.ciso, cast.outsider), (cast.administrator, cast.administrator)):
        with pytest.raises(Refused):
            issue(user, actor=actor)
    actions.deactivate(cast.outsider, actor=cast.administrator)
    with pytest.raises(Invalid):
        issue(cast.outsider, actor=cast.administrator)


def test_a_new_way_in_ends_the_old_one_and_begins_anew(cast: Cast) -> None:
    asked_at = db_now()
    User.objects.filter(id=cast.reviewer.id).update(password="md5$x$y")
    cast.reviewer.refresh_from_db()
    cast.reviewer.memberships.update(since=asked_at - timedelta(days=9))
    client = _signed_in(cast.reviewer)
    _token(cast.reviewer)
    Authenticator.objects.create(user=cast.reviewer, type="totp", data={})
    assert (_still_in(client), groups_as_of(cast.reviewer, asked_at)) == (True, {"dba"})
    issue(cast.reviewer, actor=cast.administrator)
    assert (_still_in(client), ApiToken.objects.count(), Authenticator.objects.count()) == (False, 0, 0)
    assert not User.objects.get(id=cast.reviewer.id).has_usable_password()
    assert groups_as_of(cast.reviewer, asked_at) == set()  # until a second administrator confirms
    actions.confirm_member(cast.reviewer.memberships.get(), actor=cast.second_administrator)
    assert groups_as_of(cast.reviewer, asked_at) == {"dba"}


def test_a_closed_account_is_out_at_once_and_stays_out_when_opened(cast: Cast) -> None:
    client = _signed_in(cast.reviewer)
    _token(cast.reviewer)
    actions.deactivate(cast.reviewer, actor=cast.administrator)
    assert (_still_in(client), ApiToken.objects.count()) == (False, 0)
    asked_at = db_now()
    opened = actions.reactivate(cast.reviewer, actor=cast.administrator)
    assert opened.is_active
    assert not _still_in(client)
    assert groups_as_of(opened, asked_at) == set()
    assert groups_as_of(opened, db_now()) == {"dba"}


def test_twice_leaves_one_entry(cast: Cast) -> None:
    for _ in range(2):
        actions.deactivate(cast.reviewer, actor=cast.administrator)
    for _ in range(2):
        actions.reactivate(cast.reviewer, actor=cast.administrator)
    events = [row.event for row in Outbox.objects.all()]
    assert (events.count("person:deactivated"), events.count("person:reactivated")) == (1, 1)


def test_who_may_not_open_or_change(cast: Cast) -> None:
    actions.deactivate(cast.reviewer, actor=cast.administrator)
    with pytest.raises(Refused):
        actions.reactivate(cast.reviewer, actor=cast.ciso)
    with pytest.raises(Refused):
        actions.change(cast.reviewer, name="X", email="x@example.com", actor=cast.reviewer)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "N" * 121}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"email": "no"}, "email"),
        ({"email": "a@example.com\nBcc: b@example.com"}, "email"),
    ],
)
def test_what_a_person_cannot_be_called(cast: Cast, changed: dict[str, str], field: str) -> None:
    given = {"name": "Rita", "email": "r@example.com", **changed}
    with pytest.raises(Invalid) as refused:
        actions.change(cast.reviewer, **given, actor=cast.administrator)
    assert refused.value.field == field


@pytest.mark.parametrize("username", ["", "Nina", "n ina", "nіna", "n" * 61, "-n", "n\n"])
def test_what_a_user_name_cannot_be(cast: Cast, username: str) -> None:
    with pytest.raises(Invalid) as refused:
        actions.invite(username, email="n@example.com", name="Nina", actor=cast.administrator)
    assert refused.value.field == "username"


def test_changing_what_changes_nothing_leaves_no_entry(cast: Cast) -> None:
    before = Outbox.objects.count()
    actions.change(cast.reviewer, name="Rita Reviewer", email="rita@example.com", actor=cast.administrator)
    assert Outbox.objects.count() == before
    changed = actions.change(cast.reviewer, name="Rita R.", email="rita@example.com", actor=cast.administrator)
    assert (changed.name, Outbox.objects.count()) == ("Rita R.", before + 1)


def test_a_token_is_ended_by_whose_it_is(cast: Cast) -> None:
    _token(cast.reviewer)
    token = ApiToken.objects.get()
    with pytest.raises(NotFound):
        actions.revoke_api_token(token.id, actor=cast.teammate)
    actions.revoke_api_token(token.id, actor=cast.reviewer)
    assert not ApiToken.objects.exists()
    with pytest.raises(NotFound):
        actions.revoke_api_token(token.id, actor=cast.reviewer)
