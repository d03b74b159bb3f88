"""Adds up the scores that are due: from the signals that count and from how each agent stands."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from agents.models import Agent
from agents.risk import band
from core.db import db_now
from monitoring import actions
from monitoring.models import AgentScore, Signal
from monitoring.rules import Kind
from monitoring.score import WINDOW, Observed, Score, score
from monitoring.standing import Permissions, standing_of
from policies.queries import active

AT_ONCE: Final = 20
"""Agents of one round."""
EVERY: Final = timedelta(minutes=5)
"""How often a score is added up while nothing happens: signals fade."""
YOUNG, SOON = timedelta(hours=1), timedelta(minutes=1)
"""An agent that was enrolled so lately is added up so often: what it uses changes quickly."""
NEWEST: Final = 1_000
"""Signals of one agent that are added up; every kind reaches its most long before."""
LEAST_STEP: Final = 3
"""Points that a score must have faded before it is written again."""
_permissions = Permissions()


def add_up() -> int:
    """Add up the scores that are due; gives how many were. What another process adds up is left to it."""
    now = db_now()
    due = AgentScore.objects.filter(due_at__lte=now).exclude(agent__status=Agent.Status.RETIRED)
    agents = list(due.order_by("due_at").values_list("agent_id", flat=True)[:AT_ONCE])
    if agents:
        version = active()
        for agent_id in agents:
            _add_up(agent_id, version.number if version else 0, now)
    return len(agents)


@transaction.atomic
def _add_up(agent_id: UUID, version: int, now: datetime) -> None:
    due = AgentScore.objects.select_for_update(of=("self",), skip_locked=True).select_related("agent")
    scored = due.filter(agent=agent_id, due_at__lte=now).first()
    if scored is None:
        return
    _permissions.measure(scored, scored.agent, version=version, now=now)
    total = score(_observed(agent_id, now), standing_of(scored, scored.agent, now), now)
    young = now - scored.agent.enrolled_at < YOUNG
    again = now + (SOON if young else EVERY)
    actions.write_score(scored, total if _matters(scored, total) else None, due_at=again)


def _observed(agent_id: UUID, now: datetime) -> list[Observed]:
    counted = Signal.objects.filter(agent=agent_id, settled_at=None, at__gt=now - WINDOW)
    newest = counted.order_by("-at").values_list("kind", "points", "at")[:NEWEST]
    return [Observed(Kind(kind), points, at) for kind, points, at in newest]


def _matters(scored: AgentScore, total: Score) -> bool:
    """Whether to write it: what only faded a little would be an entry in the ledger that tells nobody anything."""
    faded = scored.score - total.score
    same = [line["kind"] for line in scored.lines] == [line.kind for line in total.lines]
    return not (same and 0 <= faded < LEAST_STEP and band(scored.score) == band(total.score))
