"""Approvals that a passkey signs: exactly that, once, by its owner, soon; and what the ledger keeps of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from approvals import actions, signing
from approvals.granting import Wider
from approvals.models import Challenge, Hold, Scope
from core.db import db_now
from core.errors import Invalid, Refused
from core.ids import new_id
from ledger.models import Outbox
from ledger.verify_passkeys import check
from tests.approvals.test_api import caller, problem
from tests.approvals.world import ONE, TWO, World, approve, decided, held, release, request
from tests.passkeys import SoftPasskey


def strong(world: World, requirement: Any = ONE, **changed: Any) -> Hold:
    """A hold whose policy asks for passkeys."""
    return actions.ask(request(world, decision=decided(requirement, passkey=True), **changed))


def asked(user: User, *holds: Hold, verdict: str = signing.APPROVE) -> dict[str, Any]:
    return signing.ask(user, verdict, [(str(hold.id), hold.digest) for hold in holds])


def enrolled(user: User, **said: Any) -> SoftPasskey:
    passkey = SoftPasskey(**said)
    passkey.enrol(user)
    return passkey


def signed(hold: Hold, user: User, passkey: SoftPasskey) -> Hold:
    return actions.approve(hold.id, actor=user, seen=hold.digest, passkey=passkey.answer(asked(user, hold)))


def test_a_signed_approval_settles_and_its_entry_proves_what_was_approved(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    approved = signed(hold, rita, enrolled(rita))
    assert (approved.status, approved.reviews.get().signed) == (Hold.Status.APPROVED, True)
    entry = json.loads(bytes(Outbox.objects.filter(event="hold:approved").get().leaf))
    proof = entry["details"]["passkey"]
    check(proof, verdict="approve", hold=str(hold.id), digest=hold.digest)
    assert proof["holds"] == [[str(hold.id), hold.digest]]
    added = json.loads(bytes(Outbox.objects.filter(event="passkey:added").get().leaf))
    assert (added["details"]["public_key"], added["actor"]["id"]) == (proof["public_key"], str(rita.id))
    released = actions.release(hold.id, digest=hold.digest, decision=decided(passkey=True), node=hold.id)
    assert released.status == Hold.Status.RELEASED


def test_nothing_signed_approves_nothing(world: World) -> None:
    hold = strong(world)
    with pytest.raises(Refused, match="passkey") as refused:
        approve(hold, world.cast.reviewer)
    assert refused.value.code == "passkey_required"
    assert not hold.reviews.exists()


def test_a_denial_takes_no_passkey(world: World) -> None:
    denied = actions.deny(strong(world).id, actor=world.cast.reviewer, seen=Hold.objects.get().digest, reason="No")
    assert denied.status == Hold.Status.DENIED


def test_somebody_without_a_passkey_is_told_to_add_one(world: World) -> None:
    with pytest.raises(Refused) as refused:
        asked(world.cast.reviewer, strong(world))
    assert refused.value.code == "no_passkey"
    with pytest.raises(Invalid):
        signing.ask(world.cast.reviewer, "deny", [("a", "b")])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"type": "webauthn.create"}, "something else"),
        ({"origin": "https://elsewhere.example"}, "another page"),
        ({"crossOrigin": True}, "another page"),
        ({"challenge": "AAAA"}, "nobody asked"),
    ],
)
def test_what_the_client_says_otherwise_is_refused(world: World, said: dict[str, Any], why: str) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    passkey = enrolled(rita)
    answer = passkey.answer(asked(rita, hold), **said)
    with pytest.raises(Refused, match=why):
        actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=answer)
    assert not hold.reviews.exists()


def test_a_passkey_that_did_not_verify_its_user_is_refused(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    with pytest.raises(Refused, match="did not verify"):
        signed(hold, rita, enrolled(rita, flags=1))


def test_what_was_signed_for_another_hold_or_by_another_person_is_refused(world: World) -> None:
    rita, tom = world.cast.reviewer, world.cast.teammate
    one, other = strong(world), strong(world, text="DELETE FROM customers WHERE id = 2")
    passkey = enrolled(rita)
    for actor, hold in ((rita, other), (tom, one)):
        with pytest.raises(Refused) as refused:
            actions.approve(hold.id, actor=actor, seen=hold.digest, passkey=passkey.answer(asked(rita, one)))
        assert refused.value.code == "passkey_refused"


def test_a_challenge_is_answered_once_and_within_two_minutes(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world, TWO)
    passkey = enrolled(rita)
    answer = passkey.answer(asked(rita, hold))
    actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=answer)
    actions.retract(hold.id, actor=rita)
    with pytest.raises(Refused, match="answered already"):
        actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=answer)
    late = passkey.answer(asked(rita, hold))
    Challenge.objects.filter(used_at=None).update(expires_at=db_now() - timedelta(seconds=1))
    with pytest.raises(Refused, match="too long ago"):
        actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=late)


def test_a_passkey_that_was_removed_signs_nothing_more(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    passkey = SoftPasskey()
    row = passkey.enrol(rita)
    enrolled(rita)
    answer = passkey.answer(asked(rita, hold))
    row.delete()
    with pytest.raises(Refused, match="none of yours"):
        actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=answer)


@pytest.mark.parametrize(
    "answer", ["{", "[]", "{}", '{"clientDataJSON": "!"}', "x" * 20_000, '{"clientDataJSON": "bnVsbA"}']
)
def test_what_is_no_answer_is_refused_in_words(world: World, answer: str) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    enrolled(rita)
    with pytest.raises(Refused) as refused:
        actions.approve(hold.id, actor=rita, seen=hold.digest, passkey=answer)
    assert refused.value.code == "passkey_refused"


def test_it_is_approved_once_at_a_time_and_no_grant_covers_it(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    enrolled(rita)
    with pytest.raises(Refused) as refused:
        actions.approve(hold.id, actor=rita, seen=hold.digest, wider=Wider(Scope.SAME, 60, 5))
    assert refused.value.code == "once_only"


def test_where_policy_asks_for_passkeys_meanwhile_unsigned_approvals_count_no_longer(world: World) -> None:
    rita = world.cast.reviewer
    hold = approve(held(world), rita)
    with pytest.raises(Exception, match="no longer meet"):
        release(hold, passkey=True)
    hold.refresh_from_db()
    assert (hold.status, hold.passkey) == (Hold.Status.WAITING, True)
    again = signed(hold, rita, enrolled(rita))
    assert again.status == Hold.Status.APPROVED
    assert sorted(again.reviews.values_list("verdict", "signed")) == [("approve", True), ("retract", False)]


def test_old_challenges_are_forgotten(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    enrolled(rita)
    asked(rita, hold)
    assert signing.forget_old() == 0
    Challenge.objects.update(expires_at=db_now() - timedelta(days=2))
    assert signing.forget_old() == 1


def test_the_page_asks_for_the_passkey_and_takes_its_answer(world: World, client: Client) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    client.force_login(rita)
    page = client.get(f"/queue/{hold.id}/").content.decode()
    assert "Add a passkey" in page
    assert "Approve with passkey" not in page
    told = client.post(f"/queue/{hold.id}/challenge/", {"verdict": "approve"})
    assert (told.status_code, "no passkey" in told.json()["message"]) == (403, True)
    passkey = enrolled(rita)
    assert "Approve with passkey" in client.get(f"/queue/{hold.id}/").content.decode()
    options = client.post(f"/queue/{hold.id}/challenge/", {"verdict": "approve"}).json()
    assert options["userVerification"] == "required"
    done = client.post(f"/queue/{hold.id}/approve/", {"digest": hold.digest, "passkey": passkey.answer(options)})
    assert done.status_code == 302
    assert Hold.objects.get().status == Hold.Status.APPROVED


def test_nobody_is_asked_to_sign_what_they_may_not_see(world: World, client: Client) -> None:
    hold = strong(world)
    client.force_login(world.cast.outsider)
    assert client.post(f"/queue/{hold.id}/challenge/", {"verdict": "approve"}).status_code == 404
    client.force_login(world.cast.reviewer)
    assert client.post(f"/queue/{hold.id}/challenge/", {"verdict": "approve", "hold": "nonsense"}).status_code == 404


def test_a_program_has_a_passkey_sign_what_it_decides(world: World) -> None:
    rita, hold = world.cast.reviewer, strong(world)
    call, passkey = caller(rita), enrolled(rita)
    assert problem(call(f"holds/{hold.id}/approve", {"digest": hold.digest})) == (403, "passkey_required")
    assert problem(call("holds/challenge", {"verdict": "approve", "holds": [str(new_id())]}))[0] == 404
    options = json.loads(call("holds/challenge", {"verdict": "approve", "holds": [str(hold.id)]}).content)
    body = {"digest": hold.digest, "passkey": passkey.answer(options)}
    assert json.loads(call(f"holds/{hold.id}/approve", body).content)["status"] == "approved"
    assert problem(call(f"holds/{hold.id}/break-glass", {**body, "reason": "Fire"})) == (409, "already_settled")
