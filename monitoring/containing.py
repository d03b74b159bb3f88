"""What containing an incident would do, in numbers, before somebody does it."""

from __future__ import annotations

from dataclasses import dataclass

from activity.models import Action, Session
from agents.models import Agent
from approvals.models import Hold
from core import words
from core.db import db_now


@dataclass(frozen=True)
class Effect:
    """What suspending an agent ends."""

    sessions: int
    running: int
    credentials: int
    waiting: int

    @property
    def will(self) -> list[str]:
        """In sentences."""
        ended = (
            f"Ends {words.plural(self.sessions, 'live connection')} and {words.plural(self.credentials, 'credential')}"
        )
        running = f", and cancels {words.plural(self.running, 'action')} that run now" if self.running else ""
        return [
            f"{ended} within a second{running}.",
            f"Releases nothing that waits for people: {words.plural(self.waiting, 'hold')} of its just now.",
            "It gets no new credential until one person asks and another one, neither its owner nor its deputy, confirms.",
            "This incident counts as contained from now on.",
        ]


def effect_of(agent: Agent) -> Effect:
    """What suspending `agent` would end now."""
    live = Session.objects.filter(agent_id=agent.id, ended_at=None)
    open_actions = Action.objects.filter(session_id__in=live.values("id"), finished_at=None)
    return Effect(
        sessions=live.count(),
        running=open_actions.filter(status__in=[Action.Status.RELEASED, Action.Status.PENDING]).count(),
        credentials=agent.credentials.filter(revoked_at=None, expires_at__gt=db_now()).count(),
        waiting=agent.holds.filter(status__in=[Hold.Status.WAITING, Hold.Status.APPROVED]).count(),
    )
