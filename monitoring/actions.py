"""Every change to signals, incidents and scores. A change that people should be able to find leaves its entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actions import set_risk, suspend
from agents.actors import agent_subject
from agents.models import Agent
from core.after_commit import after_commit
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NarrowgateError, NotFound, Refused
from core.live import announce
from ledger.entries import Actor, Subject, commit_text
from ledger.events import Event
from ledger.write import record
from monitoring import budget
from monitoring.models import AgentScore, Incident, IncidentNote, Signal
from monitoring.opening import Opening
from monitoring.queries import visible_incidents
from monitoring.rules import SUSPEND_AT
from monitoring.score import Score
from monitoring.signals import Observation

MONITORING: Final = Actor(kind="system", id="monitoring", name="Monitoring")
MAY_ANSWER: Final = (Role.CISO,)
MAY_BE_ASSIGNED: Final = (Role.CISO, Role.ENGINEER)
LONGEST: Final = 1_000
"""Characters of a note or a reason."""
LONGEST_STATUS_REASON: Final = 300
"""Characters of why an agent is suspended."""
GROUP: Final = "incidents"
"""The group of the channel layer that open pages of incidents are in."""
_BUDGET_LOCK: Final = 0x4E474D
Status = Incident.Status


# ---- what the detector does ----
def keep(observations: Iterable[Observation]) -> list[Signal]:
    """Store what was observed; gives the signals that are new. What was read before is there already."""
    fresh = [_signal(one) for one in observations]
    before = set(
        Signal.objects.filter(entry__in={signal.entry for signal in fresh}).values_list("kind", "entry", "agent_id")
    )
    new = [signal for signal in fresh if (signal.kind, signal.entry, signal.agent_id) not in before]
    return Signal.objects.bulk_create(new, ignore_conflicts=True)


def _signal(one: Observation) -> Signal:
    return Signal(
        kind=one.kind.value,
        agent_id=one.agent_id,
        source=None if one.agent_id else one.source,
        points=one.kind.rule.points,
        at=one.told.at,
        entry=one.told.entry,
        entry_uid=one.told.uid,
        action_id=one.told.action,
        session_id=one.told.session,
        resource_id=one.resource_id,
    )


def expect_score(agents: Iterable[UUID]) -> None:
    """Note that these agents' scores are to be added up again now. Taken before any incident's lock."""
    now = timezone.now()
    rows = [AgentScore(agent_id=agent, due_at=now) for agent in sorted(set(agents))]
    AgentScore.objects.bulk_create(rows, update_conflicts=True, unique_fields=["agent"], update_fields=["due_at"])


def open_or_join(opening: Opening, signals: Sequence[Signal]) -> Incident:
    """The incident of this kind and agent (or address) that is not resolved; a new one where there is none."""
    with transaction.atomic():
        same = Incident.objects.select_for_update(of=("self",)).exclude(status=Status.RESOLVED)
        incident = same.filter(kind=opening.kind, agent=opening.agent_id, source=opening.source).first()
        if incident is None:
            incident = _open(opening)
        Signal.objects.filter(id__in=[signal.id for signal in signals], incident=None).update(incident=incident)
        after_commit(_announce, incident.id)
    return incident


def _open(opening: Opening) -> Incident:
    incident = Incident.objects.create(
        kind=opening.kind, severity=opening.severity, agent_id=opening.agent_id, source=opening.source,
        began_at=opening.began_at, detected_at=max(db_now(), opening.began_at),
    )  # fmt: skip
    details = {"kind": incident.kind, "severity": incident.severity, "began": incident.began_at.isoformat()}
    _record(Event.INCIDENT_OPENED, incident, MONITORING, details, occurred=incident.detected_at)
    if opening.refused:
        _contain(incident, incident.detected_at, "refused at the door")
    return incident


def contained(agent_id: UUID, *, at: datetime, by: str) -> int:
    """Note that an agent was stopped `at` a moment (`by` whom, as its entry says); gives how many incidents that contained."""
    with transaction.atomic():
        running = Incident.objects.select_for_update(of=("self",)).filter(agent=agent_id, contained_at=None)
        found = list(running.exclude(status=Status.RESOLVED).order_by("id"))
        for incident in found:
            _contain(incident, max(at, incident.detected_at), by)
    return len(found)


def _contain(incident: Incident, at: datetime, by: str) -> None:
    incident.contained_at = at
    incident.save(update_fields=["contained_at"])
    _record(Event.INCIDENT_CONTAINED, incident, MONITORING, {"by": by, "at": at.isoformat()})


def forgive(agent_id: UUID, *, until: datetime) -> int:
    """A person has answered for what an agent did `until` then: it counts no longer. Gives how many signals that are."""
    return Signal.objects.filter(agent=agent_id, at__lte=until, settled_at=None).update(settled_at=until)


def write_score(scored: AgentScore, score: Score | None, *, due_at: datetime) -> None:
    """Set an agent's risk with its reasons, and stop the agent where that is due. `scored` is locked by the caller;
    None leaves the score as it is.
    """
    scored.scored_at, scored.due_at = db_now(), due_at
    if score is not None:
        scored.lines = [{"because": line.because, "points": line.points, "kind": line.kind} for line in score.lines]
        scored.score = score.score
    scored.save()
    reasons = [str(line["because"]) for line in scored.lines]
    if scored.score >= SUSPEND_AT and settings.CONTAIN_AUTOMATICALLY:
        _stop(scored, reasons)
    if score is not None:
        set_risk(scored.agent_id, scored.score, because=reasons, actor=MONITORING)


def _stop(scored: AgentScore, reasons: list[str]) -> None:
    """Suspend an active agent, if the budget allows it without a person."""
    agent = Agent.objects.get(id=scored.agent_id)
    if agent.status != Agent.Status.ACTIVE:
        return
    incident = _incident_behind(agent)
    if not _within_budget():
        _withhold(incident)
        return
    try:
        suspend(agent.id, actor=MONITORING, reason=f"Risk {scored.score}: {'; '.join(reasons[:2])}."[:300])
    except AlreadySettled:  # somebody was faster
        return
    incident.suspended_at, incident.withheld_at = db_now(), None
    incident.save(update_fields=["suspended_at", "withheld_at"])


def _incident_behind(agent: Agent) -> Incident:
    """The incident that the suspension answers: the newest that is not resolved, else one about the risk itself."""
    running = Incident.objects.select_for_update(of=("self",)).filter(agent=agent).exclude(status=Status.RESOLVED)
    incident = running.order_by("-detected_at").first()
    if incident is not None:
        return incident
    counted = Signal.objects.filter(agent=agent, settled_at=None).order_by("at")
    first = counted.first()
    opening = Opening.of(Incident.Kind.RISK, agent_id=agent.id, began_at=first.at if first else db_now())
    return open_or_join(opening, list(counted))


def _within_budget() -> bool:
    """Whether one more agent may be stopped without a person. One asks at a time, until its transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_BUDGET_LOCK])
    fleet = Agent.objects.filter(status__in=[Agent.Status.ACTIVE, Agent.Status.SUSPENDED]).count()
    stopped = Incident.objects.filter(suspended_at__gte=db_now() - budget.PERIOD, status=Status.OPEN)
    return budget.allows(fleet=fleet, unanswered=stopped.values("agent").distinct().count())


