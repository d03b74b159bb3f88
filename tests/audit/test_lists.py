"""The lists of the record by page, as files and over the API: to those they are for, each opening an entry."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.test import AsyncClient
from django.urls import reverse

from accounts.models import User
from ledger.models import Outbox
from ledger.personal import revealed
from tests.activity.asking import asked, denied, session
from tests.approvals.world import World, assemble
from tests.bring.callers import Caller, browser
from tests.cast import Cast

READERS = ("auditor", "ciso", "engineer", "administrator", "reviewer", "owner", "deputy")


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _entries(event: str) -> list[dict[str, Any]]:
    return [revealed(json.loads(bytes(row.leaf))) for row in Outbox.objects.filter(event=event).order_by("id")]


# ---- pages ----
@pytest.mark.parametrize("who", [*READERS, "outsider"])
def test_actions_are_listed_for_those_they_concern(world: World, who: str) -> None:
    one = asked(world.agent, world.resource, shown="SELECT secret_thing")
    person = browser(getattr(world.cast, who))
    assert ("secret_thing" in person.get(reverse("record:actions")).content.decode()) is (who != "outsider")
    assert person.get(reverse("record:action", args=[one.id])).status_code == (200 if who != "outsider" else 404)


def test_opening_a_list_or_an_action_is_an_entry_that_says_which(world: World) -> None:
    one = asked(world.agent, world.resource)
    auditor = browser(world.cast.auditor)
    auditor.get(reverse("record:actions"), {"decision": "deny", "q": "orders"})
    auditor.get(reverse("record:action", args=[one.id]))
    read = _entries("record:read")
    assert [entry["subject"]["name"] for entry in read] == ["actions", "action"]
    assert read[0]["details"] == {"decision": "deny", "q": "orders"}
    assert (read[1]["subject"]["id"], read[1]["session"]) == (str(one.id), str(one.session_id))


def test_what_was_typed_is_kept_and_the_wrong_field_named(world: World) -> None:
    asked(world.agent, world.resource)
    answer = browser(world.cast.auditor).get(
        reverse("record:actions"), {"since": "soon", "agent": "support", "q": "<b>"}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "From: Enter a valid date/time." in page
    assert 'value="support"' in page
    assert 'value="&lt;b&gt;"' in page
    assert "SELECT id FROM orders" not in page


def test_an_empty_list_says_what_to_do_next(world: World) -> None:
    engineer = browser(world.cast.engineer)
    assert "The first steps" in engineer.get(reverse("record:actions")).content.decode()
    assert "No action here matches." in engineer.get(reverse("record:actions"), {"verb": "x"}).content.decode()
    assert "The first steps" in engineer.get(reverse("record:sessions")).content.decode()


def test_filters_stay_in_the_address_of_the_next_page(world: World) -> None:
    for ago in range(51):
        asked(world.agent, world.resource, ago=ago)
    page = browser(world.cast.auditor).get(reverse("record:actions"), {"agent": "support.production"}).content.decode()
    assert "?agent=support.production&amp;after=" in page
    assert page.count('class="row-link"') == 50


def test_a_statement_is_text_and_look_alikes_are_marked(world: World) -> None:
    one = asked(world.agent, world.resource, shown="SELECT '<script>' FROM c\u0435lls", message="<i>", status="failed")
    for address in (reverse("record:actions"), reverse("record:action", args=[one.id])):
        page = browser(world.cast.auditor).get(address).content.decode()
        assert "<script>'" not in page
        assert "<i>" not in page.replace("<i class", "")
        assert 'class="lookalike"' in page


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "A policy permits it, and none forbids it or holds it for people."),
        ({"masked": True, "masked_values": 4, "tags": ["email"]}, "4 values stayed masked"),
        ({"decision": "deny", "status": "denied", "code": "no_match", "policies": []}, "nothing is allowed by absence"),
        ({"decision": "deny", "status": "denied", "code": "forbidden"}, "forbidding beats every permission"),
        ({"decision": "deny", "status": "denied", "code": "nul_byte"}, "refused before any policy was asked: nul byte"),
        ({"decision": "hold", "status": "denied", "code": "hold_expired"}, "nobody decided before the deadline"),
        ({"decision": "hold", "status": "held", "code": ""}, "only once people have approved exactly this"),
    ],
)
def test_a_decision_is_explained_in_words(world: World, changed: dict[str, Any], says: str) -> None:
    one = asked(world.agent, world.resource, **changed)
    assert says in browser(world.cast.auditor).get(reverse("record:action", args=[one.id])).content.decode()


def test_an_action_leads_to_its_moment_in_the_replay(world: World) -> None:
    opened = session(world.agent, world.resource, ago=60)
    numbers = [asked(world.agent, world.resource, session_id=opened.id, number=number) for number in range(1, 4)]
    auditor = browser(world.cast.auditor)
    page = auditor.get(reverse("record:action", args=[numbers[1].id])).content.decode()
    address = f"{reverse('record:session', args=[opened.id])}?at=2#action-2"
    assert address in page
    replay = auditor.get(address.partition("#")[0]).content.decode()
    assert replay.index('aria-current="step"') > replay.index('id="action-2"') > replay.index('id="action-1"')


def test_a_long_session_is_played_around_the_place_asked_for(world: World) -> None:
    opened = session(world.agent, world.resource, ago=60)
    for number in (1, 700, 2_000):
        asked(world.agent, world.resource, session_id=opened.id, number=number)
    replay = (
        browser(world.cast.auditor).get(reverse("record:session", args=[opened.id]), {"at": "700"}).content.decode()
    )
    assert 'id="action-700"' in replay
    assert 'id="action-1"' not in replay
    assert "All of them as a list" in replay


# ---- files ----
def _taken(person: User, address: str) -> tuple[int, bytes]:
    async def take() -> tuple[int, bytes]:
        client = AsyncClient()
        await client.aforce_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        answer: Any = await client.post(address)
        body = b"".join([part async for part in answer.streaming_content]) if answer.streaming else b""
        return answer.status_code, body

    return async_to_sync(take)()


def _rows(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))


def test_a_list_is_taken_away_as_it_was_filtered_and_without_formulas(fresh_cast: Cast) -> None:
    world = assemble(fresh_cast)
    asked(world.agent, world.resource)
    denied(world.agent, world.resource, shown="=HYPERLINK(1)")
    opened = session(world.agent, world.resource, purpose="@SUM(1)")
    status, body = _taken(world.cast.auditor, reverse("record:actions_file") + "?decision=deny")
    (row,) = _rows(body)
    assert (status, row["agent"], row["decision"], row["statement"]) == (
        200,
        "support.production",
        "deny",
        "'=HYPERLINK(1)",
    )
    _, body = _taken(world.cast.auditor, reverse("record:sessions_file"))
    (row,) = _rows(body)
    assert (row["session"], row["purpose (a claim)"]) == (str(opened.id), "'@SUM(1)")
    assert _taken(world.cast.outsider, reverse("record:actions_file"))[0] == 404
    taken = _entries("export:made")
    assert [(one["actor"]["name"], one["subject"]["name"]) for one in taken] == [
        ("Aldo Auditor", "actions"), ("Aldo Auditor", "sessions"),
    ]  # fmt: skip
    assert taken[0]["details"] == {"decision": "deny"}


@pytest.mark.parametrize("place", ["record:actions_file", "record:sessions_file"])
def test_nothing_is_taken_for_what_cannot_be_asked(world: World, place: str) -> None:
    answer = browser(world.cast.auditor).post(reverse(place) + "?until=never", follow=True)
    assert "Nothing was taken. until: Enter a valid date/time." in answer.content.decode()
    assert _entries("export:made") == []
    assert browser(world.cast.auditor).get(reverse(place)).status_code == 405


# ---- the API ----
def test_the_api_filters_as_the_page_does_and_goes_on_by_key(world: World) -> None:
    made = [asked(world.agent, world.resource, ago=ago) for ago in range(3)]
    denied(world.agent, world.resource, ago=10)
    auditor = Caller(world.cast.auditor)
    status, page = auditor.get("actions?agent=support.production&decision=allow&limit=2")
    assert status == 200
    assert [one["id"] for one in page["results"]] == [str(one.id) for one in made[:2]]
    assert (page["results"][0]["agent"], page["results"][0]["resource"]) == ("support.production", "shop")
    _, rest = auditor.get(page["next"].partition("/api/v1/")[2])
    assert [one["id"] for one in rest["results"]] == [str(made[2].id)]
    assert rest["next"] is None
    assert auditor.get(f"actions/{made[0].id}")[1]["agent"] == "support.production"


def test_the_api_names_the_field_that_cannot_be_asked(world: World) -> None:
    auditor = Caller(world.cast.auditor)
    for path in ("actions?decision=perhaps", "actions?since=soon", "sessions?live=maybe"):
        status, problem = auditor.get(path)
        assert (status, problem["code"]) == (422, "invalid")
        assert problem["field"] in path
        assert problem["remedy"]


def test_the_api_gives_an_outsider_nothing(world: World) -> None:
    one = asked(world.agent, world.resource)
    outsider = Caller(world.cast.outsider)
    assert outsider.get("actions")[1]["results"] == []
    assert outsider.get(f"actions/{one.id}")[0] == 404
