"""A grant lets alike actions through without waiting, as often and as long as everybody agreed to, and no further."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts import actions as people
from accounts.models import User
from activity.models import Action
from agents import actions as inventory
from approvals import actions, grant_actions, granting
from approvals.errors import QuorumLost
from approvals.granting import Wider
from approvals.models import Grant, Hold, Scope
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound, Refused
from core.ids import new_id
from ledger.models import Outbox
from tests.approvals.test_api import caller
from tests.approvals.world import BOTH, ONE, TWO, World, approve, decided, enrol, held, release, request

pytestmark = pytest.mark.django_db
SAME = Wider(Scope.SAME, 60, 3)
SHAPE = Wider(Scope.SHAPE, 60, 3)
ALIKE: dict[str, Any] = {"shape": "f1", "tables": ("public.customers",), "has_where": True}


def given(world: World, wider: Wider = SAME, **changed: Any) -> Grant:
    hold = again(world, **changed)
    actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=wider)
    return Grant.objects.get(hold=hold)


def again(world: World, text: str = "DELETE FROM customers WHERE id = 1", **changed: Any) -> Hold:
    """The agent asks once more, with another salt, as it does each time."""
    return actions.ask(request(world, text, salt=uuid4().bytes * 2, **{**ALIKE, **changed}))


def entries(event: str) -> list[Any]:
    return [json.loads(bytes(row.leaf)) for row in Outbox.objects.filter(event__startswith=event).order_by("id")]


def events(grant: Grant) -> list[str]:
    return [entry["event"] for entry in entries("grant:") if entry["subject"]["id"] == str(grant.id)]


# ---- given ----
def test_an_approval_once_leaves_nothing_behind(world: World) -> None:
    approve(held(world, **ALIKE), world.cast.reviewer)
    assert not Grant.objects.exists()
    assert again(world, "DELETE FROM customers WHERE id = 9").status == Hold.Status.WAITING


def test_what_a_grant_says_is_in_the_ledger(world: World) -> None:
    grant = given(world, Wider(Scope.SHAPE, 30, 5))
    assert (grant.scope, grant.most, grant.uses) == ("shape", 5, 0)
    assert grant.expires_at - grant.given_at == timedelta(minutes=30)
    (entry,) = entries("grant:given")
    assert entry["details"]["most"] == 5
    assert entry["details"]["until"] == grant.expires_at.isoformat()


def test_everybody_who_approves_must_agree_and_the_narrowest_counts(world: World) -> None:
    first = held(world, TWO, **ALIKE)
    actions.approve(first.id, actor=world.cast.reviewer, seen=first.digest, wider=Wider(Scope.SHAPE, 60, 3))
    actions.approve(first.id, actor=world.cast.teammate, seen=first.digest, wider=Wider(Scope.SAME, 240, 2))
    grant = Grant.objects.get(hold=first)
    assert (grant.scope, grant.most, grant.expires_at - grant.given_at) == ("same", 2, timedelta(minutes=60))


def test_one_who_agrees_to_once_alone_leaves_no_grant(world: World) -> None:
    hold = held(world, TWO, **ALIKE)
    actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=SHAPE)
    approve(hold, world.cast.teammate)
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    ("wider", "says"),
    [
        (Wider(Scope.SAME, 0, 1), "minutes"),
        (Wider(Scope.SAME, 481, 1), "480 minutes"),
        (Wider(Scope.SAME, 10, 0), "times"),
        (Wider(Scope.SAME, 10, 101), "100 times"),
    ],
)
def test_what_is_out_of_bounds_is_refused_and_approves_nothing(world: World, wider: Wider, says: str) -> None:
    hold = held(world, **ALIKE)
    with pytest.raises(Invalid, match=says):
        actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=wider)
    assert not hold.reviews.exists()


def test_what_has_no_shape_is_granted_by_its_text_alone(world: World) -> None:
    hold = held(world)
    with pytest.raises(Invalid, match="shape"):
        actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=SHAPE)


def test_an_operation_is_granted_by_its_arguments_never_by_its_name(world: World) -> None:
    hold = actions.ask(request(world, verb="app:call", shape="payments.transfer"))
    with pytest.raises(Invalid, match="shape"):
        actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=SHAPE)
    page = _as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()
    assert "Exactly this again" in page
    assert "with other values" not in page


@pytest.mark.parametrize("changed", [{"in_transaction": True}, {"decision": decided(severity="critical")}])
def test_some_actions_are_approved_once_at_a_time(world: World, changed: dict[str, Any]) -> None:
    hold = actions.ask(request(world, **{**ALIKE, **changed}))
    with pytest.raises(Refused, match="once at a time"):
        actions.approve(hold.id, actor=world.cast.reviewer, seen=hold.digest, wider=SAME)


# ---- used ----
def test_the_very_same_action_need_not_wait_again(world: World) -> None:
    grant = given(world)
    release(Hold.objects.get(id=grant.hold_id))
    hold = again(world)
    assert (hold.status, hold.grant_id) == (Hold.Status.APPROVED, grant.id)
    assert release(hold).status == Hold.Status.RELEASED
    with pytest.raises(AlreadySettled):
        release(hold)
    assert events(grant) == ["grant:given", "grant:used"]
    released = entries("action:released")[-1]
    assert released["details"]["grant"] == str(grant.id)
    assert len(released["details"]["reviews"]) == 1


def test_one_byte_more_is_another_action(world: World) -> None:
    given(world)
    assert again(world, "DELETE FROM customers WHERE id = 1 ").status == Hold.Status.WAITING


def test_a_shape_covers_other_values(world: World) -> None:
    grant = given(world, SHAPE)
    assert again(world, "DELETE FROM customers WHERE id = 2").grant_id == grant.id


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": "f2"},
        {"shape": ""},
        {"verb": "sql:update"},
        {"tables": ("public.orders",)},
        {"has_where": False},
        {"tags": ("pii",)},
        {"in_transaction": True},
    ],
)
def test_a_shape_covers_nothing_else(world: World, changed: dict[str, Any]) -> None:
    given(world, SHAPE)
    assert again(world, "DELETE FROM customers WHERE id = 2", **changed).status == Hold.Status.WAITING


def test_a_shape_does_not_cover_what_is_done_for_another_person(world: World) -> None:
    given(world, SHAPE)
    other = again(world, "DELETE FROM customers WHERE id = 2", on_behalf_of=world.cast.outsider.id)
    assert other.status == Hold.Status.WAITING


def test_it_is_of_one_agent(world: World) -> None:
    given(world, SHAPE)
    other = enrol(world.cast, world.segment, "billing.production")
    assert again(world, agent_id=other.id).status == Hold.Status.WAITING


def test_it_is_counted(world: World) -> None:
    grant = given(world, Wider(Scope.SHAPE, 60, 2))
    states = [again(world, f"DELETE FROM customers WHERE id = {number}").status for number in range(10, 13)]
    assert states == ["approved", "approved", "waiting"]
    grant.refresh_from_db()
    assert grant.uses == 2


def test_it_ends(world: World) -> None:
    grant = given(world, SHAPE)
    past = db_now() - timedelta(seconds=1)
    Grant.objects.filter(id=grant.id).update(given_at=past - timedelta(minutes=5), expires_at=past)
    assert again(world, "DELETE FROM customers WHERE id = 2").status == Hold.Status.WAITING


def test_what_policy_calls_critical_now_waits(world: World) -> None:
    given(world, SHAPE)
    hold = again(world, "DELETE FROM customers WHERE id = 2", decision=decided(severity="critical"))
    assert hold.status == Hold.Status.WAITING


def test_those_who_gave_it_must_still_be_enough(world: World) -> None:
    given(world, SHAPE)
    hold = again(world, "DELETE FROM customers WHERE id = 2", decision=decided(BOTH))
    assert hold.status == Hold.Status.WAITING


def test_those_who_gave_it_must_still_be_allowed_to(world: World) -> None:
    given(world, SHAPE)
    people.deactivate(world.cast.reviewer, actor=world.cast.administrator)
    assert again(world, "DELETE FROM customers WHERE id = 2").status == Hold.Status.WAITING


def test_who_owns_the_agent_by_now_gave_nothing(world: World) -> None:
    given(world, SHAPE)
    world.agent.__class__.objects.filter(id=world.agent.id).update(deputy=world.cast.reviewer)
    assert again(world, "DELETE FROM customers WHERE id = 2").status == Hold.Status.WAITING


def test_a_suspended_agent_uses_none(world: World) -> None:
    grant = given(world, SHAPE)
    hold = again(world, "DELETE FROM customers WHERE id = 2")
    inventory.suspend(world.agent.id, actor=world.cast.engineer, reason="Odd.")
    with pytest.raises(Refused, match="suspended"):
        release(hold)
    with pytest.raises(Refused, match="suspended"):
        again(world, "DELETE FROM customers WHERE id = 3")
    grant.refresh_from_db()
    assert grant.uses == 1


# ---- taken back ----
def test_taken_back_it_lets_nothing_through_that_it_has_not_yet(world: World) -> None:
    grant = given(world, SHAPE)
    hold = again(world, "DELETE FROM customers WHERE id = 2")
    grant_actions.revoke(grant.id, actor=world.cast.reviewer, reason="It asks for too much.")
    with pytest.raises(QuorumLost):
        release(hold)
    hold.refresh_from_db()
    assert (hold.status, hold.grant_id) == (Hold.Status.WAITING, None)  # people decide it now, so it counts as theirs
    assert again(world, "DELETE FROM customers WHERE id = 3").status == Hold.Status.WAITING
    assert approve(hold, world.cast.teammate).status == Hold.Status.APPROVED
    assert release(hold).status == Hold.Status.RELEASED
    assert events(grant)[-1] == "grant:revoked"


def test_who_may_take_it_back(world: World) -> None:
    for number, person in enumerate((world.cast.owner, world.cast.ciso, world.cast.engineer)):
        grant = given(world, SHAPE, text=f"DELETE FROM customers WHERE id = 1{number}")
        assert grant_actions.revoke(grant.id, actor=person, reason="Enough.").revoked_by == person
        with pytest.raises(AlreadySettled):
            grant_actions.revoke(grant.id, actor=person, reason="Enough.")


def test_who_may_not_take_it_back(world: World) -> None:
    grant = given(world, SHAPE)
    with pytest.raises(NotFound):
        grant_actions.revoke(grant.id, actor=world.cast.outsider, reason="Enough.")
    with pytest.raises(NotFound):
        grant_actions.revoke(new_id(), actor=world.cast.ciso, reason="Enough.")
    with pytest.raises(NotEligible):
        grant_actions.revoke(grant.id, actor=world.cast.auditor, reason="Enough.")
    with pytest.raises(Invalid, match="reason"):
        grant_actions.revoke(grant.id, actor=world.cast.ciso, reason=" ")
    grant.refresh_from_db()
    assert grant.revoked_at is None


# ---- tried before it is given ----
def test_it_is_tried_on_the_last_week(world: World) -> None:
    hold = held(world, ONE, **ALIKE)
    at = hold.asked_at.replace(hour=12) - timedelta(days=2)
    told: dict[str, Any] = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": world.agent.id, "resource_id": world.resource.id,
        "credential_id": new_id(), "verb": "sql:delete", "digest": "sha256:00", "salt": b"", "decision": "hold",
        "status": "done", "policy_version": 1, "entry_id": new_id(), "shape": "f1",
    }  # fmt: skip
    moments = [(at, hold.shown), (at.replace(hour=23), "another"), (at - timedelta(days=9), hold.shown)]
    for number, (moment, shown) in enumerate(moments, 1):
        Action.objects.create(**told, number=number, asked_at=moment, shown=shown)
    Action.objects.create(**{**told, "shape": "f2"}, number=9, asked_at=at, shown=hold.shown)
    just_before = hold.asked_at - timedelta(milliseconds=1)
    Action.objects.create(**told, id=hold.action_id, number=10, asked_at=just_before, shown=hold.shown)
    assert granting.tried(hold, Scope.SHAPE) == granting.Tried(2, 1)
    assert granting.tried(hold, Scope.SAME) == granting.Tried(1, 0)


# ---- on the page and in the API ----
def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def test_a_reviewer_approves_for_a_while_by_form(world: World) -> None:
    hold = held(world, **ALIKE)
    client = _as(world.cast.reviewer)
    page = client.get(reverse("queue:hold", args=[hold.id])).content.decode()
    assert "For a while…" in page
    assert "with other values" in page
    tried = client.get(reverse("queue:wider", args=[hold.id])).content.decode()
    assert "it would have let through" in tried
    body = {"digest": hold.digest, "scope": "shape", "minutes": "240", "times": "20"}
    assert client.post(reverse("queue:approve", args=[hold.id]), body).status_code == 302
    grant = Grant.objects.get(hold=hold)
    assert (grant.scope, grant.most, grant.expires_at - grant.given_at) == ("shape", 20, timedelta(hours=4))
    listed = client.get(reverse("queue:grants")).content.decode()
    assert "0 of 20" in listed
    assert "Rita Reviewer" in listed
    covered = again(world, "DELETE FROM customers WHERE id = 2")
    page = client.get(reverse("queue:hold", args=[covered.id])).content.decode()
    assert "a grant covers it" in page
    assert "Approved by a grant" in page


@pytest.mark.parametrize("body", [{"scope": "all"}, {"scope": "same"}, {"scope": "same", "minutes": "9", "times": "5"}])
def test_a_form_that_says_no_width_approves_nothing(world: World, body: dict[str, str]) -> None:
    hold = held(world, **ALIKE)
    answer = _as(world.cast.reviewer).post(reverse("queue:approve", args=[hold.id]), {"digest": hold.digest, **body})
    assert answer.status_code in {409, 422}
    assert not hold.reviews.exists()


def test_what_is_approved_once_at_a_time_offers_no_more(world: World) -> None:
    hold = actions.ask(request(world, decision=decided(severity="critical"), **ALIKE))
    page = _as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()
    assert "For a while…" not in page
    assert "Policy calls this critical" in page


def test_taking_back_by_page_needs_a_reason_and_says_so(world: World) -> None:
    grant = given(world, SHAPE)
    client = _as(world.cast.ciso)
    address = reverse("queue:revoke", args=[grant.id])
    bare = client.post(address, {"reason": ""})
    assert bare.status_code == 422
    assert "Say why" in bare.content.decode()
    assert client.post(address, {"reason": "Too <wide>."}, follow=True).status_code == 200
    page = client.get(reverse("queue:grants")).content.decode()
    assert "Too &lt;wide&gt;." in page
    assert client.post(address, {"reason": "Twice."}).status_code == 409
    assert _as(world.cast.auditor).post(address, {"reason": "Mine."}).status_code == 403
    assert _as(world.cast.outsider).post(address, {"reason": "Mine."}).status_code == 404


def test_the_api_gives_lists_and_takes_back(world: World) -> None:
    hold = held(world, **ALIKE)
    call = caller(world.cast.reviewer)
    body = {"digest": hold.digest, "scope": "same", "minutes": 30, "times": 4}
    assert call(f"holds/{hold.id}/approve", body).status_code == 200
    (listed,) = json.loads(call("grants?agent=support.production").content)["results"]
    assert (listed["scope"], listed["most"], listed["uses"], listed["covers"]) == ("same", 4, 0, hold.shown)
    assert call(f"grants/{listed['id']}/revoke", {}).status_code == 400
    taken = json.loads(call(f"grants/{listed['id']}/revoke", {"reason": "Enough."}).content)
    assert (taken["revoked_by"], taken["revoked_because"]) == (world.cast.reviewer.username, "Enough.")
    assert call(f"holds/{held(world, text='x', **ALIKE).id}/approve", body | {"minutes": 999}).status_code == 400


def test_a_person_sees_only_grants_of_what_they_see(world: World) -> None:
    given(world, SHAPE)
    assert "0 of 3" in _as(world.cast.owner).get(reverse("queue:grants")).content.decode()
    assert json.loads(caller(world.cast.outsider)("grants").content)["results"] == []
