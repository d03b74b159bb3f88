"""What every change of an agent's life shares: the locked row, who answers for it, the step from one status to another."""

from __future__ import annotations

from uuid import UUID

from accounts.models import Role
from agents.models import Agent
from core.db import db_now
from core.errors import AlreadySettled, NotFound

MAY_REINSTATE = (Role.ENGINEER, Role.CISO)
MAY_ACTIVATE = (Role.CISO, Role.ADMINISTRATOR)
"""Who lets a proposed agent into a production segment: not those who enrol."""


def locked_agent(agent_id: UUID) -> Agent:
    """The agent, held in the caller's transaction. Raises NotFound."""
    held = Agent.objects.select_for_update(of=("self",)).select_related("owner", "deputy", "enroller", "segment")
    agent = held.filter(id=agent_id).first()
    if agent is None:
        raise NotFound("There is no such agent.")
    return agent


def answerable(agent: Agent) -> set[UUID]:
    """The people, not accounts, who answer for it."""
    return {agent.owner.person} | ({agent.deputy.person} if agent.deputy else set())


def move(agent: Agent, to: Agent.Status, reason: str) -> None:
    """Put a locked agent into another status, from now on."""
    agent.status, agent.status_reason, agent.status_at, agent.unused_warned_at = to, reason, db_now(), None
    agent.save(update_fields=["status", "status_reason", "status_at", "unused_warned_at"])


def require_status(agent: Agent, allowed: set[Agent.Status]) -> None:
    """Raises AlreadySettled for an agent that is in another status."""
    if agent.status not in allowed:
        raise AlreadySettled(f"{agent.name} is {agent.get_status_display().lower()}.")
