"""Passkeys come and go with their entries; who lost theirs is helped by two administrators, never by one."""

from __future__ import annotations

import json

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_removed

from accounts import actions
from accounts.invitation_actions import accept, issue
from accounts.passkeys import MFAAdapter, origin, passkeys_of, relying_party
from accounts.role_actions import ask_to_erase, ask_to_recover, confirm_change
from core.errors import Invalid, Refused
from ledger.models import Outbox
from tests.cast import SETUP, Cast
from tests.passkeys import SoftPasskey


def _said() -> list[str]:
    return [row.event for row in Outbox.objects.order_by("id")]


def test_passkeys_work_under_the_consoles_own_name() -> None:
    assert MFAAdapter().get_public_key_credential_rp_entity()["id"] == relying_party() == "localhost"
    assert origin().startswith("http://localhost")


def test_one_that_is_added_leaves_its_public_key_and_one_that_is_removed_its_end(cast: Cast) -> None:
    passkey = SoftPasskey()
    row = passkey.enrol(cast.reviewer, "Rita's laptop")
    (known,) = passkeys_of(cast.reviewer)
    assert known.name == "Rita's laptop"
    details = json.loads(bytes(Outbox.objects.get(event="passkey:added").leaf))["details"]
    assert (details["credential"], details["public_key"]) == (known.credential, known.public_key)
    assert details["name"].startswith("sha256:")  # what a person typed stays beside the log
    row.delete()
    authenticator_removed.send(Authenticator, user=cast.reviewer, authenticator=row, request=None)
    assert (passkeys_of(cast.reviewer), _said()[-1]) == ([], "passkey:removed")


def test_lost_passkeys_take_two_administrators(cast: Cast) -> None:
    SoftPasskey().enrol(cast.reviewer)
    epoch = cast.reviewer.session_epoch
    change = ask_to_recover(cast.reviewer, actor=cast.administrator)
    assert change is not None
    assert passkeys_of(cast.reviewer)  # until a second one confirms
    for person in (cast.administrator, cast.reviewer, cast.ciso):
        with pytest.raises(Refused):
            confirm_change(change.id, actor=person)
    confirm_change(change.id, actor=cast.second_administrator)
    cast.reviewer.refresh_from_db()
    assert (passkeys_of(cast.reviewer), cast.reviewer.session_epoch) == ([], epoch + 1)
    assert _said()[-2:] == ["change:confirmed", "passkey:removed"]


def test_one_administrator_alone_neither_ends_passkeys_nor_walks_around_them(cast: Cast) -> None:
    _, secret = issue(cast.reviewer, actor=SETUP)
    accept(secret, "correct horse battery")
    SoftPasskey().enrol(cast.reviewer)
    cast.reviewer.refresh_from_db()
    with pytest.raises(Refused) as refused:
        issue(cast.reviewer, actor=cast.administrator)
    assert refused.value.code == "has_passkeys"
    assert passkeys_of(cast.reviewer)


def test_nobody_recovers_themselves_or_what_is_not_there(cast: Cast) -> None:
    with pytest.raises(Invalid):
        ask_to_recover(cast.reviewer, actor=cast.administrator)
    SoftPasskey().enrol(cast.administrator)
    with pytest.raises(Refused):
        ask_to_recover(cast.administrator, actor=cast.administrator)
    with pytest.raises(Refused):
        ask_to_recover(cast.administrator, actor=cast.engineer)


def test_erasing_ends_passkeys(cast: Cast) -> None:
    SoftPasskey().enrol(cast.outsider)
    actions.deactivate(cast.outsider, actor=SETUP)
    cast.outsider.refresh_from_db()
    ask_to_erase(cast.outsider, actor=SETUP)
    assert not passkeys_of(cast.outsider)
    assert _said()[-2:] == ["passkey:removed", "person:erased"]
