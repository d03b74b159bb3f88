"""Jobs of monitoring. A job that is lost loses nothing: the next one counts again."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.actors import SYSTEM
from agents.actions import set_risk
from agents.models import Agent
from monitoring.risk import sums


@shared_task(name="monitoring.tasks.score_agents")  # type: ignore[untyped-decorator]  # celery publishes no types
def score_agents() -> int:
    """Write the risk of every agent whose score moved; gives how many did. Each move is an entry."""
    agents = list(Agent.objects.exclude(status=Agent.Status.RETIRED))
    scored = sums(agents, timezone.now())
    moved = [agent for agent in agents if scored[agent.name].score != agent.risk]
    for agent in moved:
        total = scored[agent.name]
        set_risk(agent.id, total.score, because=[line.because for line in total.lines], actor=SYSTEM)
    return len(moved)
