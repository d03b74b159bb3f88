"""The way in for people: invited, limited, recorded."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from accounts import actions
from accounts.models import User
from ledger.events import Event
from ledger.models import Outbox
from ledger.personal import revealed
from tests.cast import Cast

pytestmark = pytest.mark.django_db
LOGIN = "/account/login/"
PASSWORD = "a-long-enough-word-7"


@pytest.fixture
def nina(cast: Cast) -> User:
    return actions.invite("nina", email="n@example.com", name="Nina New", password=PASSWORD, actor=cast.administrator)


def sign_in(client: Client, username: str, password: str) -> int:
    return client.post(LOGIN, {"login": username, "password": password}).status_code


def entries(event: Event) -> list[dict[str, object]]:
    return [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event=event.value)]


def test_a_person_signs_in_and_it_is_recorded(client: Client, nina: User) -> None:
    assert sign_in(client, "nina", PASSWORD) == 302
    (entry,) = entries(Event.SIGNED_IN)
    assert entry["actor"] == {"id": str(nina.id), "kind": "person", "name": "Nina New"}
    assert entry["source"] == "127.0.0.1"


@pytest.mark.parametrize(("username", "password"), [("nina", "wrong"), ("nobody", "wrong"), ("", ""), ("nina", "")])
def test_a_wrong_password_does_not(client: Client, nina: User, username: str, password: str) -> None:
    assert sign_in(client, username, password) == 200
    assert "_auth_user_id" not in client.session
    assert entries(Event.SIGNED_IN) == []


def test_a_failure_is_recorded_without_what_was_typed(client: Client, nina: User) -> None:
    sign_in(client, "nina", "wrong")
    sign_in(client, "my-secret-in-the-wrong-field", "x")
    known, unknown = entries(Event.SIGN_IN_FAILED)
    assert known["subject"] == {"id": str(nina.id), "kind": "person", "name": "Nina New"}
    assert "my-secret" not in json.dumps(unknown)


def test_a_closed_account_does_not_sign_in(client: Client, cast: Cast, nina: User) -> None:
    actions.deactivate(nina, actor=cast.administrator)
    sign_in(client, "nina", PASSWORD)
    assert "_auth_user_id" not in client.session


def test_guessing_is_stopped(client: Client, nina: User) -> None:
    for _ in range(5):
        sign_in(client, "nina", "wrong")
    sign_in(client, "nina", PASSWORD)
    assert "_auth_user_id" not in client.session


def test_nobody_signs_themselves_up(client: Client, cast: Cast) -> None:
    before = User.objects.count()
    form = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD, "email": "eve@example.com"}
    for path in ("/account/signup/", "/account/signup/passkey/"):
        client.post(path, form)
    assert User.objects.count() == before
