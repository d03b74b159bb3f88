"""Owners take back what their agents wait for: who may, what is refused, what the agent and the ledger are told."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts import actions as people
from accounts.actions import set_roles
from accounts.models import Role, User
from accounts.scopes import AGENTS_WRITE, READ, REVIEW
from approvals import actions
from approvals.actions import LONGEST_WITHDRAWAL
from approvals.models import Hold
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotEligible, NotFound
from ledger.entries import commit_text
from ledger.models import Outbox
from ledger.personal import revealed
from tests.approvals.test_settling import row_of
from tests.approvals.world import World, approve, backdate, held

pytestmark = pytest.mark.django_db
WHY = "The ticket was closed."


def _last(event: str) -> dict[str, Any]:
    said: dict[str, Any] = revealed(json.loads(bytes(Outbox.objects.filter(event=event).latest("id").leaf)))
    return said


@pytest.mark.parametrize("who", ["owner", "deputy"])
def test_whoever_answers_for_the_agent_withdraws_and_it_is_told(world: World, who: str) -> None:
    hold, person = held(world), getattr(world.cast, who)
    row = row_of(hold)
    done = actions.withdraw_own(hold.id, actor=person, reason=f" {WHY} ")
    assert (done.status, done.settled_because) == ("withdrawn", f"Withdrawn by {person}: “{WHY}”")
    row.refresh_from_db()
    assert (row.status, row.code) == ("denied", "withdrawn")
    entry = _last("hold:withdrawn")
    assert entry["actor"] == {"kind": "person", "id": str(person.id), "name": str(person)}
    assert entry["details"]["because"] == commit_text(done.settled_because, bytes(hold.salt))
    assert WHY not in json.dumps(entry)


@pytest.mark.parametrize("who", ["reviewer", "administrator", "ciso", "engineer", "auditor"])
def test_nobody_else_withdraws(world: World, who: str) -> None:
    hold = held(world)
    with pytest.raises(NotEligible):
        actions.withdraw_own(hold.id, actor=getattr(world.cast, who), reason=WHY)
    hold.refresh_from_db()
    assert hold.status == Hold.Status.WAITING


def test_what_one_may_not_see_is_not_there(world: World) -> None:
    with pytest.raises(NotFound):
        actions.withdraw_own(held(world).id, actor=world.cast.outsider, reason=WHY)


@pytest.mark.parametrize("reason", ["", "  ", "x" * (LONGEST_WITHDRAWAL + 1)])
def test_it_takes_a_reason_that_fits(world: World, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        actions.withdraw_own(held(world).id, actor=world.cast.owner, reason=reason)
    assert refused.value.field == "reason"


def test_the_longest_reason_of_the_longest_name_is_told_whole(world: World) -> None:
    User.objects.filter(id=world.cast.owner.id).update(name="N" * 120)
    done = actions.withdraw_own(held(world).id, actor=world.cast.owner, reason="x" * LONGEST_WITHDRAWAL)
    assert done.settled_because.endswith("x”")


def test_what_is_decided_or_late_is_not_withdrawn(world: World) -> None:
    approved, late = approve(held(world), world.cast.reviewer), held(world, text="DELETE 2")
    backdate(late, asked_at=db_now() - timedelta(hours=1), deadline=db_now())
    for hold in (approved, late):
        with pytest.raises(AlreadySettled):
            actions.withdraw_own(hold.id, actor=world.cast.owner, reason=WHY)


def test_a_former_owner_does_not_withdraw(world: World) -> None:
    hold = held(world)
    world.agent.owner, world.agent.deputy = world.cast.deputy, None
    world.agent.save()
    set_roles(world.cast.owner, [Role.AUDITOR], actor=world.cast.administrator)
    with pytest.raises(NotEligible):
        actions.withdraw_own(hold.id, actor=world.cast.owner, reason=WHY)


# ---- the pages ----
def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _post(person: User, hold: Hold, reason: str) -> tuple[int, str]:
    address = reverse("queue:withdraw", args=[hold.id])
    answer = _as(person).post(address, {"reason": reason}, headers={"HX-Request": "true"})
    return answer.status_code, answer.content.decode()


def test_only_who_may_withdraw_is_offered_to(world: World) -> None:
    address = reverse("queue:hold", args=[held(world).id])
    offered = {who: "Withdraw…" in _as(getattr(world.cast, who)).get(address).content.decode() for who in
               ("owner", "deputy", "reviewer", "ciso", "administrator")}  # fmt: skip
    assert offered == {"owner": True, "deputy": True, "reviewer": False, "ciso": False, "administrator": False}


def test_the_page_withdraws_and_says_so(world: World) -> None:
    hold = held(world)
    status, html = _post(world.cast.owner, hold, WHY)
    assert status == 200
    assert WHY in html
    hold.refresh_from_db()
    assert hold.status == Hold.Status.WITHDRAWN
    assert _post(world.cast.owner, hold, WHY)[0] == 409


def test_the_page_keeps_what_was_typed_and_records_a_refusal(world: World) -> None:
    hold = held(world)
    status, html = _post(world.cast.owner, hold, "<b>" + "x" * 150)
    assert status == 422
    assert "&lt;b&gt;xxx" in html
    status, html = _post(world.cast.owner, hold, "")
    assert status == 422
    assert "Say why" in html
    before = Outbox.objects.filter(event="review:refused").count()
    assert _post(world.cast.reviewer, hold, WHY)[0] == 403
    assert Outbox.objects.filter(event="review:refused").count() == before + 1
    assert _post(world.cast.outsider, hold, WHY)[0] == 404


# ---- the API ----
def _call(person: User, hold: Hold, body: object, *scopes: str) -> tuple[int, Any]:
    _, secret = people.create_api_token(person, name="t", scopes=scopes, lifetime=timedelta(hours=1), actor=person)
    client = Client(headers={"Authorization": f"Token {secret}"})
    answer = client.post(f"/api/v1/holds/{hold.id}/withdraw", json.dumps(body), content_type="application/json")
    return answer.status_code, json.loads(answer.content)


def test_a_program_of_the_owner_withdraws(world: World) -> None:
    hold = held(world)
    status, said = _call(world.cast.owner, hold, {"reason": WHY}, READ, AGENTS_WRITE)
    assert (status, said["status"]) == (200, "withdrawn")
    assert _call(world.cast.owner, hold, {"reason": WHY}, READ, AGENTS_WRITE)[0] == 409


def test_what_a_program_is_refused(world: World) -> None:
    hold = held(world)
    assert _call(world.cast.owner, hold, {"reason": WHY}, READ, REVIEW)[0] == 403  # not the scope for it
    assert _call(world.cast.reviewer, hold, {"reason": WHY}, READ, AGENTS_WRITE)[0] == 403
    assert _call(world.cast.outsider, hold, {"reason": WHY}, READ, AGENTS_WRITE)[0] == 404
    status, said = _call(world.cast.owner, hold, {}, READ, AGENTS_WRITE)
    assert (status, list(said["errors"])) == (400, ["reason"])
