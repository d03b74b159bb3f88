"""One incident as its page tells it: what happened in order, how long it took, who may answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q

from accounts.models import User
from accounts.queries import READS_EVERYTHING
from activity.models import Session
from ledger.events import Event
from ledger.models import Entry
from ledger.personal import reveal
from monitoring.actions import MAY_ANSWER, MAY_BE_ASSIGNED
from monitoring.models import Incident, IncidentNote, Signal
from monitoring.queries import score_of, visible_incidents
from monitoring.rules import Kind
from monitoring.score import Score

SHOWN = 100
"""Signals that the time line shows; all of them are a list of their own."""
_OF_AGENT = (Event.AGENT_SUSPENDED, Event.AGENT_REINSTATED)
_SAYS: Mapping[str, tuple[str, str]] = {
    Event.INCIDENT_OPENED: ("alert-triangle", "Detected, and this incident was opened"),
    Event.INCIDENT_CONTAINED: ("shield-check", "Contained"),
    Event.INCIDENT_ACKNOWLEDGED: ("eye", "Acknowledged"),
    Event.INCIDENT_ASSIGNED: ("user", "Assigned"),
    Event.INCIDENT_NOTED: ("pencil", "Wrote a note"),
    Event.INCIDENT_RATED: ("flag", "Changed its severity"),
    Event.INCIDENT_RESOLVED: ("circle-check", "Resolved"),
    Event.INCIDENT_REFUSED: ("lock", "Was refused"),
    Event.CONTAINMENT_WITHHELD: ("hand-stop", "Not suspended: the day's budget is used up, a person must decide"),
    Event.AGENT_SUSPENDED: ("player-pause", "Suspended the agent"),
    Event.AGENT_REINSTATED: ("player-play", "Reinstated the agent"),
}


@dataclass(frozen=True)
class Moment:
    """One line of the time line; `entry` is its place in the ledger, `signal` what was observed where it is that."""

    at: datetime
    icon: str
    says: str
    who: str
    entry: int
    signal: Signal | None = None


@dataclass(frozen=True)
class Case:
    """What the page shows."""

    incident: Incident
    moments: list[Moment]
    signals: int
    notes: list[IncidentNote]
    score: Score | None
    open_sessions: int
    may_answer: bool
    assignable: list[User]
    reads_ledger: bool

    @property
    def hidden(self) -> int:
        """Signals that the time line leaves out."""
        return max(0, self.signals - SHOWN)


def case_of(incident_id: UUID, user: User) -> Case | None:
    """The incident for `user`; None for one that they may not see."""
    incident = visible_incidents(user).filter(id=incident_id).first()
    if incident is None:
        return None
    agent = incident.agent
    return Case(
        incident=incident,
        moments=sorted([*_observed(incident), *_recorded(incident)], key=lambda one: (one.at, one.entry)),
        signals=incident.signals.count(),
        notes=list(incident.notes.select_related("author")),
        score=score_of(agent) if agent else None,
        open_sessions=Session.objects.filter(agent_id=agent.id, ended_at=None).count() if agent else 0,
        may_answer=user.has_role(*MAY_ANSWER) and not _answers_for(user, incident),
        assignable=assignable(),
        reads_ledger=user.has_role(*READS_EVERYTHING),
    )


def assignable() -> list[User]:
    """Those to whom an incident may be given."""
    roles = Q()
    for role in MAY_BE_ASSIGNED:
        roles |= Q(roles__contains=[role])
    return list(User.objects.filter(roles, is_active=True).order_by("name"))


def _answers_for(user: User, incident: Incident) -> bool:
    agent = incident.agent
    return agent is not None and user.person in {one.person for one in (agent.owner, agent.deputy) if one}


def _observed(incident: Incident) -> Iterator[Moment]:
    for signal in incident.signals.select_related("agent").order_by("at", "entry", "points")[:SHOWN]:
        yield Moment(signal.at, "point", Kind(signal.kind).rule.one, incident.whose, signal.entry, signal)


def _recorded(incident: Incident) -> Iterator[Moment]:
    """What entries say of the incident itself, and of suspending and reinstating its agent meanwhile."""
    about = Q(subject_id=str(incident.id))
    if incident.agent:
        meanwhile = Q(subject_id=str(incident.agent.id), event__in=_OF_AGENT, recorded__gte=incident.began_at)
        about |= meanwhile & Q(recorded__lte=incident.resolved_at) if incident.resolved_at else meanwhile
    for entry in reveal(Entry.objects.filter(about).order_by("index")[:SHOWN]):
        icon, says = _SAYS.get(entry.event, ("point", entry.event))
        if entry.recorded:
            yield Moment(entry.recorded, icon, f"{says}{_because(entry)}", entry.actor_name, entry.index)


def _because(entry: Entry) -> str:
    """What an entry adds to its event, where that can be said in a word or two."""
    details: dict[str, Any] = json.loads(bytes(entry.leaf)).get("details") or {}
    if entry.event == Event.INCIDENT_CONTAINED:
        return f": {details.get('by', '')}"
    if entry.event == Event.INCIDENT_RATED:
        return f" from {details.get('before', '')} to {details.get('after', '')}"
    return f": {details.get('code', '')}" if entry.event == Event.INCIDENT_REFUSED else ""
