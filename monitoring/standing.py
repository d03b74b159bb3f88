"""How agents stand, whatever they do: the permissions they hold and used, their keys, their kind of token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from django.db.models import Count, Min

from activity.models import Action
from agents.models import Agent, Credential
from monitoring.models import AgentScore
from monitoring.score import Standing
from policies import snapshot as snapshot_of
from policies.decision import Ask, Verdict
from policies.snapshot import Snapshot
from policies.verbs import SESSION, VERBS

GRANTED_FOR: Final = timedelta(hours=6)
"""How long a count of what an agent may do is good, unless the policies change."""
SNAPSHOT_FOR: Final = timedelta(minutes=15)
USED_WITHIN: Final = timedelta(days=30)
NEWEST: Final = 1_000
"""An agent's newest actions that are looked at for what it uses."""
LATELY: Final = timedelta(days=1)
_ASKABLE: Final = tuple(sorted(VERBS - {SESSION}))
_ANYTHING: Final = {"tables": frozenset[str](), "columns": frozenset[str](), "tags": frozenset[str]()}

Permission: TypeAlias = tuple[UUID, str]
"""A resource and a verb."""


class Permissions:
    """Counts permissions by the policies in force. Keeps the snapshot that it decides by for a while."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._loaded_at: datetime | None = None

    def measure(self, scored: AgentScore, agent: Agent, *, version: int, now: datetime) -> None:
        """Bring `scored.granted` and `.used` up to date: what `agent` may do at all, with people's approval or without.
        One that is not active keeps what was counted before.
        """
        if agent.status == Agent.Status.ACTIVE and not scored.is_measured(
            version=version, now=now, for_long=GRANTED_FOR
        ):
            snapshot = self._at(version, agent, now)
            scored.granted = len(_granted(agent, snapshot))
            scored.measured_at, scored.policy_version = now, version
        # What it used it may do, or could when it did: never more than it holds.
        scored.used = min(scored.granted, len(_used(agent, now)))

    def _at(self, version: int, agent: Agent, now: datetime) -> Snapshot:
        """A snapshot of these policies that knows the agent."""
        kept = self._snapshot
        fresh = self._loaded_at is not None and now - self._loaded_at < SNAPSHOT_FOR
        known = kept is not None and agent.name in kept.agents
        if kept is None or not (fresh and known and kept.policy_version == version):
            self._snapshot, self._loaded_at = snapshot_of.load(), now
        return self._snapshot or snapshot_of.load()


def _granted(agent: Agent, snapshot: Snapshot) -> set[Permission]:
    if agent.name not in snapshot.agents:
        return set()
    facts = snapshot.agents[agent.name].facts
    context = {**_ANYTHING, "environment": facts.environment, "purpose": facts.purpose, "where": True}
    context["credential"] = Credential.Kind.BEARER.value
    return {
        (resource.id, verb)
        for name, resource in snapshot.resources.items()
        for verb in _ASKABLE
        if snapshot.engine.decide(Ask(agent.name, frozenset({verb}), name, context)).verdict is not Verdict.DENY
    }


def _used(agent: Agent, now: datetime) -> set[Permission]:
    lately = Action.objects.filter(agent_id=agent.id, asked_at__gte=now - USED_WITHIN, verb__in=_ASKABLE)
    newest = lately.exclude(decision="deny").order_by("-asked_at")
    return set(newest.values_list("resource_id", "verb")[:NEWEST])


def standing_of(scored: AgentScore, agent: Agent, now: datetime) -> Standing:
    """How `agent` stands now, by its row and its keys; notes in `scored` whether it uses bearer tokens."""
    keys = agent.keys.filter(revoked_at=None).aggregate(n=Count("id"), oldest=Min("added_at"))
    scored.bearer = agent.credentials.filter(kind=Credential.Kind.BEARER, issued_at__gte=now - LATELY).exists()
    oldest = now - keys["oldest"] if keys["oldest"] else timedelta(0)
    return Standing(scored.granted, scored.used, keys["n"], oldest, scored.bearer)
