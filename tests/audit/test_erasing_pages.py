"""Erasing recordings by page and by API: who asks, who confirms, and what pages say afterwards."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from activity.models import Action, Erasure, Frame
from approvals import actions as approvals
from core.db import db_now
from ledger.entries import Actor
from ledger.models import Outbox
from tests.activity.asking import asked, session
from tests.approvals.test_settling import row_of
from tests.approvals.world import World, assemble, held
from tests.bring.callers import Caller, browser
from tests.cast import Cast

pytestmark = pytest.mark.django_db
WHY = {"reason": "Case 7"}


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


@pytest.fixture
def action(world: World) -> Action:
    one = session(world.agent, world.resource, ended_at=db_now(), purpose="Case 7 of a customer")
    action = asked(world.agent, world.resource, session_id=one.id, shown="SELECT 'Jane Roe'")
    Frame.objects.create(
        action_id=action.id, session_id=one.id, columns=[{"name": "n", "masked": False}], rows=[["Roe"]]
    )
    return action


def test_two_people_erase_what_was_found_and_its_pages_say_so(world: World, action: Action) -> None:
    auditor, administrator = browser(world.cast.auditor), browser(world.cast.administrator)
    assert b"Erase these" in auditor.get("/record/actions/?q=Jane").content
    assert b"Erase these" not in auditor.get("/record/actions/").content
    asking = auditor.get("/record/actions/erase/?q=Jane")
    assert b"of 1 action" in asking.content
    assert b"Say why" in auditor.post("/record/actions/erase/?q=Jane", {"reason": ""}).content
    asked_for = auditor.post("/record/actions/erase/?q=Jane", WHY)
    wish = Erasure.objects.get()
    assert asked_for["Location"] == f"/record/erasures/{wish.id}/"
    assert b"You asked for it" in auditor.get(asked_for["Location"]).content
    waiting = administrator.get(asked_for["Location"]).content
    assert b"Erase for good" in waiting
    assert b"Jane Roe" in waiting
    done = administrator.post(f"/record/erasures/{wish.id}/confirm/", follow=True).content
    assert b"It is erased, for good." in done
    page = administrator.get(f"/record/actions/{action.id}/").content.decode()
    assert f"Erased on {timezone.now():%-d %b %Y}: asked by Aldo Auditor, confirmed by" in page
    assert "Jane" not in page
    assert "Roe" not in page
    assert "Decide it again" not in page
    assert b"Nothing here is left" not in auditor.get("/record/actions/?q=erased+on").content
    listed = auditor.get("/record/actions/?q=Jane").content
    assert b"No action here matches" in listed
    assert b"Case 7" in auditor.get("/record/erasures/").content


def test_a_session_and_its_hold_say_it_too(world: World, action: Action) -> None:
    hold = held(world, session_id=action.session_id, shown="DELETE 'Jane Roe'", summary="Deletes Jane Roe")
    row_of(hold)
    approvals.withdraw(hold.id, by=Actor(kind="agent", id=str(world.agent.id), name=world.agent.name))
    administrator = browser(world.cast.administrator)
    place = f"/record/sessions/{action.session_id}/erase/"
    assert b"2 actions" in administrator.get(place).content
    administrator.post(place, WHY)
    wish = Erasure.objects.get()
    own = administrator.post(f"/record/erasures/{wish.id}/confirm/", follow=True)
    assert b"an administrator who did not confirms it" in own.content
    assert Outbox.objects.filter(event="erasure:refused").exists()
    browser(world.cast.second_administrator).post(f"/record/erasures/{wish.id}/confirm/")
    replay = administrator.get(f"/record/sessions/{action.session_id}/").content
    seen = browser(world.cast.reviewer).get(f"/queue/{hold.id}/").content
    for page in (replay, seen):
        assert b"Erased on" in page
        assert b"Jane" not in page


def test_a_wish_is_dropped_by_page(world: World, action: Action) -> None:
    auditor = browser(world.cast.auditor)
    auditor.post(f"/record/actions/{action.id}/erase/", WHY)
    dropped = auditor.post(f"/record/erasures/{Erasure.objects.get().id}/drop/", follow=True)
    assert b"the wish is dropped" in dropped.content
    assert not Erasure.objects.exists()


def test_by_api(world: World, action: Action) -> None:
    auditor, administrator = Caller(world.cast.auditor), Caller(world.cast.administrator)
    assert auditor.post("erasures", {**WHY, "actions": ["x"]})[0] == 400
    assert auditor.post("erasures", WHY)[0] == 422
    status, wish = auditor.post("erasures", {**WHY, "actions": [str(action.id)]})
    assert (status, wish["erased_at"], wish["asked_by"]) == (201, None, world.cast.auditor.username)
    assert Caller(world.cast.ciso).post(f"erasures/{wish['id']}/confirm")[0] == 404
    status, done = administrator.post(f"erasures/{wish['id']}/confirm")
    assert (status, done["count"], done["confirmed_by"]) == (200, 1, world.cast.administrator.username)
    assert administrator.post(f"erasures/{wish['id']}/confirm")[0] == 409
    shown = auditor.get(f"actions/{action.id}")[1]
    assert shown["erasure_id"] == wish["id"]
    assert "Jane" not in json.dumps(shown)
    assert auditor.get("erasures")[1]["results"][0]["id"] == wish["id"]
    second = auditor.post("erasures", {**WHY, "sessions": [str(action.session_id)]})[1]
    assert auditor.post(f"erasures/{second['id']}/drop") == (204, None)


def test_what_somebody_looked_for_is_beside_the_log(world: World, action: Action) -> None:
    browser(world.cast.auditor).get("/record/actions/?q=Jane+Roe&decision=allow")
    leaf = bytes(Outbox.objects.filter(event="record:read").latest("id").leaf)
    says = json.loads(leaf)["details"]
    assert says["decision"] == "allow"
    assert says["q"].startswith("sha256:")
