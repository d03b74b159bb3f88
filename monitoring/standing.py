"""How agents stand, whatever they do: the permissions they hold and used, their keys, their kind of token.

What they hold is asked as the page of one agent asks it (`policies/effective.py`), every six hours and when the policies change; what
they used is counted each time a score is added up, whether they may still do that or not.
"""

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
from policies.effective import ASKABLE, Place, effective
from policies.reaching import USED_WITHIN
from policies.snapshot import Snapshot

GRANTED_FOR: Final = timedelta(hours=6)
"""How long a count of what an agent may do is good, unless the policies change."""
SNAPSHOT_FOR: Final = timedelta(minutes=15)
NEWEST: Final = 1_000
"""An agent's newest actions that are looked at for what it uses."""
LATELY: Final = timedelta(days=1)

Permission: TypeAlias = tuple[UUID, str]
"""A resource and a verb."""


class Permissions:
    """Counts permissions by the policies in force. Keeps the snapshot that it decides by for a while."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._places: list[Place] = []
        self._loaded_at: datetime | None = None

    def measure(self, scored: AgentScore, agent: Agent, *, version: int, now: datetime) -> None:
        """Bring `scored.granted` and `.used` up to date: what `agent` may do at all, with people's approval or without.
        One that is not active keeps what was counted before.
        """
        if agent.status == Agent.Status.ACTIVE and not scored.is_measured(
            version=version, now=now, for_long=GRANTED_FOR
        ):
            snapshot = self._at(version, agent, now)
            known = snapshot.agents.get(agent.name)
            scored.granted = len(effective(snapshot.engine, known.facts, self._places).pairs) if known else 0
            scored.measured_at, scored.policy_version = now, version
        # What it used it may do, or could when it did: never more than it holds.
        scored.used = min(scored.granted, len(_used(agent, now)))

    def _at(self, version: int, agent: Agent, now: datetime) -> Snapshot:
        """A snapshot of these policies that knows the agent."""
        kept = self._snapshot
        fresh = self._loaded_at is not None and now - self._loaded_at < SNAPSHOT_FOR
        known = kept is not None and agent.name in kept.agents
        if kept is None or not (fresh and known and kept.policy_version == version):
            kept = self._snapshot = snapshot_of.load()
            self._places, self._loaded_at = _places(kept), now
        return kept


def _places(snapshot: Snapshot) -> list[Place]:
    """Every resource as it is asked about, with its tagged columns."""
    return [
        Place(
            name, frozenset((f"{tag.schema}.{tag.table}", tag.column, tag.tag) for tag in snapshot.tags.get(name, ()))
        )
        for name in snapshot.resources
    ]


def _used(agent: Agent, now: datetime) -> set[Permission]:
    lately = Action.objects.filter(agent_id=agent.id, asked_at__gte=now - USED_WITHIN, verb__in=ASKABLE)
    newest = lately.exclude(decision="deny").order_by("-asked_at")
    return set(newest.values_list("resource_id", "verb")[:NEWEST])


def standing_of(scored: AgentScore, agent: Agent, now: datetime) -> Standing:
    """How `agent` stands now, by its row and its keys; notes in `scored` whether it uses bearer tokens."""
    keys = agent.keys.filter(revoked_at=None).aggregate(n=Count("id"), oldest=Min("added_at"))
    scored.bearer = agent.credentials.filter(kind=Credential.Kind.BEARER, issued_at__gte=now - LATELY).exists()
    oldest = now - keys["oldest"] if keys["oldest"] else timedelta(0)
    return Standing(scored.granted, scored.used, keys["n"], oldest, scored.bearer)
