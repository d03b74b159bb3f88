"""What becomes of agents by themselves: those that nobody uses, and those whose owner is gone, are told of and then suspended.

Work is found in the database, some at a time, so that a lost task loses nothing. An agent cannot act without a credential, so its
newest one says when it was last used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest

from accounts.actors import SYSTEM
from agents.actions import suspend
from agents.actors import agent_subject
from agents.locking import locked_agent
from agents.models import Agent, Credential
from core.errors import AlreadySettled
from ledger.events import Event
from ledger.write import record

WARNED_BEFORE: Final = timedelta(days=14)
"""How long before it is suspended an owner is told that an agent is unused."""
AT_ONCE: Final = 200


def turn(now: datetime) -> int:
    """Do what is due at `now`, AT_ONCE of each kind at most; gives how much that was."""
    return sum(
        step(now) for step in (warn_of_unused, suspend_unused, note_ownerless, forget_ownerless, suspend_ownerless)
    )


def unused_since(agents: QuerySet[Any]) -> QuerySet[Any]:
    """`agents` with `last_used`: the newest of their last credential and of when they began to be as they are."""
    newest = Credential.objects.filter(agent=OuterRef("pk")).order_by("-issued_at").values("issued_at")[:1]
    last = Coalesce(Subquery(newest), F("status_at"), output_field=DateTimeField())
    annotated: QuerySet[Any] = agents.annotate(last_used=Greatest(last, F("status_at")))
    return annotated


def warn_of_unused(now: datetime) -> int:
    """Tell of agents that will be suspended in WARNED_BEFORE unless they are used."""
    life = _days(settings.AGENT_UNUSED_DAYS)
    idle = _unused(now - life + WARNED_BEFORE).filter(Q(unused_warned_at=None) | Q(unused_warned_at__lt=F("last_used")))
    due = list(idle.values_list("id", "last_used")[:AT_ONCE])
    for agent_id, since in due:
        with transaction.atomic():
            agent = locked_agent(agent_id)
            agent.unused_warned_at = now
            agent.save(update_fields=["unused_warned_at"])
            until = max(since + life, now + WARNED_BEFORE)
            details = {"since": since.isoformat(), "until": until.isoformat()}
            record(Event.AGENT_UNUSED, actor=SYSTEM, subject=agent_subject(agent), details=details)
    return len(due)


def suspend_unused(now: datetime) -> int:
    """Suspend agents that were told of long enough ago and were not used since."""
    told = Q(unused_warned_at__lte=now - WARNED_BEFORE, unused_warned_at__gt=F("last_used"))
    due = _unused(now - _days(settings.AGENT_UNUSED_DAYS)).filter(told)
    return _suspend(due, f"Unused for {settings.AGENT_UNUSED_DAYS} days.")


def note_ownerless(now: datetime) -> int:
    """Note, and tell of, agents that act and whose owner has no open account."""
    due = list(_gone().filter(ownerless_since=None).values_list("id", flat=True)[:AT_ONCE])
    for agent_id in due:
        with transaction.atomic():
            agent = locked_agent(agent_id)
            agent.ownerless_since = now
            agent.save(update_fields=["ownerless_since"])
            until = now + _days(settings.AGENT_OWNERLESS_DAYS)
            details = {"owner": str(agent.owner_id), "until": until.isoformat()}
            record(Event.AGENT_OWNERLESS, actor=SYSTEM, subject=agent_subject(agent), details=details)
    return len(due)


def forget_ownerless(_now: datetime) -> int:
    """Forget that of agents whose owner came back."""
    return Agent.objects.filter(owner__is_active=True, ownerless_since__isnull=False).update(ownerless_since=None)


def suspend_ownerless(now: datetime) -> int:
    """Suspend agents for which nobody was named in time."""
    days = settings.AGENT_OWNERLESS_DAYS
    due = _gone().filter(ownerless_since__lte=now - _days(days))
    return _suspend(due, f"Its owner is gone, and nobody was named for {days} days.")


def _unused(before: datetime) -> QuerySet[Any]:
    active = unused_since(Agent.objects.filter(status=Agent.Status.ACTIVE, status_at__lte=before))
    return active.filter(last_used__lte=before).order_by("name")


def _gone() -> QuerySet[Any]:
    return Agent.objects.filter(status=Agent.Status.ACTIVE, owner__is_active=False).order_by("name")


def _suspend(due: QuerySet[Any], reason: str) -> int:
    ids: list[UUID] = list(due.values_list("id", flat=True)[:AT_ONCE])
    return sum(_suspended(agent_id, reason) for agent_id in ids)


def _suspended(agent_id: UUID, reason: str) -> bool:
    try:
        suspend(agent_id, actor=SYSTEM, reason=reason)
    except AlreadySettled:
        return False  # somebody was quicker
    return True


def _days(number: int) -> timedelta:
    return timedelta(days=number)
