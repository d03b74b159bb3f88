"""Agents and what belongs to them as the ledger keeps them: identifier and name."""

from __future__ import annotations

from agents.models import Agent, Credential, Resource, Segment
from ledger.entries import Actor, Subject


def agent_actor(agent: Agent) -> Actor:
    """`agent` as the one who did something."""
    return Actor(kind="agent", id=str(agent.id), name=agent.name)


def agent_subject(agent: Agent) -> Subject:
    """`agent` as what something was done to."""
    return Subject(kind="agent", id=str(agent.id), name=agent.name)


def resource_subject(resource: Resource) -> Subject:
    """`resource` as what something was done to."""
    return Subject(kind="resource", id=str(resource.id), name=resource.name)


def segment_subject(segment: Segment) -> Subject:
    """`segment` as what something was done to."""
    return Subject(kind="segment", id=str(segment.id), name=segment.name)


def credential_subject(credential: Credential) -> Subject:
    """`credential` as what something was done to, under its agent's name."""
    return Subject(kind="credential", id=str(credential.id), name=credential.agent.name)