def _withhold(incident: Incident) -> None:
    """Leave it to a person, and say so once."""
    if incident.withheld_at is None:
        incident.withheld_at = db_now()
        incident.save(update_fields=["withheld_at"])
        _record(Event.CONTAINMENT_WITHHELD, incident, MONITORING, {"kind": incident.kind})


# ---- what people do ----
def acknowledge(incident_id: UUID, *, actor: User) -> Incident:
    """A person takes notice. Raises NotFound, Refused (not a CISO), AlreadySettled."""
    with transaction.atomic():
        incident = _to_answer(incident_id, actor)
        if incident.status == Status.ACKNOWLEDGED:
            raise AlreadySettled("Somebody has acknowledged this already.")
        incident.status, incident.acknowledged_at, incident.acknowledged_by = Status.ACKNOWLEDGED, db_now(), actor
        incident.save(update_fields=["status", "acknowledged_at", "acknowledged_by"])
        _record(Event.INCIDENT_ACKNOWLEDGED, incident, actor_of(actor), {})
    return incident


def assign(incident_id: UUID, *, assignee: User | None, actor: User) -> Incident:
    """Give it to a CISO or an engineer, or to nobody. Raises NotFound, Refused, AlreadySettled, Invalid."""
    with transaction.atomic():
        incident = _to_answer(incident_id, actor)
        if assignee is not None and not assignee.has_role(*MAY_BE_ASSIGNED):
            raise Invalid("assignee", f"{assignee} is neither a CISO nor a platform engineer.", "Choose one who is.")
        incident.assignee = assignee
        incident.save(update_fields=["assignee"])
        _record(
            Event.INCIDENT_ASSIGNED, incident, actor_of(actor), {"assignee": str(assignee.id) if assignee else None}
        )
    return incident


def rate(incident_id: UUID, *, severity: str, actor: User) -> Incident:
    """Change how bad it is, now that somebody has looked. The same again changes nothing.

    Raises NotFound, Refused, AlreadySettled, Invalid.
    """
    if severity not in Incident.Severity.values:
        raise Invalid("severity", "There is no such severity.", "Choose low, medium or high.")
    with transaction.atomic():
        incident = _to_answer(incident_id, actor)
        if incident.severity != severity:
            details = {"before": incident.severity, "after": severity}
            incident.severity = severity
            incident.save(update_fields=["severity"])
            _record(Event.INCIDENT_RATED, incident, actor_of(actor), details)
    return incident


def contain(incident_id: UUID, *, reason: str, actor: User) -> Incident:
    """Suspend the agent that it is about, which cuts its connections within a second.

    Raises NotFound, Refused, Invalid (no reason, or no agent), AlreadySettled (resolved, or the agent is not active).
    """
    said = _said("reason", reason, "Containing takes a reason: its owner reads it.")
    with transaction.atomic():
        incident = _to_answer(incident_id, actor)
        if incident.agent_id is None:
            raise Invalid("agent", "This incident is of an address, not of an agent.", "There is nothing to suspend.")
        suspend(incident.agent_id, actor=actor, reason=said[:LONGEST_STATUS_REASON])
        if incident.contained_at is None:
            _contain(incident, max(db_now(), incident.detected_at), "suspended by a person")
    return incident


