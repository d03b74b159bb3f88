"""How agents stand, whatever they do: the permissions they hold and used, their keys, their kind of token."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min, Q

from activity.models import Action
from agents.models import Agent, Credential
from monitoring.models import AgentScore
from monitoring.score import Standing
from policies import snapshot
from policies.decision import Ask, Verdict
from policies.snapshot import Snapshot
from policies.verbs import SESSION, VERBS

MEASURED_FOR: Final = timedelta(hours=6)
"""How long a count of permissions is good, unless the policies change."""
USED_WITHIN: Final = timedelta(days=30)
NEWEST: Final = 5_000
"""An agent's newest actions that are looked at for what it uses."""
_LATELY: Final = timedelta(days=1)
_ASKABLE: Final = tuple(sorted(VERBS - {SESSION}))
_EVERY_ENVIRONMENT: Final = {"tables": frozenset[str](), "columns": frozenset[str](), "tags": frozenset[str]()}


class Permissions:
    """Counts permissions by the policies in force; the snapshot is loaded once, where one is needed at all."""

    def __init__(self, version: int) -> None:
        self.version = version
        self._snapshot: Snapshot | None = None

    def measure(self, scored: AgentScore, agent: Agent, now: datetime) -> None:
        """Bring `scored.granted` and `.used` up to date: pairs of a resource and a verb that need no exception."""
        if scored.is_measured(version=self.version, now=now, for_long=MEASURED_FOR):
            return
        granted = self._granted(agent)
        scored.granted, scored.used = len(granted), len(granted & _used(agent, now))
        scored.measured_at, scored.policy_version = now, self.version

    def _granted(self, agent: Agent) -> set[tuple[object, str]]:
        """What it may do at all, with or without people's approval; an agent that is not active may nothing."""
        self._snapshot = self._snapshot or snapshot.load()
        if agent.name not in self._snapshot.agents:
            return set()
        facts = self._snapshot.agents[agent.name].facts
        context = {**_EVERY_ENVIRONMENT, "environment": facts.environment, "purpose": facts.purpose, "where": True}
        context["credential"] = Credential.Kind.BEARER.value
        return {
            (resource.id, verb)
            for name, resource in self._snapshot.resources.items()
            for verb in _ASKABLE
            if self._snapshot.engine.decide(Ask(agent.name, frozenset({verb}), name, context)).verdict != Verdict.DENY
        }


def _used(agent: Agent, now: datetime) -> set[tuple[object, str]]:
    lately = Action.objects.filter(agent_id=agent.id, asked_at__gte=now - USED_WITHIN).exclude(decision="deny")
    newest = lately.order_by("-asked_at").values_list("resource_id", "verb")[:NEWEST]
    return {(resource, verb) for resource, verb in newest}


def standing_of(scored: AgentScore, agent: Agent, now: datetime) -> Standing:
    """How `agent` stands now, by its row and its keys."""
    keys = agent.keys.filter(revoked_at=None).aggregate(n=Count("id"), oldest=Min("added_at"))
    bearer = agent.credentials.filter(Q(kind=Credential.Kind.BEARER), issued_at__gte=now - _LATELY).exists()
    oldest = now - keys["oldest"] if keys["oldest"] else timedelta(0)
    return Standing(scored.granted, scored.used, keys["n"], oldest, bearer)
