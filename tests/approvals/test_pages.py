"""The queue's pages: who sees what, and what each click does."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts.actions import set_roles
from accounts.models import Role, User
from approvals.models import Hold
from ledger.models import Outbox
from tests.approvals.world import BOTH, ONE, World, approve, held

HTMX = {"HX-Request": "true"}


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def _post(person: User, hold: Hold, verb: str, **form: str) -> tuple[int, str]:
    answer = _as(person).post(reverse(f"queue:{verb}", args=[hold.id]), {"digest": hold.digest, **form}, headers=HTMX)
    return answer.status_code, answer.content.decode()


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_reviewer_sees_what_waits_for_them(world: World) -> None:
    hold = held(world, BOTH, purpose="A ticket", shown="DELETE FROM customers\nWHERE id = 1")
    page = _as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()
    text = _text(page)
    assert "(1) Queue" in text
    assert "Approve once" in text
    assert "Its claim, not checked" in text
    assert "Writes need people." in text
    assert hold.digest in page
    assert "Yours is the first of 2. Then security decides." in text


def test_what_an_agent_claims_cannot_disguise_itself(world: World) -> None:
    hold = held(world, BOTH, purpose="A ticket\u202e of mine", summary="Deletes\u202e rows")
    page = _as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()
    assert page.count("U+202E") >= 2
    assert "\u202e" not in re.sub(r"<[^>]*>", " ", page)


def test_nobody_signed_in_is_sent_to_the_door(world: World) -> None:
    hold = held(world)
    for address in (reverse("queue:queue"), reverse("queue:list"), reverse("queue:hold", args=[hold.id])):
        assert Client().get(address).status_code == 302


def test_an_outsider_sees_an_empty_queue_and_finds_no_hold(world: World) -> None:
    hold = held(world)
    client = _as(world.cast.outsider)
    assert hold.summary not in client.get(reverse("queue:queue")).content.decode()
    assert client.get(reverse("queue:hold", args=[hold.id])).status_code == 404
    assert _post(world.cast.outsider, hold, "approve")[0] == 404


def test_approving_settles_and_says_so(world: World) -> None:
    hold = held(world)
    status, html = _post(world.cast.reviewer, hold, "approve")
    assert status == 200
    assert "Approved by 1 person" in _text(html)
    hold.refresh_from_db()
    assert hold.status == Hold.Status.APPROVED


def test_the_owner_sees_why_they_cannot_review_and_is_refused(world: World) -> None:
    set_roles(world.cast.owner, [Role.OWNER, Role.REVIEWER], actor=world.cast.administrator)
    hold = held(world)
    page = _text(_as(world.cast.owner).get(reverse("queue:hold", args=[hold.id])).content.decode())
    assert "You cannot review this one." in page
    assert "You own this agent." in page
    before = Outbox.objects.filter(event="review:refused").count()
    status, html = _post(world.cast.owner, hold, "approve")
    assert status == 403
    assert "You own this agent." in _text(html)
    assert Outbox.objects.filter(event="review:refused").count() == before + 1
    hold.refresh_from_db()
    assert hold.status == Hold.Status.WAITING


def test_a_changed_digest_is_refused(world: World) -> None:
    hold = held(world)
    status, html = _post(world.cast.reviewer, hold, "approve", digest="sha256:" + "0" * 64)
    assert status == 409
    assert "not the action that was shown" in html


def test_a_second_click_says_that_it_is_settled(world: World) -> None:
    hold = held(world)
    approve(hold, world.cast.reviewer)
    status, html = _post(world.cast.teammate, hold, "approve")
    assert status == 409
    assert "Settled." in _text(html)


def test_a_denial_needs_a_reason_and_keeps_what_was_chosen(world: World) -> None:
    hold = held(world)
    assert _post(world.cast.reviewer, hold, "deny")[0] == 422
    assert _post(world.cast.reviewer, hold, "deny", words="x" * 901)[0] == 422
    status, html = _post(world.cast.reviewer, hold, "deny", why="Wrong scope", words="One region only")
    assert status == 200
    assert "Wrong scope. One region only" in html
    hold.refresh_from_db()
    assert hold.status == Hold.Status.DENIED


def test_without_scripts_a_decision_leads_back_to_the_page(world: World) -> None:
    hold = held(world)
    address = reverse("queue:approve", args=[hold.id])
    answer = _as(world.cast.reviewer).post(address, {"digest": hold.digest})
    assert answer.status_code == 302
    refused = _as(world.cast.teammate).post(address, {"digest": hold.digest})
    assert refused.status_code == 409
    assert b"<html" in refused.content


def test_one_who_approved_may_still_deny(world: World) -> None:
    hold = held(world, BOTH)
    _post(world.cast.reviewer, hold, "approve")
    page = _text(_as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode())
    assert "You approved." in page
    assert "1 more is needed: security." in page
    assert "Approve once" not in page
    assert _post(world.cast.reviewer, hold, "deny", why="Not now")[0] == 200


def test_a_decision_must_come_from_our_own_form(world: World) -> None:
    hold = held(world)
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.cast.reviewer, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.post(reverse("queue:approve", args=[hold.id]), {"digest": hold.digest})
    assert answer.status_code == 403
    assert b"too old to trust" in answer.content


def test_hostile_text_is_escaped_and_boxed(world: World) -> None:
    hold = held(world, shown="SELECT '<script>alert(1)</script>' AS \u0441", purpose="<img src=x>")
    page = _as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert 'class="lookalike"' in page


@pytest.mark.parametrize("number", [1, 6])
def test_the_list_costs_the_same_however_long_it_is(
    world: World, number: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for at in range(min(number, 5)):
        held(world, ONE, shown=f"DELETE FROM customers WHERE id = {at}", salt=bytes([at]) * 32)
    client = _as(world.cast.reviewer)
    with django_assert_max_num_queries(9):
        client.get(reverse("queue:list"), headers=HTMX)
    with django_assert_max_num_queries(12):
        client.get(reverse("queue:queue"))


def test_an_approval_is_taken_back_by_a_click(world: World) -> None:
    hold = approve(held(world, BOTH), world.cast.reviewer)
    page = _text(_as(world.cast.reviewer).get(reverse("queue:hold", args=[hold.id])).content.decode())
    assert "You approved." in page
    status, html = _post(world.cast.reviewer, hold, "retract")
    assert status == 200
    assert "Approve once" in _text(html)
    assert _post(world.cast.reviewer, hold, "retract")[0] == 403
