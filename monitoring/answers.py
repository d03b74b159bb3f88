"""How fast incidents are answered: the figures of a period beside those of the one before, baseline and target."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, Sum

from monitoring.models import AgentScore, Incident
from monitoring.queries import times_of
from monitoring.timing import Figure, Marks, figures


@dataclass(frozen=True)
class Answers:
    """MTTD, MTTC and MTTR; the incidents that are not resolved; the permissions that agents hold and never used."""

    figures: list[Figure]
    unresolved: int
    needing_person: int
    latest: list[Incident]
    granted: int
    used: int

    @property
    def unused(self) -> int:
        """Permissions that were never used."""
        return self.granted - self.used


def marks() -> list[Marks]:
    """What the three means are held against, as the settings say."""
    return [
        Marks(timedelta(hours=settings.DETECT_BASELINE_HOURS), timedelta(seconds=settings.DETECT_TARGET_SECONDS)),
        Marks(timedelta(hours=settings.CONTAIN_BASELINE_HOURS), timedelta(seconds=settings.CONTAIN_TARGET_SECONDS)),
        Marks(None, timedelta(seconds=settings.RESOLVE_TARGET_SECONDS)),
    ]


def answers_of(since: datetime, now: datetime) -> Answers:
    """The answers between `since` and `now`."""
    unresolved = Incident.objects.exclude(status=Incident.Status.RESOLVED)
    waits = Q(withheld_at__isnull=False, contained_at=None)
    held = AgentScore.objects.exclude(agent__status="retired").aggregate(granted=Sum("granted"), used=Sum("used"))
    return Answers(
        figures=figures(times_of(since, now), times_of(since - (now - since), since), marks()),
        unresolved=unresolved.count(),
        needing_person=unresolved.filter(waits).count(),
        latest=list(Incident.objects.select_related("agent")[:5]),
        granted=held["granted"] or 0,
        used=held["used"] or 0,
    )
