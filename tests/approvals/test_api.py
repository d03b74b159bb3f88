"""Holds over the API: with a scoped token, by the digest that was seen, and never more than the pages show."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import actions as people
from accounts.models import ApiToken, User
from accounts.scopes import READ, REVIEW
from approvals.models import Hold
from core.db import db_now
from core.ids import new_id
from ledger.models import Outbox
from tests.approvals.world import BOTH, World, backdate, held

pytestmark = pytest.mark.django_db
Call = Callable[..., HttpResponse]


def token(user: User, *scopes: str) -> str:
    _, secret = people.create_api_token(user, name="tests", scopes=scopes, lifetime=timedelta(hours=1), actor=user)
    return secret


def caller(user: User, *scopes: str) -> Call:
    headers = {"Authorization": f"Token {token(user, *(scopes or (READ, REVIEW)))}"}

    def call(path: str, body: object = None) -> HttpResponse:
        if body is None:
            return Client(headers=headers).get(f"/api/v1/{path}")  # type: ignore[return-value]  # Django's test response
        return Client(headers=headers).post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")  # type: ignore[return-value]  # the same

    return call


def problem(response: HttpResponse) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    said = json.loads(response.content)
    assert said["status"] == response.status_code
    assert said["detail"]
    return response.status_code, said["code"]


def test_waiting_holds_are_listed_with_what_a_program_needs(world: World) -> None:
    hold = held(world, BOTH, purpose="A customer asked")
    held(world, text="DELETE 2")
    backdate(Hold.objects.latest("asked_at"), status=Hold.Status.DENIED)
    (shown,) = json.loads(caller(world.cast.reviewer)("holds?status=waiting").content)["results"]
    assert shown["id"] == str(hold.id)
    assert (shown["digest"], shown["status"]) == (hold.digest, "waiting")
    assert shown["action"]["shown"] == hold.shown
    assert shown["requirement"] == {"dba": 1, "security": 1}
    assert shown["you"] == {"eligible": True, "code": "", "because": ""}
    assert shown["expires_at"] is not None
    assert "salt" not in json.dumps(shown)


def test_approving_and_denying_take_the_digest(world: World) -> None:
    first, second = held(world), held(world, text="DELETE 2")
    call = caller(world.cast.reviewer)
    approved = call(f"holds/{first.id}/approve", {"digest": first.digest})
    assert (approved.status_code, json.loads(approved.content)["status"]) == (200, "approved")
    assert problem(call(f"holds/{second.id}/deny", {"digest": first.digest, "reason": "No."})) == (409, "stale")
    denied = json.loads(call(f"holds/{second.id}/deny", {"digest": second.digest, "reason": "No."}).content)
    assert (denied["status"], denied["reviews"][0]["reason"]) == ("denied", "No.")


def test_a_settled_hold_says_so(world: World) -> None:
    hold = held(world)
    caller(world.cast.reviewer)(f"holds/{hold.id}/approve", {"digest": hold.digest})
    again = caller(world.cast.teammate)(f"holds/{hold.id}/approve", {"digest": hold.digest})
    assert problem(again) == (409, "already_settled")
    late = held(world, text="DELETE 2")
    backdate(late, asked_at=db_now() - timedelta(hours=1), deadline=db_now())
    assert problem(caller(world.cast.reviewer)(f"holds/{late.id}/approve", {"digest": late.digest}))[0] == 409


@pytest.mark.parametrize("body", [{}, {"digest": ""}, {"digest": 7.5, "reason": []}, {"digest": "x" * 81}, [], "text"])
def test_a_body_that_says_no_digest_is_refused(world: World, body: object) -> None:
    hold = held(world)
    assert problem(caller(world.cast.reviewer)(f"holds/{hold.id}/approve", body))[0] in {400, 409}
    assert not hold.reviews.exists()


def test_a_denial_needs_a_reason(world: World) -> None:
    hold = held(world)
    answer = caller(world.cast.reviewer)(f"holds/{hold.id}/deny", {"digest": hold.digest})
    assert problem(answer) == (422, "invalid")
    assert json.loads(answer.content)["field"] == "reason"


def test_the_scope_decides_what_a_token_can(world: World) -> None:
    hold = held(world)
    body = {"digest": hold.digest}
    assert problem(caller(world.cast.reviewer, READ)(f"holds/{hold.id}/approve", body))[0] == 403
    assert problem(caller(world.cast.reviewer, REVIEW)("holds"))[0] == 403
    assert not hold.reviews.exists()


def test_without_a_live_token_nothing_is_told(world: World) -> None:
    held(world)
    assert problem(Client().get("/api/v1/holds")) == (401, "not_authenticated")  # type: ignore[arg-type]  # Django's test response
    stale = token(world.cast.reviewer, READ)
    ApiToken.objects.update(expires_at=db_now())
    answer = Client(headers={"Authorization": f"Token {stale}"}).get("/api/v1/holds")
    assert answer.status_code == 401
    browser = Client()
    browser.force_login(world.cast.reviewer, backend="guardian.backends.ObjectPermissionBackend")
    assert browser.get("/api/v1/holds").status_code == 401  # a page's session is no token


def test_what_is_not_visible_is_not_found_and_the_attempt_is_recorded(world: World) -> None:
    hold = held(world)
    call = caller(world.cast.outsider)
    assert json.loads(call("holds").content)["results"] == []
    unknown = f"holds/{new_id()}"
    assert problem(call(f"holds/{hold.id}")) == problem(call(unknown)) == (404, "not_found")
    body = {"digest": hold.digest}
    assert (
        problem(call(f"holds/{hold.id}/approve", body))
        == problem(call(f"{unknown}/approve", body))
        == (404, "not_found")
    )
    assert Outbox.objects.filter(event="review:refused").count() == 2


def test_the_owner_sees_it_and_is_told_why_not(world: World) -> None:
    hold = held(world)
    call = caller(world.cast.owner)
    shown = json.loads(call(f"holds/{hold.id}").content)
    assert shown["you"]["eligible"] is False
    refused = call(f"holds/{hold.id}/approve", {"digest": hold.digest})
    assert problem(refused) == (403, "not_eligible")
    refusal = json.loads(bytes(Outbox.objects.get(event="review:refused").leaf))
    assert refusal["actor"]["id"] == str(world.cast.owner.id)


def test_pages_follow_each_other_without_gap_or_repeat(world: World) -> None:
    holds = {str(held(world, text=f"DELETE {number}").id) for number in range(5)}
    call, seen, path = caller(world.cast.reviewer), [], "holds?limit=2"
    while path:
        page = json.loads(call(path).content)
        seen += [UUID(one["id"]) for one in page["results"]]
        path = page["next"].partition("/api/v1/")[2] if page["next"] else ""
    assert len(seen) == 5
    assert {str(one) for one in seen} == holds


def test_a_list_costs_the_same_however_long(world: World) -> None:
    call = caller(world.cast.reviewer)
    held(world)
    call("holds")

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            call("holds")
        return len(captured)

    one = cost()
    for number in range(4):
        held(world, text=f"DELETE {number}")
    assert cost() == one


@pytest.mark.parametrize("query", ["status=open", "limit=x", "cursor=%00"])
def test_a_query_that_makes_no_sense_is_no_error_of_ours(world: World, query: str) -> None:
    held(world)
    answer: Any = caller(world.cast.reviewer)(f"holds?{query}")
    assert answer.status_code in {200, 400, 404, 422}


def test_holds_that_ask_alike_are_decided_at_once_or_none_of_them(world: World) -> None:
    holds = [held(world, text=f"DELETE {number}", shape="a1") for number in (1, 2)]
    call = caller(world.cast.reviewer)
    body = {"holds": [{"id": str(hold.id), "digest": hold.digest} for hold in holds], "verdict": "deny"}
    assert problem(call("holds/decide-alike", body)) == (422, "invalid")
    done = call("holds/decide-alike", {**body, "reason": "Needs a ticket"})
    assert [hold["status"] for hold in json.loads(done.content)] == ["denied", "denied"]
    assert problem(call("holds/decide-alike", {**body, "verdict": "approve"})) == (409, "already_settled")
    assert problem(caller(world.cast.outsider)("holds/decide-alike", body))[0] == 404
