from datetime import timedelta

import pytest
from django.utils import timezone

from approvals import actions
from ledger.models import Outbox
from monitoring.risk import agent_sum
from monitoring.tasks import score_agents
from tests.approvals.world import World, assemble, held
from tests.cast import Cast


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def test_a_quiet_agent_in_production_has_one_reason(world: World) -> None:
    total = agent_sum(world.agent)
    assert [line.because for line in total.lines] == ["Works in production"]
    assert total.score == sum(line.points for line in total.lines)


def test_a_denial_by_people_raises_it(world: World) -> None:
    hold = held(world)
    before = agent_sum(world.agent).score
    actions.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="No")
    total = agent_sum(world.agent)
    assert total.score > before
    assert "1 denied by people" in [line.because for line in total.lines]


def test_what_is_older_than_the_window_counts_no_longer(world: World) -> None:
    hold = held(world)
    actions.deny(hold.id, actor=world.cast.reviewer, seen=hold.digest, reason="No")
    type(hold).objects.filter(id=hold.id).update(settled_at=timezone.now() - timedelta(days=8))
    assert "1 denied by people" not in [line.because for line in agent_sum(world.agent).lines]


def test_scores_are_written_once_with_their_reasons(world: World) -> None:
    assert score_agents() == 1
    world.agent.refresh_from_db()
    assert world.agent.risk == agent_sum(world.agent).score
    entries = Outbox.objects.filter(event="agent:changed").count()
    assert score_agents() == 0
    assert Outbox.objects.filter(event="agent:changed").count() == entries
