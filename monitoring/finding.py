"""Detections over what is in the database: which signals and reads to look at, and what a find opens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from activity.models import Action
from agents.models import Agent
from ledger.models import Entry
from monitoring import actions, detect
from monitoring.detect import Burst, Seen
from monitoring.models import Cursor, Incident, Signal
from monitoring.opening import Opening
from monitoring.rules import Kind
from monitoring.signals import Observation, Told

LOOK_EVERY: Final = timedelta(seconds=1)
"""How often reads of tagged columns are counted."""
LOOK_BACK: Final = timedelta(minutes=3)
"""How far behind the last look: what a slow read returned is known late."""

Whose = TypeVar("Whose", UUID, str)


def look_at(new: Sequence[Signal]) -> None:
    """Detect in the signals that are new, together with those just before them."""
    for signal in new:
        if signal.kind == Kind.REVOKED_USE and signal.agent_id:
            opening = Opening.of(Incident.Kind.REVOKED_CREDENTIAL, agent_id=signal.agent_id, began_at=signal.at)
            actions.open_or_join(opening, [signal])
    denied = [(one.agent_id, one.at) for one in new if one.kind == Kind.DENIED and one.agent_id]
    for agent, earliest in _earliest(denied).items():
        _denials(agent, earliest)
    unproven = [(one.source, one.at) for one in new if one.kind == Kind.UNPROVEN and one.source]
    for source, earliest in _earliest(unproven).items():
        _unproven(source, earliest)


def _earliest(seen: Iterable[tuple[Whose, datetime]]) -> dict[Whose, datetime]:
    """When each was first seen."""
    found: dict[Whose, datetime] = {}
    for whose, at in seen:
        found[whose] = min(at, found.get(whose, at))
    return found


def _denials(agent_id: UUID, earliest: datetime) -> None:
    """Five denials of an agent within a minute, none of which was part of an earlier burst."""
    counted = Signal.objects.filter(agent=agent_id, kind=Kind.DENIED, settled_at=None)
    bursts = list(Signal.objects.filter(agent=agent_id, kind=Kind.DENIAL_BURST).order_by("-at").values_list("at")[:1])
    window = counted.filter(at__gte=earliest - detect.WITHIN)
    window = window.filter(at__gt=bursts[0][0]) if bursts else window
    parts = list(window.order_by("at"))
    for burst in detect.denials(Seen(part.at) for part in parts):
        inside = [part for part in parts if burst.began <= part.at <= burst.completed]
        burst_signal = _of_burst(Kind.DENIAL_BURST, inside[-1])
        opening = Opening.of(Incident.Kind.DENIALS, agent_id=inside[-1].agent_id, began_at=burst.began)
        actions.open_or_join(opening, [*inside, *actions.keep([burst_signal])])


def _unproven(source: str, earliest: datetime) -> None:
    """Five refusals of one address within a minute: an incident of the address, and of no agent whatever was claimed."""
    fresh = Signal.objects.filter(source=source, agent=None, kind=Kind.UNPROVEN, incident=None)
    parts = list(fresh.filter(at__gte=earliest - detect.WITHIN).order_by("at"))
    for burst in detect.denials(Seen(part.at) for part in parts):
        inside = [part for part in parts if burst.began <= part.at <= burst.completed]
        actions.open_or_join(Opening.of(Incident.Kind.UNPROVEN, source=source, began_at=burst.began), inside)


def _of_burst(kind: Kind, last: Signal) -> Observation:
    """The observation that a burst was completed by `last`, with its evidence."""
    told = Told(
        event="", entry=last.entry, uid=last.entry_uid, at=last.at, actor_id="", actor_name="", subject_id="",
        action=last.action_id, session=last.session_id, source=None, code="",
    )  # fmt: skip
    return Observation(kind, told, agent_id=last.agent_id)


# ---- reads of tagged columns: there are many, so only bursts become signals ----
def look_at_reads(cursor: Cursor, now: datetime) -> None:
    """Find bursts in what was read since the last look. Moves the cursor's `reads_until`; the caller saves it."""
    since = cursor.reads_until
    if since is not None and now - since < LOOK_EVERY:
        return
    cursor.reads_until = now
    asked = _tagged(now - LOOK_BACK if since is None else since - LOOK_BACK)
    totals = asked.values("agent_id").annotate(n=Count("id"), returned=Sum("rows"))
    many = totals.filter(Q(n__gte=detect.READS) | Q(returned__gte=detect.ROWS)).order_by()
    known = (
        set(Agent.objects.filter(id__in=[row["agent_id"] for row in many]).values_list("id", flat=True)) if many else ()
    )
    for agent in sorted(known):
        _tagged_reads(agent, asked.filter(agent_id=agent))


def _tagged(since: datetime) -> QuerySet[Action]:
    """Reads that touched tagged columns and were let through."""
    return Action.objects.filter(asked_at__gte=since, verb="sql:select").exclude(tags=[]).exclude(decision="deny")


def _tagged_reads(agent_id: UUID, asked: QuerySet[Action]) -> None:
    last = Signal.objects.filter(agent=agent_id, kind=Kind.TAGGED_BURST).order_by("-at").first()
    asked = asked.filter(asked_at__gt=last.at) if last else asked
    reads = list(asked.order_by("asked_at").only("id", "asked_at", "rows", "session_id", "entry_id"))
    for burst in detect.tagged_reads(Seen(read.asked_at, read.rows or 0) for read in reads):
        completing = next(read for read in reads if read.asked_at == burst.completed)
        _report(agent_id, burst, completing)


def _report(agent_id: UUID, burst: Burst, last: Action) -> None:
    """A burst of reads, with the entry of the read that completed it; not in the log yet, it is found at the next look."""
    entry = Entry.objects.filter(uid=last.entry_id).only("index", "uid").first()
    if entry is None:
        return
    evidence = Signal(
        entry=entry.index, entry_uid=entry.uid, at=last.asked_at, action_id=last.id, session_id=last.session_id,
        agent_id=agent_id,
    )  # fmt: skip
    actions.expect_score([agent_id])
    new = actions.keep([_of_burst(Kind.TAGGED_BURST, evidence)])
    actions.open_or_join(Opening.of(Incident.Kind.TAGGED_READS, agent_id=agent_id, began_at=burst.began), new)
