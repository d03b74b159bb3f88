"""How fast incidents are answered: the figures of a period beside those of the one before, baseline and target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Q

from monitoring.models import Incident
from monitoring.queries import times_of
from monitoring.timing import Figure, Marks, figures

LATEST = 2


@dataclass(frozen=True)
class Answers:
    """MTTD, MTTC and MTTR; the incidents that are not resolved, those of them that wait for a person, the latest."""

    figures: list[Figure]
    unresolved: int
    needing_person: int
    latest: list[Incident]


def marks() -> list[Marks]:
    """What the three means are held against, as the settings say."""
    return [
        Marks(timedelta(hours=settings.DETECT_BASELINE_HOURS), timedelta(seconds=settings.DETECT_TARGET_SECONDS)),
        Marks(timedelta(hours=settings.CONTAIN_BASELINE_HOURS), timedelta(seconds=settings.CONTAIN_TARGET_SECONDS)),
        Marks(None, timedelta(seconds=settings.RESOLVE_TARGET_SECONDS)),
    ]


def answers_of(since: datetime, now: datetime) -> Answers:
    """The answers between `since` and `now`."""
    both = times_of(since - (now - since), now)
    waits = Q(withheld_at__isnull=False, contained_at=None)
    counted = Incident.objects.exclude(status=Incident.Status.RESOLVED).aggregate(
        unresolved=Count("id"), needing_person=Count("id", filter=waits)
    )
    return Answers(
        figures=figures(
            [one for one in both if one.detected >= since], [one for one in both if one.detected < since], marks()
        ),
        latest=list(Incident.objects.select_related("agent")[:LATEST]),
        **counted,
    )
