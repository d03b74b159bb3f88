"""Holds that ask alike: shown together, decided by one decision over what was shown, and each recorded by itself."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from approvals import actions, alike_actions, signing
from approvals.board import alike_rows, board
from approvals.models import Hold, Review
from core.errors import AlreadySettled, Invalid, NotEligible, Refused, Stale
from ledger.models import Outbox
from ledger.verify_passkeys import check
from tests.approvals.test_signing import asked, enrolled, strong
from tests.approvals.world import BOTH, World, held

pytestmark = pytest.mark.django_db
SHAPE = "a1b2"
HTMX = {"HX-Request": "true"}


def three(world: World, **changed: Any) -> list[Hold]:
    """Three that differ in their values alone."""
    return [
        held(world, text=f"DELETE FROM customers WHERE id = {number}", shape=SHAPE, **changed) for number in (1, 2, 3)
    ]


def shown(*holds: Hold) -> list[tuple[UUID, str]]:
    return [(hold.id, hold.digest) for hold in holds]


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_one_decision_approves_what_was_shown_and_each_has_its_own_entry(world: World) -> None:
    first, second, third = three(world)
    done = alike_actions.approve_alike(shown(first, second), actor=world.cast.reviewer)
    assert {hold.status for hold in done} == {Hold.Status.APPROVED}
    third.refresh_from_db()
    assert third.status == Hold.Status.WAITING
    entries = [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="hold:approved")]
    assert {entry["subject"]["id"] for entry in entries} == {str(first.id), str(second.id)}
    assert all(entry["details"]["together"] == sorted([str(first.id), str(second.id)]) for entry in entries)


def test_one_decision_denies_them_for_one_reason(world: World) -> None:
    holds = three(world)
    alike_actions.deny_alike(shown(*holds), actor=world.cast.reviewer, reason="Needs a ticket")
    assert set(Hold.objects.values_list("status", flat=True)) == {Hold.Status.DENIED}
    assert set(Review.objects.values_list("reason", flat=True)) == {"Needs a ticket"}
    with pytest.raises(AlreadySettled):
        alike_actions.deny_alike(shown(*holds), actor=world.cast.reviewer, reason="Again")


def test_it_is_all_of_them_or_none(world: World) -> None:
    first, second, third = three(world)
    actions.deny(second.id, actor=world.cast.teammate, seen=second.digest, reason="No")
    with pytest.raises(AlreadySettled):
        alike_actions.approve_alike(shown(first, second, third), actor=world.cast.reviewer)
    with pytest.raises(Stale):
        alike_actions.approve_alike([(first.id, first.digest), (third.id, first.digest)], actor=world.cast.reviewer)
    with pytest.raises(Invalid):
        alike_actions.approve_alike([], actor=world.cast.reviewer)
    with pytest.raises(Invalid):
        alike_actions.approve_alike(shown(first, first), actor=world.cast.reviewer)
    with pytest.raises(Invalid):
        alike_actions.deny_alike(shown(first), actor=world.cast.reviewer, reason=" ")
    assert not Review.objects.filter(verdict="approve").exists()


def test_what_does_not_ask_alike_is_decided_one_by_one(world: World) -> None:
    first, other = three(world)[0], held(world, text="SELECT 1", shape="other")
    with pytest.raises(Refused) as refused:
        alike_actions.approve_alike(shown(first, other), actor=world.cast.reviewer)
    assert refused.value.code == "not_alike"


def test_nobody_decides_their_own_in_a_group(world: World) -> None:
    with pytest.raises(NotEligible):
        alike_actions.approve_alike(shown(*three(world)), actor=world.cast.owner)


def test_a_passkey_signs_the_list_and_each_entry_proves_its_own(world: World) -> None:
    rita = world.cast.reviewer
    passkey = enrolled(rita)
    holds = [strong(world, text=f"DELETE FROM customers WHERE id = {number}", shape=SHAPE) for number in (1, 2)]
    in_order = sorted(holds, key=lambda hold: str(hold.id))
    answer = passkey.answer(asked(rita, *in_order))
    with pytest.raises(Refused, match="something else"):
        alike_actions.approve_alike(shown(holds[0]), actor=rita, passkey=answer)
    alike_actions.approve_alike(shown(*holds), actor=rita, passkey=answer)
    for hold, entry in ((hold, _entry_of(hold)) for hold in holds):
        check(entry["details"]["passkey"], verdict=signing.APPROVE, hold=str(hold.id), digest=hold.digest)


def _entry_of(hold: Hold) -> dict[str, dict[str, dict[str, object]]]:
    rows = (json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event="hold:approved"))
    return next(row for row in rows if row["subject"]["id"] == str(hold.id))


def test_the_queue_shows_them_as_one_and_counts_them_all(world: World) -> None:
    three(world)
    held(world, text="SELECT 1", shape="other")
    listed = board(world.cast.reviewer)
    assert sorted(len(group) for group in listed.groups) == [1, 3]
    assert len(listed.needs) == 4
    page = _as(world.cast.reviewer).get(reverse("queue:list"), headers=HTMX).content.decode()
    assert "3 alike" in page
    assert 'data-needs="4"' in page


def test_what_was_asked_later_is_not_on_the_page_that_is_open(world: World) -> None:
    first, second = three(world)[:2]
    assert len(alike_rows(first, world.cast.reviewer)) == 3
    assert {row.hold.id for row in alike_rows(first, world.cast.reviewer, [first.id, second.id])} == {
        first.id,
        second.id,
    }


def test_a_page_decides_those_that_are_ticked(world: World) -> None:
    first, second, third = three(world)
    client = _as(world.cast.reviewer)
    page = client.get(reverse("queue:alike", args=[first.id])).content.decode()
    assert all(f'name="digest-{hold.id}" value="{hold.digest}"' in page for hold in (first, second, third))
    digests = {f"digest-{hold.id}": hold.digest for hold in (first, second, third)}
    address = reverse("queue:decide_alike", args=[first.id])
    unsaid = client.post(address, {**digests, "hold": [str(first.id)], "verdict": "deny"}, headers=HTMX)
    assert unsaid.status_code == 422
    assert "Say why" in unsaid.content.decode()
    none = client.post(address, {**digests, "verdict": "approve"}, headers=HTMX)
    assert "Tick those that you mean." in none.content.decode()
    ticked = {**digests, "hold": [str(first.id), str(third.id)], "verdict": "approve"}
    done = client.post(address, ticked, headers=HTMX)
    assert done.status_code == 200
    assert "approved" in done.content.decode().lower()
    statuses = dict(Hold.objects.values_list("id", "status"))
    assert statuses == {first.id: "approved", second.id: "waiting", third.id: "approved"}
    again = client.post(address, ticked, headers=HTMX)
    assert again.status_code == 409
    assert Outbox.objects.filter(event="review:refused").count() == 2


def test_a_page_of_seats_that_others_fill_is_nobody_elses(world: World) -> None:
    first = three(world, requirement=BOTH)[0]
    assert _as(world.cast.outsider).get(reverse("queue:alike", args=[first.id])).status_code == 404
    assert _as(world.cast.outsider).post(reverse("queue:decide_alike", args=[first.id])).status_code == 404
    assert len(alike_rows(first, world.cast.owner)) == 0
