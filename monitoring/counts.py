"""Reads of the kept counts: an agent's week, and what the posture page draws."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Func, Sum, Value
from django.db.models.functions import Coalesce

from monitoring.models import AgentHourCount, MinuteCount
from monitoring.tally import KINDS

WEEK = timedelta(days=7)


def week_of(agent_id: UUID, now: datetime) -> dict[str, int]:
    """How many actions of an agent were allowed, masked, held, denied since `week_since`."""
    found = AgentHourCount.objects.filter(agent_id=agent_id, hour__gte=week_since(now))
    return found.aggregate(**{kind: Coalesce(Sum(kind), 0) for kind in KINDS})


def week_since(now: datetime) -> datetime:
    """When an agent's week begins: with a whole hour."""
    return now.replace(minute=0, second=0, microsecond=0) - WEEK


def over_time(since: datetime, step: timedelta) -> list[tuple[datetime, dict[str, int]]]:
    """The counts since a whole minute, in steps from there; a step without any action is left out."""
    at: Any = Func(Value(step), "at", Value(since), function="date_bin", output_field=DateTimeField())
    rows = MinuteCount.objects.filter(at__gte=since).annotate(step=at).values_list("step")
    counted = rows.annotate(*(Sum(kind) for kind in KINDS)).order_by("step")
    return [(step, dict(zip(KINDS, numbers, strict=True))) for step, *numbers in counted]
