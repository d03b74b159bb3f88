"""What the CISO's page says of incidents, and that each figure leads to its rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from agents.models import Agent
from core.db import db_now
from monitoring.models import AgentScore, Cursor, Incident
from monitoring.posture import posture_of
from tests.approvals.world import World, assemble, enrol
from tests.cast import Cast

DAY = timedelta(days=1)


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _page(world: World) -> str:
    client = Client()
    client.force_login(world.cast.ciso, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.get(reverse("console:posture")).content.decode()


def _incident(world: World, **changed: object) -> Incident:
    now = db_now()
    fields: dict[str, object] = {
        "kind": "denials", "severity": "high", "agent": world.agent, "began_at": now - timedelta(seconds=40),
        "detected_at": now - timedelta(seconds=10), "contained_at": now - timedelta(seconds=8),
    }  # fmt: skip
    return Incident.objects.create(**{**fields, **changed})


def _step(name: str) -> tuple[str, str]:
    found = next(step for step in posture_of(DAY, timezone.now()).steps if step.name == name)
    return found.state, found.says


def test_without_incidents_nothing_is_claimed(world: World) -> None:
    page = _page(world)
    assert "none in 24h" in page
    assert "baseline 48 h" in page
    assert "No incident ever." in page


def test_the_means_stand_beside_baseline_and_target(world: World, settings: Settings) -> None:
    settings.DETECT_BASELINE_HOURS = 100
    _incident(world)
    page = _page(world)
    assert "30 s" in page
    assert "from 100 h" in page
    assert page.count(reverse("incidents:incidents")) >= 4
    figures = posture_of(DAY, timezone.now()).answers.figures
    assert [figure.met for figure in figures] == [True, True, None]


def test_what_waits_for_a_person_is_the_headline(world: World) -> None:
    _incident(world, contained_at=None, withheld_at=db_now())
    page = _page(world)
    assert "1 incident waits for a person to contain it." in page
    assert "1 needs a person" in page


def test_monitoring_is_met_while_the_detector_is_heard_and_everybody_is_scored(world: World) -> None:
    assert _step("Monitoring") == ("short", "the detector is silent")
    Cursor.objects.update(beat_at=db_now())
    assert _step("Monitoring") == ("short", "1 agent not scored yet")
    AgentScore.objects.create(agent=world.agent, scored_at=db_now())
    assert _step("Monitoring")[0] == "met"
    Cursor.objects.update(beat_at=db_now() - timedelta(minutes=1))
    assert _step("Monitoring")[0] == "short"


def test_least_privilege_counts_agents_that_use_less_than_half(world: World) -> None:
    assert _step("Least privilege")[0] == "unmeasured"
    AgentScore.objects.create(agent=world.agent, granted=12, used=6)
    assert _step("Least privilege")[0] == "met"
    AgentScore.objects.update(used=5)
    assert _step("Least privilege") == ("short", "1 agent used less than half")
    assert "7<small>of 12</small>" in _page(world)


def test_more_agents_cost_no_more_queries(world: World, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(1, 30):
        agent = enrol(world.cast, world.segment, f"billing.production.{number:02}")
        AgentScore.objects.create(agent=agent, score=number)
        Agent.objects.filter(id=agent.id).update(risk=number)
    with django_assert_max_num_queries(24):
        ranked = posture_of(DAY, timezone.now()).agents
    assert [score.score for _, score in ranked][:3] == [29, 28, 27]
