"""Notifications by page and API: one's own alone, as far as one may still see what they are about."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import DjangoAssertNumQueries

from accounts import actions as people
from accounts.models import User
from approvals.models import Hold
from approvals.notifications.kinds import Kind
from approvals.notifications.models import Notification, NotificationChoices
from core.db import db_now
from core.ids import new_id
from tests.approvals.world import World, assemble, held
from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def _told(person: User, hold: Hold | None = None, number: int = 1, **changed: Any) -> list[Notification]:
    now = db_now()
    fields = {"kind": "review", "event": "hold:asked", "subject": hold.id if hold else new_id(), **changed}
    return [
        Notification.objects.create(
            person=person, entry=at, entry_uid=new_id(), about="sql:delete by support.production",
            at=now - timedelta(seconds=at), **fields,
        )
        for at in range(number)
    ]  # fmt: skip


def _text(answer: Any) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", answer.content.decode()).split()))


def test_the_list_says_what_happened_and_the_bell_counts_it(world: World) -> None:
    hold = held(world)
    _told(world.cast.reviewer, hold, 3)
    client = _as(world.cast.reviewer)
    page = client.get(reverse("notifications:all"))
    assert "A hold waits for your review" in _text(page)
    assert "3 unread" in _text(page)
    assert json.loads(client.get(reverse("console:rail")).content)["unread"] == 3


def test_nothing_told_says_what_will_come(world: World) -> None:
    assert "You were not told anything yet." in _text(_as(world.cast.outsider).get(reverse("notifications:all")))


def test_nobody_signed_in_is_sent_to_the_door(db: None) -> None:
    for name in ("all", "choices"):
        assert Client().get(reverse(f"notifications:{name}")).status_code == 302


def test_anothers_is_not_there(world: World) -> None:
    (one,) = _told(world.cast.reviewer, held(world))
    client = _as(world.cast.administrator)
    assert client.get(reverse("notifications:open", args=[one.id])).status_code == 404
    for verb in ("read", "unread"):
        assert client.post(reverse(f"notifications:{verb}", args=[one.id])).status_code == 404


@pytest.mark.parametrize("kind", ["review", "outcome", "stuck", "incident", "agent", "policy", "second", "report"])
def test_what_one_may_not_see_any_more_is_gone(world: World, kind: str) -> None:
    """The outsider was told of everything, once, and may see none of it now."""
    (one,) = _told(world.cast.outsider, held(world), kind=kind)
    client = _as(world.cast.outsider)
    assert json.loads(client.get(reverse("console:rail")).content)["unread"] == 0
    assert "support.production" not in client.get(reverse("notifications:all")).content.decode()
    assert client.get(reverse("notifications:open", args=[one.id])).status_code == 404


@pytest.mark.parametrize(
    ("who", "kind", "place"),
    [
        ("owner", "outcome", "/queue/"),
        ("ciso", "incident", "/incidents/"),
        ("owner", "agent", "/agents/"),
        ("engineer", "policy", "/policies/"),
        ("administrator", "second", "/people/"),
        ("administrator", "stuck", "/queue/"),
        ("auditor", "report", "/record/"),
    ],
)
def test_each_kind_leads_to_what_it_is_about(world: World, who: str, kind: str, place: str) -> None:
    subject = world.agent.id if kind == "agent" else held(world).id
    (one,) = _told(getattr(world.cast, who), kind=kind, subject=subject)
    answer = _as(getattr(world.cast, who)).get(reverse("notifications:open", args=[one.id]))
    assert answer.headers["Location"].startswith(place)


def test_reading_and_unreading(world: World) -> None:
    hold = held(world)
    first, *_ = _told(world.cast.reviewer, hold, 3)
    client = _as(world.cast.reviewer)

    def unread() -> int:
        return int(json.loads(client.get(reverse("console:rail")).content)["unread"])

    client.post(reverse("notifications:read", args=[first.id]))
    assert unread() == 2
    client.post(reverse("notifications:unread", args=[first.id]))
    assert unread() == 3
    client.post(reverse("notifications:read_all"))
    assert unread() == 0
    assert client.get(reverse("notifications:read_all")).status_code == 405


def test_filters_and_pages(world: World) -> None:
    hold = held(world)
    _told(world.cast.reviewer, hold, 120)
    client, seen, address = _as(world.cast.reviewer), [], reverse("notifications:all") + "?kind=review"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'href="/notifications/([0-9a-f-]{36})/"', page)
        more = re.search(r'href="([^"]+)">Earlier<', page)
        address = reverse("notifications:all") + html.unescape(more[1]) if more else ""
    assert len(seen) == len(set(seen)) == 120
    for query in ({"kind": "agent"}, {"kind": "moon"}):
        assert "Nothing here matches." in _text(client.get(reverse("notifications:all"), query))
    assert client.get(reverse("notifications:all"), {"after": "x|y", "unread": "1"}).status_code == 200


def test_the_page_costs_the_same_however_much_there_is(
    world: World, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    _told(world.cast.owner, held(world), 60, kind="outcome")
    client = _as(world.cast.owner)
    with django_assert_max_num_queries(15):
        client.get(reverse("notifications:all"))


def test_what_an_agent_is_called_is_escaped_and_marked(world: World) -> None:
    hold = held(world)
    _told(world.cast.reviewer, hold)
    Notification.objects.update(about="<img src=x> by supp\u043ert.production")
    page = _as(world.cast.reviewer).get(reverse("notifications:all")).content.decode()
    assert "<img src=x>" not in page
    assert 'class="lookalike"' in page


# ---- how one is told ----
FORM: dict[str, Any] = {
    "shown": ["review", "outcome"],
    "mailed": ["review"],
    "pushed": ["review"],
    "quiet_from": "22:00",
    "quiet_until": "07:00",
}


def test_choices_are_kept_and_shown_again(world: World) -> None:
    client, address = _as(world.cast.reviewer), reverse("notifications:choices")
    assert (
        client.get(address).content.decode().count("checked>") == 3 * len(Kind) + 1
    )  # and the switch for single letters
    assert client.post(address, {**FORM, "zone": "Europe/Berlin"}).status_code == 302
    chosen = NotificationChoices.objects.get(person=world.cast.reviewer)
    assert ("review" in chosen.unshown, "review" in chosen.unmailed, "outcome" in chosen.unmailed) == (
        False,
        False,
        True,
    )
    page = client.get(address).content.decode()
    assert page.count("checked>") == 4 + 1
    assert 'value="22:00"' in page


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"quiet_until": ""}, "Quiet hours begin and end."),
        ({"quiet_from": "25:00"}, "valid time"),
        ({"shown": ["moon"]}, "moon"),
        ({"agents": "nobody.production"}, "There is no agent nobody.production here."),
        ({"resources": "vault"}, "There is no resource vault here."),
    ],
)
def test_choices_that_cannot_be_are_said_and_what_was_typed_is_kept(
    world: World, changed: dict[str, Any], says: str
) -> None:
    answer = _as(world.cast.reviewer).post(reverse("notifications:choices"), {**FORM, "zone": "UTC", **changed})
    assert answer.status_code == 422
    assert says in _text(answer)
    assert not NotificationChoices.objects.exists()


# ---- the API ----
def _caller(person: User, *scopes: str) -> Client:
    _, secret = people.create_api_token(person, name="t", scopes=scopes, lifetime=timedelta(hours=1), actor=person)
    return Client(headers={"Authorization": f"Token {secret}"})


def test_a_program_reads_ones_own_and_marks_them(world: World) -> None:
    hold = held(world)
    first, second = _told(world.cast.reviewer, hold, 2)
    _told(world.cast.teammate, hold)
    client = _caller(world.cast.reviewer, "read")
    shown = json.loads(client.get("/api/v1/notifications").content)["results"]
    assert [one["id"] for one in shown] == [str(first.id), str(second.id)]
    assert (shown[0]["title"], shown[0]["subject"]) == ("A hold waits for your review", str(hold.id))
    assert json.loads(client.post(f"/api/v1/notifications/{first.id}/read").content)["read_at"]
    assert client.post("/api/v1/notifications/read-all").status_code == 204
    assert not Notification.objects.filter(person=world.cast.reviewer, read_at=None).exists()
    assert Notification.objects.filter(person=world.cast.teammate, read_at=None).count() == 1


def test_what_a_program_is_refused(world: World) -> None:
    (one,) = _told(world.cast.reviewer, held(world))
    assert _caller(world.cast.teammate, "read").post(f"/api/v1/notifications/{one.id}/read").status_code == 404
    assert _caller(world.cast.reviewer, "agents:write").post(f"/api/v1/notifications/{one.id}/read").status_code == 403
    assert Client().get("/api/v1/notifications").status_code == 401
