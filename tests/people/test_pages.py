"""People and groups by page: who may, what each form does, what it refuses, what is kept."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts import actions
from accounts.models import ApiToken, Invitation, Membership, PendingChange, Role, User
from accounts.objects import Key, targets_by_group
from ledger.models import Outbox
from tests.approvals.world import World, assemble
from tests.cast import SETUP, Cast
from tests.people.test_api import refusals

pytestmark = pytest.mark.django_db
NEW = {"username": "nina", "name": "Nina New", "email": "nina@example.com"}
WORD = "a-long-enough-word-7"
EVERYBODY = ("administrator", "auditor", "ciso", "reviewer", "engineer", "owner", "outsider")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _text(answer: Any) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split()))


def _reviewed(name: str) -> set[Key]:
    group = Group.objects.get(name=name)
    return targets_by_group([group]).get(group.pk, set())


def _link(answer: Any) -> str:
    found = re.search(r'id="invitation-link">https?://[^/]+(/invitation/[^<]+)<', answer.content.decode())
    assert found
    return found[1]


# ---- who may ----
READ: dict[str, list[Any]] = {
    "people:all": [],
    "people:export": [],
    "people:person": ["rita"],
    "people:groups": [],
    "people:group": ["dba"],
}
LOOKED_AT: dict[str, list[Any]] = {
    "people:invite": [],
    "people:edit": ["rita"],
    "people:invitation": ["rita"],
    "people:deactivate": ["rita"],
    "people:reactivate": ["rita"],
    "people:link": ["rita"],
    "people:unlink": ["rita"],
}
SENT: dict[str, list[Any]] = {
    **LOOKED_AT,
    "people:join": ["rita"],
    "people:groups": [],
    "people:add": ["dba"],
    "people:let_review": ["dba"],
    "people:stop_review": ["dba"],
    "people:confirm": ["01990000-0000-7000-8000-000000000000"],
    "people:drop": ["01990000-0000-7000-8000-000000000000"],
    "people:confirm_member": [1],
    "people:end_member": [1],
}


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_may_open_what(cast: Cast, who: str) -> None:
    client = _as(getattr(cast, who))
    reads = 200 if who in {"administrator", "auditor", "ciso"} else 404
    for name, arguments in READ.items():
        assert client.get(reverse(name, args=arguments)).status_code == reads, name
    for name, arguments in LOOKED_AT.items():
        assert client.get(reverse(name, args=arguments)).status_code == (200 if who == "administrator" else 404), name
    assert client.get(reverse("account")).status_code == 200


@pytest.mark.parametrize("who", EVERYBODY[1:])
def test_nobody_but_administrators_changes_anything(cast: Cast, who: str) -> None:
    before, client = Outbox.objects.count(), _as(getattr(cast, who))
    for name, arguments in SENT.items():
        assert client.post(reverse(name, args=arguments), {**NEW, "group": "dba"}).status_code == 404, name
    assert Outbox.objects.count() == before


def test_nobody_signed_in_is_sent_to_the_door(cast: Cast) -> None:
    addresses: dict[str, list[Any]] = {**READ, **LOOKED_AT, "account": []}
    for name, arguments in addresses.items():
        assert Client().get(reverse(name, args=arguments)).status_code == 302


# ---- the list ----
def test_the_list_finds_filters_and_says_when_nobody_matches(cast: Cast) -> None:
    client = _as(cast.administrator)
    actions.deactivate(cast.auditor, actor=cast.administrator)
    actions.link(cast.owner, cast.deputy, actor=cast.administrator)
    asked: list[tuple[dict[str, str], set[str]]] = [
        ({"q": "rita"}, {"rita"}),
        ({"role": "reviewer", "group": "security"}, {"sam"}),
        ({"group": "dba"}, {"rita", "tom"}),
        ({"status": "closed"}, {"aldo"}),
        ({"status": "linked"}, {"olga", "dev"}),
        ({"status": "active"}, set()),
        ({"role": "king"}, set()),
        ({"q": "nobody at all"}, set()),
    ]
    for query, expected in asked:
        page = client.get(reverse("people:all"), query).content.decode()
        table = page.partition("<tbody>")[2].partition("</tbody>")[0]
        assert set(re.findall(r"<code>([a-z]+)</code>", table)) == expected, query
    assert "Nobody here matches." in page


def test_pages_follow_each_other_without_gap_or_overlap(cast: Cast) -> None:
    for number in range(60):
        name = "Same Name" if number % 2 else f"Person {number}"
        actions.invite(f"p{number}", email=f"p{number}@example.com", name=name, actor=SETUP)
    client, seen, address = _as(cast.administrator), [], reverse("people:all")
    while address:
        page = client.get(address).content.decode()
        table = page.partition("<tbody>")[2].partition("</tbody>")[0]
        seen += re.findall(r"<code>([a-z0-9]+)</code>", table)
        more = re.search(r'href="([^"]+)">More<', page)
        address = reverse("people:all") + html.unescape(more[1]) if more else ""
    assert len(seen) == len(set(seen)) == User.objects.count()
    assert client.get(reverse("people:all"), {"after": "x|not-a-key"}).status_code == 200


@pytest.mark.parametrize("number", [1, 40])
def test_the_list_costs_the_same_however_long_it_is(
    cast: Cast, number: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for at in range(number):
        one = actions.invite(f"p{at}", email=f"p{at}@example.com", name=f"P {at}", actor=SETUP)
        actions.add_member(one, cast.dba, actor=cast.administrator)
        actions.create_group(f"g{at}", actor=cast.administrator)
    client = _as(cast.administrator)
    for address in (reverse("people:all"), reverse("people:groups"), reverse("people:group", args=["dba"])):
        with django_assert_max_num_queries(15):
            client.get(address)


def test_an_export_is_an_entry_and_holds_no_formula(cast: Cast) -> None:
    User.objects.filter(id=cast.outsider.id).update(name="=HYPERLINK(1)")
    before = Outbox.objects.filter(event="export:made").count()
    answer = _as(cast.auditor).get(reverse("people:export"), {"q": "hyperlink"})
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]  # Django's test response
    assert len(lines) == 2
    assert "'=HYPERLINK(1)" in lines[1]
    assert Outbox.objects.filter(event="export:made").count() == before + 1


# ---- inviting ----
def test_inviting_shows_the_link_once_and_the_invited_signs_in(cast: Cast) -> None:
    client = _as(cast.administrator)
    answer = client.post(reverse("people:invite"), {**NEW, "roles": ["reviewer"], "groups": ["dba"]})
    link = _link(answer)
    assert "no-store" in answer["Cache-Control"]
    nina = User.objects.get(username="nina")
    assert (nina.roles, [one.group.name for one in nina.memberships.all()]) == (["reviewer"], ["dba"])
    assert link not in client.get(reverse("people:person", args=["nina"])).content.decode()
    invited = Client()
    assert "Welcome, Nina New" in _text(invited.get(link))
    assert "not the same" in _text(invited.post(link, {"password": WORD, "again": "other"}))
    assert invited.post(link, {"password": "short", "again": "short"}).status_code == 422
    assert invited.post(link, {"password": WORD, "again": WORD}).headers["Location"] == reverse("account_login")
    assert invited.get(link).status_code == 404
    signed = invited.post(reverse("account_login"), {"login": "nina", "password": WORD})
    assert signed.status_code == 302
    assert invited.get("/queue/").status_code == 200


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"username": "rita"}, "There is already a person called rita."),
        ({"username": "Nina!"}, "cannot be a user name"),
        ({"email": "nowhere"}, "valid email"),
        ({"name": ""}, "required"),
        ({"roles": ["king"]}, "king"),
        ({"groups": ["nobody"]}, "nobody"),
    ],
)
def test_what_cannot_be_invited_is_said_and_kept(cast: Cast, changed: dict[str, Any], says: str) -> None:
    answer = _as(cast.administrator).post(reverse("people:invite"), {**NEW, **changed})
    assert answer.status_code == 422
    assert says in _text(answer)
    assert (NEW | changed)["email"] in answer.content.decode()
    assert not Invitation.objects.exists()
    assert not User.objects.filter(username="nina").exists()


def test_a_new_link_ends_the_old_one(cast: Cast) -> None:
    client = _as(cast.administrator)
    first = _link(client.post(reverse("people:invite"), NEW))
    second = _link(client.post(reverse("people:invitation", args=["nina"])))
    assert (Client().get(first).status_code, Client().get(second).status_code) == (404, 200)
    refused = client.post(reverse("people:invitation", args=["ada"]))
    assert (refused.status_code, "Nobody invites themselves." in _text(refused)) == (422, True)


# ---- changing ----
def test_editing_changes_name_address_and_roles(cast: Cast) -> None:
    form = {"name": "Rita R.", "email": "rr@example.com", "roles": ["auditor"]}
    answer = _as(cast.administrator).post(reverse("people:edit", args=["rita"]), form, follow=True)
    assert "Rita R. is changed." in _text(answer)
    rita = User.objects.get(username="rita")
    assert (rita.name, rita.email, rita.roles) == ("Rita R.", "rr@example.com", ["auditor"])


def test_ones_own_roles_are_refused_and_nothing_is_half_done(cast: Cast) -> None:
    form = {"name": "Queen Ada", "email": "ada@example.com", "roles": ["administrator", "reviewer"]}
    answer = _as(cast.administrator).post(reverse("people:edit", args=["ada"]), form)
    assert (answer.status_code, "Nobody changes their own roles." in _text(answer)) == (422, True)
    assert User.objects.get(username="ada").name == "Ada Admin"
    assert refusals() == [("change", "ada")]


def test_a_second_administrator_confirms_by_page(cast: Cast) -> None:
    first, second = _as(cast.administrator), _as(cast.second_administrator)
    first.post(
        reverse("people:edit", args=["otto"]), {"name": "Otto", "email": "o@example.com", "roles": ["administrator"]}
    )
    change = PendingChange.objects.get()
    confirm = reverse("people:confirm", args=[change.id])
    assert confirm not in first.get(reverse("people:all")).content.decode()
    assert confirm in second.get(reverse("people:all")).content.decode()
    assert "second administrator has to confirm" in _text(first.post(confirm, {"back": "otto"}, follow=True))
    assert refusals() == [("confirm", "otto")]
    assert "Confirmed." in _text(second.post(confirm, {"back": "otto"}, follow=True))
    assert User.objects.get(username="otto").has_role(Role.ADMINISTRATOR)
    assert "confirmed or dropped meanwhile" in _text(second.post(confirm, follow=True))


def test_groups_are_joined_confirmed_and_left_by_page(cast: Cast) -> None:
    first, second = _as(cast.administrator), _as(cast.second_administrator)
    first.post(reverse("people:join", args=["otto"]), {"group": "dba"})
    one = Membership.objects.get(user=cast.outsider)
    second.post(reverse("people:confirm_member", args=[one.id]), {"back": "otto"})
    one.refresh_from_db()
    assert one.confirmed_by == cast.second_administrator
    first.post(reverse("people:end_member", args=[one.id]))
    assert not Membership.objects.filter(id=one.id).exists()
    assert first.post(reverse("people:end_member", args=[one.id])).status_code == 404
    own = first.post(reverse("people:join", args=["ada"]), {"group": "dba"})
    assert (own.status_code, "Nobody adds themselves" in _text(own)) == (422, True)
    assert refusals() == [("add", "ada")]
    assert first.post(reverse("people:join", args=["otto"]), {"group": "zzz"}).status_code == 422


def test_deactivating_says_first_who_would_be_left_alone(world: World) -> None:
    client, address = _as(world.cast.administrator), reverse("people:deactivate", args=["olga"])
    assert world.agent.name in _text(client.get(address))
    assert "left with nobody who answers" not in _text(client.get(address))  # the deputy does
    actions.deactivate(world.cast.deputy, actor=world.cast.administrator)
    assert "1 agent would be left with nobody who answers" in _text(client.get(address))
    assert "is deactivated" in _text(client.post(address, follow=True))
    assert not User.objects.get(username="olga").is_active
    client.post(reverse("people:reactivate", args=["olga"]))
    assert User.objects.get(username="olga").is_active


def test_accounts_are_linked_and_told_apart_by_page(cast: Cast) -> None:
    client = _as(cast.administrator)
    client.post(reverse("people:link", args=["rita"]), {"other": "tom"})
    assert User.objects.get(username="rita").person == cast.teammate.person
    assert "Tom Teammate" in _text(client.get(reverse("people:person", args=["rita"])))
    client.post(reverse("people:unlink", args=["rita"]))
    assert PendingChange.objects.get().kind == "unlink"
    assert client.post(reverse("people:link", args=["rita"]), {"other": "zzz"}).status_code == 422
    same = client.post(reverse("people:link", args=["rita"]), {"other": "rita"})
    assert (same.status_code, "That is the same account." in _text(same)) == (422, True)


def test_a_group_is_made_filled_and_let_review_by_page(world: World) -> None:
    client = _as(world.cast.administrator)
    assert client.post(reverse("people:groups"), {"name": "night"}).status_code == 302
    assert client.post(reverse("people:groups"), {"name": "Night Shift"}).status_code == 422
    assert client.post(reverse("people:add", args=["night"]), {"person": "rita"}).status_code == 302
    targets: list[tuple[str, Any]] = [("segment", world.segment), ("resource", world.resource), ("agent", world.agent)]
    for kind, target in targets:
        assert client.post(reverse("people:let_review", args=["night"]), {kind: target.name}).status_code == 302
        assert (kind, target.id) in _reviewed("night")
        form = {"kind": kind, "name": target.name}
        assert client.post(reverse("people:stop_review", args=["night"]), form).status_code == 302
        assert not _reviewed("night")
    wrongs: list[dict[str, str]] = [{}, {"segment": "production", "resource": "shop"}, {"agent": "nobody.production"}]
    for wrong in wrongs:
        assert client.post(reverse("people:let_review", args=["night"]), wrong).status_code == 422
    assert client.post(reverse("people:stop_review", args=["night"]), {"kind": "moon"}).status_code == 404


def test_hostile_names_are_escaped(cast: Cast) -> None:
    User.objects.filter(id=cast.reviewer.id).update(name="<script>alert(1)</script>")
    client = _as(cast.administrator)
    for address in (
        reverse("people:all"),
        reverse("people:person", args=["rita"]),
        reverse("people:group", args=["dba"]),
    ):
        assert "<script>alert" not in client.get(address).content.decode()


# ---- one's own account ----
def test_a_token_is_made_shown_once_used_and_ended(cast: Cast) -> None:
    client = _as(cast.outsider)
    made = client.post(reverse("account"), {"name": "pipeline", "scopes": ["read"], "days": "7"})
    secret = re.search(r'id="new-token">(ngp_[^<]+)<', made.content.decode())
    assert secret
    assert "no-store" in made["Cache-Control"]
    assert secret[1] not in client.get(reverse("account")).content.decode()
    caller = Client(headers={"Authorization": f"Token {secret[1]}"})
    assert caller.get("/api/v1/agents").status_code == 200
    assert "last used just now" in _text(client.get(reverse("account")))
    token = ApiToken.objects.get()
    assert _as(cast.reviewer).post(reverse("revoke_token", args=[token.id])).status_code == 404
    assert client.post(reverse("revoke_token", args=[token.id])).status_code == 302
    assert caller.get("/api/v1/agents").status_code == 401


@pytest.mark.parametrize("wrong", [{"scopes": []}, {"days": "9999"}, {"name": ""}, {"scopes": ["everything"]}])
def test_a_token_that_cannot_be_is_said_and_kept(cast: Cast, wrong: dict[str, Any]) -> None:
    form = {"name": "pipeline", "scopes": ["read"], "days": "7", **wrong}
    answer = _as(cast.outsider).post(reverse("account"), form)
    assert answer.status_code == 422
    assert not ApiToken.objects.exists()