def person_named(username: str | None) -> User | None:
    """Whom somebody named; None for nobody. Raises Invalid for one whom nobody knows."""
    person = User.objects.filter(username=username, is_active=True).first() if username else None
    if username and person is None:
        raise Invalid("assignee", "There is no such person.", "Choose one from the list.")
    return person


def note_taken(user: User, asked: Mapping[str, str]) -> None:
    """Record that `user` takes a list of incidents away as a file, and which."""
    with transaction.atomic():
        subject = Subject(kind="list", id="incidents", name="incidents")
        record(Event.EXPORT_MADE, actor=actor_of(user), subject=subject, details=dict(asked))


def annotate(incident_id: UUID, *, text: str, actor: User) -> IncidentNote:
    """Write a note. Raises NotFound, Refused, Invalid. Resolved incidents take notes too."""
    said = _said("text", text, "A note says something.")
    with transaction.atomic():
        incident = _to_answer(incident_id, actor, resolved_too=True)
        note = IncidentNote.objects.create(incident=incident, author=actor, text=said, at=db_now())
        details = {"note": str(note.id), "text": commit_text(said, bytes(note.salt))}
        _record(Event.INCIDENT_NOTED, incident, actor_of(actor), details)
    return note


def resolve(incident_id: UUID, *, reason: str, actor: User) -> Incident:
    """End it, with a reason; its signals count no longer. Raises NotFound, Refused (also of one's own agent),
    AlreadySettled, Invalid.
    """
    said = _said("reason", reason, "Resolving takes a reason.")
    with transaction.atomic():
        agent_id = visible_incidents(actor).filter(id=incident_id).values_list("agent_id", flat=True).first()
        if agent_id is not None:
            expect_score([agent_id])
        incident = _to_answer(incident_id, actor)
        incident.status, incident.resolved_at, incident.resolution = Status.RESOLVED, db_now(), said
        incident.save(update_fields=["status", "resolved_at", "resolution"])
        incident.signals.filter(settled_at=None).update(settled_at=incident.resolved_at)
        details = {"reason": commit_text(said, bytes(incident.salt))}
        _record(Event.INCIDENT_RESOLVED, incident, actor_of(actor), details, occurred=incident.resolved_at)
    return incident


def record_refusal(incident_id: UUID, *, actor: User, error: NarrowgateError) -> None:
    """Record that `actor` tried to change an incident and was refused: the refused transaction is gone, this stays."""
    with transaction.atomic():
        incident = Incident.objects.select_related("agent").filter(id=incident_id).first()
        subject = _subject(incident) if incident else Subject(kind="incident", id=str(incident_id), name="unknown")
        record(Event.INCIDENT_REFUSED, actor=actor_of(actor), subject=subject, details={"code": error.code})


def _to_answer(incident_id: UUID, actor: User, *, resolved_too: bool = False) -> Incident:
    """The incident, locked, which `actor` may see and answer."""
    person = User.objects.get(id=actor.id)
    held = Incident.objects.select_for_update(of=("self",)).select_related("agent__owner", "agent__deputy")
    seen = visible_incidents(person).filter(id=incident_id).exists()
    incident = held.filter(id=incident_id).first() if seen else None
    if incident is None:
        raise NotFound("There is no such incident, or none that you may see.")
    require_role(person, *MAY_ANSWER)
    _require_unconcerned(incident, person)
    if not resolved_too:
        incident.require_unresolved()
    return incident


def _require_unconcerned(incident: Incident, person: User) -> None:
    agent = incident.agent
    answerable = {one.person for one in (agent.owner, agent.deputy) if one} if agent else set()
    if person.person in answerable:
        raise Refused("Nobody answers an incident of their own agent.", "Ask another CISO.", code="own_agent")


def _said(field: str, text: str, missing: str) -> str:
    said = text.strip()
    if not said:
        raise Invalid(field, missing, "Say in a sentence what was found.")
    if len(said) > LONGEST:
        raise Invalid(field, f"At most {LONGEST} characters fit.", "Shorten it.")
    return said


def _announce(incident_id: UUID) -> None:
    announce([GROUP], {"type": "incident.changed", "incident": str(incident_id)})


def _record(
    event: Event, incident: Incident, actor: Actor, details: Mapping[str, object], *, occurred: datetime | None = None
) -> None:
    when = {"occurred": occurred} if occurred else {}
    record(event, actor=actor, subject=_subject(incident), details=details, **when)  # type: ignore[arg-type]  # one optional key
    after_commit(_announce, incident.id)


def _subject(incident: Incident) -> Subject:
    name = agent_subject(incident.agent).name if incident.agent else str(incident.source)
    return Subject(kind="incident", id=str(incident.id), name=f"{incident.kind} by {name}")
