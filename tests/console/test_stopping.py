"""Stopping many agents by page: what it would end is said first, a reason is asked for, and then it is done."""

from __future__ import annotations

import pytest
from django.urls import reverse

from agents import halt_actions
from agents.models import Agent
from console.stopping import Ends, ends_of
from tests.activity.asking import session
from tests.approvals.world import World, assemble, enrol, held
from tests.bring.callers import browser
from tests.cast import Cast
from tests.console.test_fleet import live

WHY = {"reason": "A drill"}


@pytest.fixture
def world(cast: Cast) -> World:
    world = assemble(cast)
    session(world.agent, world.resource)
    live(world.agent, world, minutes=5)
    held(world)
    enrol(cast, world.segment, "alpha.production", owner=cast.ciso)
    return world


def of(how: str, whom: str = "") -> str:
    return reverse("stop_how", args=[how]) + (f"?of={whom}" if whom else "")


def acting() -> set[str]:
    return set(Agent.objects.filter(status="active").values_list("name", flat=True))


def test_an_owners_agents_are_stopped_once_it_was_said_what_ends(world: World) -> None:
    ciso = browser(world.cast.ciso)
    page = ciso.get(of("owner", "olga")).content.decode()
    assert "Suspend 1 agent that acts." in page
    assert "Ends 1 live connection and 1 credential: cut within a second" in page
    assert "1 hold waits for people" in page
    assert "support.production" in page
    assert "alpha.production" not in page
    assert ciso.post(of("owner", "olga"), {"reason": " "}).status_code == 422
    assert acting() == {"support.production", "alpha.production"}
    assert "Suspended 1 of Olga" in ciso.post(of("owner", "olga"), WHY, follow=True).content.decode()
    assert acting() == {"alpha.production"}
    assert "owns an agent that acts" in ciso.get(of("owner", "olga")).content.decode()


def test_a_segments_agents_are_stopped(world: World) -> None:
    engineer = browser(world.cast.engineer)
    assert "Suspend 2 agents that act." in engineer.get(of("segment", "production")).content.decode()
    assert (
        "Suspended 2 agents of production"
        in engineer.post(of("segment", "production"), WHY, follow=True).content.decode()
    )
    assert acting() == set()
    assert "There is nothing to stop" in engineer.get(of("segment", "production")).content.decode()


def test_everything_is_stopped(world: World) -> None:
    administrator = browser(world.cast.administrator)
    page = administrator.get(of("everything")).content.decode()
    assert "Stop everything: 2 agents act now." in page
    assert "Everything is stopped" in administrator.post(of("everything"), WHY, follow=True).content.decode()
    assert halt_actions.halted() is not None
    again = administrator.post(of("everything"), WHY)
    assert (again.status_code, "stopped already" in again.content.decode()) == (422, True)


def test_two_people_lift_it(world: World) -> None:
    halt_actions.halt(actor=world.cast.administrator, reason="A drill")
    ciso, engineer = browser(world.cast.ciso), browser(world.cast.engineer)
    assert ciso.get(of("ask")).status_code == 302
    assert ciso.post(of("ask")).status_code == 422
    assert "Asked." in ciso.post(of("ask"), WHY, follow=True).content.decode()
    assert ciso.post(of("lift")).status_code == 422
    assert "Agents may act again" in engineer.post(of("lift"), follow=True).content.decode()


@pytest.mark.parametrize(
    ("how", "whom", "says"),
    [
        ("owner", "nobody", "Nobody of that user name owns an agent that acts."),
        ("owner", "", "Say whose."),
        ("segment", "nowhere", "There is no such segment."),
    ],
)
def test_whom_is_found_or_asked_for_again_with_what_was_typed(world: World, how: str, whom: str, says: str) -> None:
    answer = browser(world.cast.ciso).get(of(how, whom))
    page = answer.content.decode()
    assert (answer.status_code, says in page) == (422, True)
    assert how == "segment" or f'value="{whom}"' in page or not whom


def test_those_that_can_be_stopped_are_offered(world: World) -> None:
    page = browser(world.cast.engineer).get(reverse("stop")).content.decode()
    assert '<option value="olga">' in page
    assert '<option value="otto">' not in page
    assert "production, 2 active" in page


def test_the_pages_of_agent_owner_and_segment_lead_there(world: World) -> None:
    ciso, administrator = browser(world.cast.ciso), browser(world.cast.administrator)
    agent = ciso.get(reverse("console:agent", args=["support.production"])).content.decode()
    assert of("owner", "olga") in agent
    assert of("segment", "production") in agent
    assert of("owner", "olga") in ciso.get(reverse("people:person", args=["olga"])).content.decode()
    assert of("segment", "production") in ciso.get(reverse("reach:segments")).content.decode()
    segment = reverse("resources:edit_segment", args=["production"])
    assert of("segment", "production") in administrator.get(segment).content.decode()
    for reader in (world.cast.auditor, world.cast.owner):
        page = browser(reader).get(reverse("console:agent", args=["support.production"])).content.decode()
        assert "Stop all" not in page
        assert browser(reader).get(of("owner", "olga")).status_code == 404
    read = browser(world.cast.auditor).get(reverse("people:person", args=["olga"])).content.decode()
    assert of("owner", "olga") not in read


def test_what_ends_is_three_counts_for_any_number_of_agents(world: World, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(4):  # type: ignore[operator]  # the time is the fourth
        assert ends_of(Agent.objects.all()) == Ends(1, 1, 1)
