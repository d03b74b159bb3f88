"""Work outside usual hours is a signal, once an hour; work within them is none, and neither is that of nobody proven."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from core.ids import new_id
from ledger.events import Event
from monitoring import actions
from monitoring.models import Signal
from monitoring.rules import Kind
from monitoring.signals import Told, observe
from tests.approvals.world import World, assemble
from tests.cast import Cast

DAY = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def world(cast: Cast) -> World:
    return assemble(cast)


def _opens(world: World, at: datetime, entry: int = 1, agent: UUID | str | None = None) -> Told:
    return Told(
        event=Event.SESSION_OPENED, entry=entry, uid=new_id(), at=at, actor_id=str(agent or world.agent.id),
        actor_name=world.agent.name, subject_id=str(world.resource.id), action=None, session=new_id(), source=None, code="",
    )  # fmt: skip


def _nights(*told: Told) -> list[Told]:
    return [one.told for one in observe(told) if one.kind is Kind.OFF_HOURS]


@pytest.mark.parametrize(("hour", "minute", "is_night"), [
    (0, 0, True), (5, 59, True), (6, 0, False), (12, 0, False), (19, 59, False), (20, 0, True), (23, 30, True),
])  # fmt: skip
def test_work_is_usual_from_6_to_20(world: World, hour: int, minute: int, is_night: bool) -> None:
    told = _opens(world, DAY.replace(hour=hour, minute=minute))
    assert _nights(told) == ([told] if is_night else [])


def test_a_busy_night_counts_once_an_hour_whether_read_together_or_not(world: World) -> None:
    first, second, third = (_opens(world, DAY + timedelta(minutes=minutes), minutes) for minutes in (1, 30, 62))
    assert _nights(first, second, third) == [first, third]
    actions.keep(observe([first]))
    assert _nights(second, third) == [third]
    assert Signal.objects.filter(kind=Kind.OFF_HOURS, agent=world.agent).count() == 1


def test_an_agent_that_does_not_exist_works_at_no_hour(world: World) -> None:
    assert _nights(_opens(world, DAY, agent=new_id())) == []
    assert _nights(_opens(world, DAY, agent="nonsense")) == []
