"""What entries of the ledger say about agents: the observations that move a risk."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from agents.models import Agent
from approvals.models import Hold
from core.ids import identifiers
from ledger.entries import PERSON
from ledger.events import Event
from ledger.models import Entry
from monitoring.models import Signal
from monitoring.rules import PROVEN_REVOKED, UNPROVEN_CODES, Kind, kind_of_denial

OBSERVED = (
    Event.ACTION_DENIED,
    Event.HOLD_DENIED,
    Event.SESSION_OPENED,
    Event.SESSION_REFUSED,
    Event.CREDENTIAL_REFUSED,
)
"""The events that may be signals."""
DAY_BEGINS, DAY_ENDS = 6, 20
"""Hours (UTC) between which work is usual."""
_NIGHT_ONCE_IN = timedelta(hours=1)
_UNPROVEN = "unproven: "
log = structlog.get_logger()


@dataclass(frozen=True)
class Told:
    """What an entry says, as far as it matters here. `agent` is a proven identity, or None."""

    event: str
    entry: int
    uid: UUID | None
    at: datetime
    actor_id: str
    actor_name: str
    subject_id: str
    action: UUID | None
    session: UUID | None
    source: str | None
    code: str


@dataclass(frozen=True)
class Observation:
    """A signal to be: of an agent whose identity was proven, or of an address."""

    kind: Kind
    told: Told
    agent_id: UUID | None = None
    source: str | None = None
    resource_id: UUID | None = None


def read(entries: Iterable[Entry]) -> list[Told]:
    """What the entries say. One that cannot be read says nothing: it is logged, and the rest go on."""
    found = []
    for entry in entries:
        try:
            found.append(_told(entry))
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("entry_not_understood", entry=entry.index, error=str(error))
    return found


def observe(told: Sequence[Told]) -> list[Observation]:
    """The observations in what was told, each about an agent that exists or an address."""
    known = _Known.of(told)
    return [one for each in told for one in _observed(each, known)]


def agents_about(told: Iterable[Told], events: Collection[str]) -> set[UUID]:
    """The agents that entries of these events are about."""
    ids = identifiers(one.subject_id for one in told if one.event in events)
    return set(Agent.objects.filter(id__in=ids).values_list("id", flat=True)) if ids else set()


@dataclass
class _Known:
    """What has to be looked up to understand a batch, in a few queries however long it is."""

    agents: Mapping[str, UUID]  # by identifier and by name
    holds: Mapping[str, UUID]  # the agents of holds
    used: set[tuple[UUID, UUID]] = field(default_factory=set)
    nights: dict[UUID, datetime] = field(default_factory=dict)

    @classmethod
    def of(cls, told: Sequence[Told]) -> _Known:
        agents = _agents(told)
        opened = {agents[one.actor_id] for one in told if _opens(one) and one.actor_id in agents}
        used = Signal.objects.filter(agent__in=opened, kind=Kind.FIRST_USE) if opened else Signal.objects.none()
        nights = Signal.objects.filter(agent__in=opened, kind=Kind.OFF_HOURS).order_by("at")
        return cls(
            agents=agents,
            holds=_agents_of_holds(told),
            used={
                (agent, resource)
                for agent, resource in used.values_list("agent_id", "resource_id")
                if agent and resource
            },
            nights={agent: at for agent, at in nights.values_list("agent_id", "at") if agent} if opened else {},
        )


def _opens(told: Told) -> bool:
    return told.event == Event.SESSION_OPENED


def _agents(told: Sequence[Told]) -> dict[str, UUID]:
    acting = {Event.ACTION_DENIED, Event.SESSION_OPENED}
    ids = identifiers(one.actor_id for one in told if one.event in acting)
    names = {_claimed(one) for one in told if one.code == PROVEN_REVOKED}
    found = Agent.objects.filter(id__in=ids) | Agent.objects.filter(name__in=names)
    return {key: agent for agent, name in found.values_list("id", "name") for key in (str(agent), name)}


def _agents_of_holds(told: Sequence[Told]) -> dict[str, UUID]:
    ids = identifiers(one.subject_id for one in told if one.event == Event.HOLD_DENIED)
    found = Hold.objects.filter(id__in=ids).values_list("id", "agent_id") if ids else ()
    return {str(hold): agent for hold, agent in found}


def _claimed(told: Told) -> str:
    return told.actor_name.removeprefix(_UNPROVEN)


def _observed(told: Told, known: _Known) -> Iterator[Observation]:
    if told.event == Event.ACTION_DENIED:
        kind = kind_of_denial(told.code)
        yield from _of_agent(kind, told, known.agents.get(told.actor_id)) if kind else ()
    elif told.event == Event.HOLD_DENIED:
        yield from _of_agent(Kind.HOLD_DENIED, told, known.holds.get(told.subject_id))
    elif told.event == Event.SESSION_OPENED:
        yield from _opening(told, known)
    elif told.code == PROVEN_REVOKED:
        yield from _of_agent(Kind.REVOKED_USE, told, known.agents.get(_claimed(told)))
    elif told.code in UNPROVEN_CODES and told.source:
        yield Observation(Kind.UNPROVEN, told, source=told.source)


def _of_agent(kind: Kind, told: Told, agent: UUID | None) -> Iterator[Observation]:
    if agent is not None:
        yield Observation(kind, told, agent_id=agent)


def _opening(told: Told, known: _Known) -> Iterator[Observation]:
    agent = known.agents.get(told.actor_id)
    if agent is None:
        return
    resource = _identifier(told.subject_id)
    if resource is None:
        return
    if (agent, resource) not in known.used:
        known.used.add((agent, resource))
        yield Observation(Kind.FIRST_USE, told, agent_id=agent, resource_id=resource)
    last = known.nights.get(agent)
    if not DAY_BEGINS <= told.at.hour < DAY_ENDS and (last is None or told.at - last >= _NIGHT_ONCE_IN):
        known.nights[agent] = told.at
        yield Observation(Kind.OFF_HOURS, told, agent_id=agent)


def _told(entry: Entry) -> Told:
    says: dict[str, Any] = json.loads(bytes(entry.leaf))
    details = says.get("details") or {}
    if entry.recorded is None:
        raise ValueError("It does not say when it was recorded.")
    return Told(
        event=entry.event,
        entry=entry.index,
        uid=entry.uid,
        at=entry.recorded,
        actor_id=entry.actor_id,
        actor_name="a person" if entry.actor_kind == PERSON else entry.actor_name,
        subject_id=entry.subject_id,
        action=_identifier(entry.action),
        session=_identifier(entry.session),
        source=says.get("source"),
        code=str(details.get("code", "")),
    )


def _identifier(text: str) -> UUID | None:
    return UUID(text) if text else None
