"""Homes and the pages that join the apps: each to those they are for, and to nobody else."""

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.approvals.world import World, assemble, held
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _as(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


@pytest.mark.parametrize(
    ("who", "place"),
    [
        ("reviewer", "queue:queue"),
        ("ciso", "console:posture"),
        ("auditor", "record:sessions"),
        ("engineer", "start"),  # there is no agent yet
        ("owner", "agents:agents"),
        ("administrator", "people:all"),
    ],
)
def test_each_role_has_its_home(cast: Cast, who: str, place: str) -> None:
    answer = _as(getattr(cast, who)).get("/")
    assert answer.headers["Location"] == reverse(place)
    assert _as(getattr(cast, who)).get(reverse(place)).status_code == 200


def test_one_without_a_role_is_told_whom_to_ask(cast: Cast) -> None:
    page = _as(cast.outsider).get("/").content.decode()
    assert "there is nothing here for you yet" in page
    assert "Ada Admin" in page


def test_nobody_signed_in_is_sent_to_the_door(cast: Cast) -> None:
    for address in (
        "/",
        reverse("console:posture"),
        reverse("people:all"),
        reverse("agents:agents"),
        reverse("record:sessions"),
    ):
        assert Client().get(address).status_code == 302


def test_a_page_for_one_role_is_refused_to_the_others(cast: Cast) -> None:
    for who in ("reviewer", "ciso", "auditor", "engineer", "owner", "administrator", "outsider"):
        answer = _as(getattr(cast, who)).get(reverse("console:posture"))
        assert answer.status_code == (200 if who == "ciso" else 404), who


def test_an_agent_is_shown_to_those_it_concerns_with_what_it_did(world: World) -> None:
    held(world)
    address = reverse("console:agent", args=[world.agent.name])
    for who in ("owner", "deputy", "reviewer", "ciso", "auditor", "engineer"):
        page = _as(getattr(world.cast, who)).get(address).content.decode()
        assert world.agent.spiffe_id in page, who
        assert "Deletes rows from customers" in page, who
    assert _as(world.cast.outsider).get(address).status_code == 404
    assert _as(world.cast.owner).get(reverse("console:agent", args=["nobody.production"])).status_code == 404


def test_the_list_of_agents_filters_and_says_when_nothing_matches(world: World) -> None:
    client = _as(world.cast.engineer)
    assert world.agent.name in client.get(reverse("agents:agents"), {"q": "support"}).content.decode()
    assert "No agent here matches." in client.get(reverse("agents:agents"), {"q": "zzz"}).content.decode()
    assert _as(world.cast.outsider).get(reverse("agents:agents")).status_code == 404


def test_posture_says_what_is_measured_and_what_is_not(world: World) -> None:
    held(world)
    page = _as(world.cast.ciso).get(reverse("console:posture"), {"period": "7d"}).content.decode()
    assert "No gateway has been heard from" in page
    assert "The ledger has no checkpoint yet." in page
    assert "not measured yet" in page
    assert "None of 1 agents needs attention." in page


def test_passwords_are_not_reset_by_mail_and_nobody_signs_up(db: None) -> None:
    for address in ("/account/password/reset/", "/account/password/reset/done/", "/account/signup/"):
        page = Client().get(address).content.decode()
        assert "An administrator does this, in person." in page
        assert Client().post(address, {"email": "rita@example.com"}).status_code in {405, 200}


def test_a_wrong_address_leads_home(cast: Cast) -> None:
    answer = _as(cast.reviewer).get("/nowhere/")
    assert answer.status_code == 404
    assert b"There is nothing here for you." in answer.content


def test_every_page_forbids_inline_scripts_and_styles(world: World) -> None:
    held(world)
    for who, address in (
        ("reviewer", "/queue/"),
        ("ciso", "/posture/"),
        ("auditor", "/record/"),
        ("engineer", f"/agents/{world.agent.name}/"),
    ):
        answer = _as(getattr(world.cast, who)).get(address)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert " style=" not in answer.content.decode()
        assert " onclick=" not in answer.content.decode()
