"""One's own account over the API: who asks, one's tokens, one's views, how one wants to be told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import actions as people
from accounts.models import ApiToken
from accounts.scopes import ACCOUNT_WRITE, READ
from agents.models import SavedView
from approvals.notifications.models import Notification, NotificationChoices
from core.db import db_now
from core.ids import new_id
from tests.approvals.world import World, assemble, held
from tests.bring.callers import Caller
from tests.cast import Cast

CHOSEN = {
    "shown": ["review", "report"],
    "mailed": ["incident"],
    "quiet_from": "22:00:00",
    "quiet_until": "06:30:00",
    "zone": "Europe/Berlin",
    "pushed": ["review"],
    "severe": True,
    "agents": [],
    "resources": [],
    "policies": [],
}


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def test_it_says_who_asks_and_with_which_token(world: World) -> None:
    _, said = Caller(world.cast.reviewer, READ).get("account")
    assert (said["username"], said["roles"], said["groups"]) == ("rita", ["reviewer"], ["dba"])
    assert (said["token"]["name"], said["token"]["scopes"]) == ("tests", [READ])


def test_own_tokens_are_listed_and_ended_and_nobody_elses(world: World) -> None:
    owner = Caller(world.cast.owner)
    other, _ = people.create_api_token(
        world.cast.ciso, name="hers", scopes=[READ], lifetime=timedelta(days=1), actor=world.cast.ciso
    )
    mine, _ = people.create_api_token(
        world.cast.owner, name="mine", scopes=[READ], lifetime=timedelta(days=1), actor=world.cast.owner
    )
    assert {one["name"] for one in owner.get("account/tokens")[1]["results"]} == {"tests", "mine"}
    assert owner.post(f"account/tokens/{other.id}/revoke")[0] == 404
    assert Caller(world.cast.owner, READ).post(f"account/tokens/{mine.id}/revoke")[0] == 403
    assert owner.post(f"account/tokens/{mine.id}/revoke") == (204, None)
    assert not ApiToken.objects.filter(id=mine.id).exists()
    assert owner.post("account/tokens", {"name": "another", "scopes": [READ]})[0] == 405


def test_views_of_the_fleet_are_kept_and_forgotten(world: World) -> None:
    ciso = Caller(world.cast.ciso)
    status, made = ciso.post("views", {"name": "Risky", "query": "sort=-risk&segment=production&after=x"})
    assert (status, made["query"]) == (201, "segment=production&sort=-risk")
    assert [one["name"] for one in ciso.get("views")[1]["results"]] == ["Risky"]
    assert ciso.post("views", {"name": "None", "query": "status=nothing"})[1]["field"] == "query"
    assert ciso.post("views", {"name": "Empty", "query": "other=1"})[1]["field"] == "name"
    assert Caller(world.cast.owner).client.delete(f"/api/v1/views/{made['id']}").status_code == 404
    assert Caller(world.cast.ciso, READ).client.delete(f"/api/v1/views/{made['id']}").status_code == 403
    assert ciso.client.delete(f"/api/v1/views/{made['id']}").status_code == 204
    assert not SavedView.objects.exists()


def test_how_one_is_told_is_read_and_chosen(world: World) -> None:
    reviewer = Caller(world.cast.reviewer, READ, ACCOUNT_WRITE)
    _, before = reviewer.get("notifications/choices")
    assert (before["zone"], before["quiet_from"], len(before["shown"])) == ("UTC", None, len(before["mailed"]))
    assert reviewer.put("notifications/choices", CHOSEN) == (200, CHOSEN)
    assert reviewer.get("notifications/choices")[1] == CHOSEN
    assert NotificationChoices.objects.get().person == world.cast.reviewer


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"zone": "Middle/Earth"}, "zone"),
        ({"quiet_until": None}, "quiet_until"),
        ({"shown": ["everything"]}, "shown"),
        ({"quiet_from": "25:00"}, "quiet_from"),
    ],
)
def test_what_cannot_be_chosen_names_its_field(world: World, changed: dict[str, object], field: str) -> None:
    status, problem = Caller(world.cast.reviewer).put("notifications/choices", {**CHOSEN, **changed})
    assert status in {400, 422}
    assert field in {problem.get("field"), *problem.get("errors", {})}
    assert not NotificationChoices.objects.exists()


def test_choosing_takes_a_scope_of_its_own(world: World) -> None:
    """Whoever finds a token for reading cannot keep its person from being told."""
    assert Caller(world.cast.reviewer, READ).put("notifications/choices", CHOSEN)[0] == 403


def test_a_notification_is_unread_again(world: World) -> None:
    hold = held(world)
    told = Notification.objects.create(
        person=world.cast.reviewer, kind="review", event="hold:asked", entry=0, entry_uid=new_id(), subject=hold.id,
        about="a hold", at=db_now(), read_at=db_now(),
    )  # fmt: skip
    reviewer = Caller(world.cast.reviewer)
    assert reviewer.get("notifications?unread=1")[1]["results"] == []
    assert reviewer.post(f"notifications/{told.id}/unread")[1]["read_at"] is None
    assert [one["id"] for one in reviewer.get("notifications?unread=1")[1]["results"]] == [str(told.id)]
    assert reviewer.get("notifications?unread=0")[1]["field"] == "unread"
