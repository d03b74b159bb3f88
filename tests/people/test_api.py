"""People, groups and what waits, over the API: who may, what each call does, what it refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import actions
from accounts.invitation_actions import find
from accounts.models import ApiToken, PendingChange, Role, User
from accounts.scopes import AGENTS_WRITE, READ
from console.database import Logins
from ledger.events import Event
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller
from tests.cast import SETUP, Cast

NEW = {"username": "nina", "name": "Nina New", "email": "nina@example.com", "roles": ["reviewer"], "groups": ["dba"]}
SENT: list[tuple[str, dict[str, Any]]] = [
    ("people", NEW),
    *((f"people/rita/{verb}", {}) for verb in ("invitation", "unlink", "erase", "deactivate", "reactivate")),
    ("people/rita/link", {"other": "tom"}),
    ("groups", {"name": "night"}),
    *((f"groups/dba/{verb}", {"person": "rita"}) for verb in ("add", "confirm", "remove")),
    *((f"groups/dba/{verb}", {"kind": "segment", "name": "production"}) for verb in ("reviews", "stop-review")),
]


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def test_inviting_answers_with_a_link_that_works(cast: Cast) -> None:
    status, said = Caller(cast.administrator).post("people", NEW)
    assert (status, said["person"]["status"]) == (201, "invited")
    assert [one["group"] for one in said["person"]["memberships"]] == ["dba"]
    assert find(said["link"].rsplit("/", 2)[1]).user.username == "nina"


@pytest.mark.parametrize("who", ["ciso", "auditor", "engineer", "owner", "reviewer", "outsider"])
def test_nobody_else_changes_anything(cast: Cast, who: str) -> None:
    caller = Caller(getattr(cast, who))
    tokens = Outbox.objects.count()
    for path, body in SENT:
        assert caller.post(path, body)[0] == 404, path
    assert caller.patch("people/rita", {"roles": []})[0] == 404
    assert caller.get("changes") == (200, {"next": None, "previous": None, "results": []})
    assert Outbox.objects.count() == tokens


def test_it_takes_the_scope(cast: Cast) -> None:
    caller = Caller(cast.administrator, READ, AGENTS_WRITE)
    for path, body in SENT:
        assert caller.post(path, body)[0] == 403, path


@pytest.mark.parametrize(
    ("who", "seen"),
    [("reviewer", {"rita", "tom"}), ("outsider", {"otto"}), ("auditor", None), ("administrator", None)],
)
def test_everybody_sees_whom_they_may(cast: Cast, who: str, seen: set[str] | None) -> None:
    _, said = Caller(getattr(cast, who)).get("people?limit=200")
    assert {one["username"] for one in said["results"]} == (
        seen or set(User.objects.values_list("username", flat=True))
    )


def test_groups_are_seen_by_their_members_and_those_who_answer_for_the_whole(cast: Cast) -> None:
    seen = {who: [one["name"] for one in Caller(getattr(cast, who)).get("groups")[1]["results"]] for who in
            ("reviewer", "outsider", "auditor")}  # fmt: skip
    assert seen == {"reviewer": ["dba"], "outsider": [], "auditor": ["dba", "security"]}


def test_an_administrator_is_appointed_by_two_programs(cast: Cast) -> None:
    first, second = Caller(cast.administrator), Caller(cast.second_administrator)
    _, said = first.patch("people/otto", {"roles": ["administrator"]})
    assert (said["roles"], said["waits_for"]) == ([], ["appoint"])
    (waiting,) = second.get("changes")[1]["results"]
    assert (waiting["person"], waiting["asked_by"]) == ("otto", "ada")
    assert first.post(f"changes/{waiting['id']}/confirm")[0] == 403
    assert second.post(f"changes/{waiting['id']}/confirm")[0] == 204
    assert second.post(f"changes/{waiting['id']}/confirm")[0] == 404
    assert User.objects.get(username="otto").has_role(Role.ADMINISTRATOR)


def test_accounts_are_linked_unlinked_closed_and_opened(world: World) -> None:
    caller = Caller(world.cast.administrator)
    _, said = caller.post("people/rita/link", {"other": "tom"})
    assert said["person"] == str(world.cast.teammate.person)
    assert caller.post("people/rita/unlink")[1]["waits_for"] == ["unlink"]
    PendingChange.objects.all().delete()
    _, closed = caller.post("people/olga/deactivate")
    assert (closed["status"], closed["owns"]) == ("closed", ["support.production"])
    assert caller.post("people/olga/reactivate")[1]["status"] == "invited"
    renewed = caller.post("people/tom/invitation")
    assert (renewed[0], "/invitation/" in renewed[1]["link"]) == (201, True)


def test_a_group_is_filled_confirmed_and_let_review(world: World) -> None:
    first, second = Caller(world.cast.administrator), Caller(world.cast.second_administrator)
    assert first.post("groups", {"name": "night"})[0] == 201
    assert first.post("groups/night/add", {"person": "rita"})[1]["memberships"][0]["added_by"] == "ada"
    assert first.post("groups/night/confirm", {"person": "rita"})[0] == 403
    assert second.post("groups/night/confirm", {"person": "rita"})[1]["memberships"][0]["confirmed_by"] == "abel"
    for kind, name in (("segment", "production"), ("resource", "shop"), ("agent", "support.production")):
        assert first.post("groups/night/reviews", {"kind": kind, "name": name}) == (200, [{"kind": kind, "name": name}])
        assert first.post("groups/night/stop-review", {"kind": kind, "name": name}) == (200, [])
    assert first.post("groups/night/remove", {"person": "rita"})[1]["memberships"] == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("people", {**NEW, "username": "rita"}, "username"),
        ("people", {**NEW, "username": "N N"}, "username"),
        ("people", {**NEW, "groups": ["nobody"]}, "group"),
        ("people/rita/link", {"other": "zzz"}, "other"),
        ("people/rita/link", {"other": "rita"}, "other"),
        ("people/rita/unlink", {}, "person"),
        ("people/rita/erase", {}, "person"),
        ("groups", {"name": "Night Shift"}, "name"),
        ("groups/dba/add", {"person": "zzz"}, "person"),
        ("groups/dba/remove", {"person": "otto"}, "person"),
        ("groups/dba/reviews", {"kind": "agent", "name": "zzz"}, "name"),
    ],
)
def test_what_cannot_be_names_the_field_and_changes_nothing(
    cast: Cast, path: str, body: dict[str, Any], field: str
) -> None:
    caller = Caller(cast.administrator)
    before = Outbox.objects.count()
    status, said = caller.post(path, body)
    assert (status, said["field"]) == (422, field)
    assert Outbox.objects.count() == before


def refusals() -> list[tuple[str, str]]:
    """What was tried and refused, and about whom, as the entries say: people by their user names."""
    known = {str(one.id): one.username for one in User.objects.all()}
    entries = (json.loads(bytes(one.leaf)) for one in Outbox.objects.filter(event=Event.CHANGE_REFUSED).order_by("id"))
    return [(one["details"]["tried"], known.get(one["subject"]["id"], one["subject"]["name"])) for one in entries]


def test_ones_own_is_refused(cast: Cast) -> None:
    caller = Caller(cast.administrator)
    assert caller.patch("people/ada", {"roles": []})[0] == 403
    for verb in ("invitation", "deactivate", "reactivate", "unlink", "erase"):
        assert caller.post(f"people/ada/{verb}")[0] == 403, verb
    assert caller.post("groups/dba/add", {"person": "ada"})[0] == 403
    tried = ["change", "invite", "deactivate", "reactivate", "unlink", "erase", "add"]
    assert refusals() == [(what, "dba" if what == "add" else "ada") for what in tried]


def test_a_deactivated_persons_token_is_dead_at_once(cast: Cast) -> None:
    actions.create_api_token(cast.ciso, name="x", scopes=[READ], lifetime=timedelta(days=1), actor=cast.ciso)
    caller = Caller(cast.ciso)
    assert caller.get("people")[0] == 200
    Caller(cast.administrator).post("people/cleo/deactivate")
    assert caller.get("people")[0] == 401
    assert not ApiToken.objects.filter(user=cast.ciso).exists()


def test_lists_cost_the_same_however_long_they_are(cast: Cast) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert caller.get(path)[0] == 200
        return len(seen)

    caller = Caller(cast.auditor)
    caller.get("people")  # the first use of a token is noted
    before = {path: queries(path) for path in ("people", "groups")}
    for at in range(20):
        one = actions.invite(f"p{at}", email=f"p{at}@example.com", name=f"P {at}", actor=SETUP)
        actions.add_member(one, cast.dba, actor=cast.administrator)
    assert {path: queries(path) for path in before} == before


def test_nothing_is_taken_without_a_token(db: None) -> None:
    for path in ("people", "groups", "changes"):
        assert Client().get(f"/api/v1/{path}").status_code == 401


# ---- from the machine itself ----
def test_the_first_administrator_comes_from_the_machine(
    fresh_database: Logins, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("appoint", "ada", name="Ada", email="ada@example.com")
    assert find(capsys.readouterr().out.rsplit("/", 2)[1]).user.has_role(Role.ADMINISTRATOR)


def test_where_nobody_is_left_to_confirm_the_machine_appoints(cast: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("appoint", "otto")
    assert "otto is an administrator." in capsys.readouterr().out
    assert User.objects.get(username="otto").has_role(Role.ADMINISTRATOR)
    assert Outbox.objects.latest("id").event == "role:changed"
    with pytest.raises(CommandError, match="name"):
        call_command("appoint", "nina", email="n@example.com")


# ---- the guide of the first steps ----
def test_the_guide_ticks_off_who_reviews(world: World) -> None:
    from tests.bring.callers import browser

    def ticked() -> list[bool]:
        page = browser(world.cast.administrator).get("/start/").content.decode()
        return ["is-done" in part for part in page.split("<li class=")[1:6]]

    assert ticked()[1:3] == [True, True]
    for one in (world.cast.reviewer, world.cast.teammate, world.cast.reviewer2):
        actions.deactivate(one, actor=world.cast.administrator)
    assert ticked()[1:3] == [False, True]
    assert browser(world.cast.owner).get("/start/").status_code == 404
