"""Reports that hold what is erased."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.db.models import Max, Min

from activity.models import Action, Erasure
from audit.actions import withdraw
from audit.models import Report
from audit.reports.period import Period
from audit.reports.scope import actions_of

STATING = (Report.Kind.OVERSIGHT, Report.Kind.ACCESS)
"""The kinds of reports that state what agents asked."""


def forget_recordings(erasure: Erasure, actions: Collection[UUID], **_sent: object) -> None:
    """Take back the reports that state any of these actions: their files, and what their pages show. In the transaction that erases."""
    span = Action.objects.filter(id__in=actions).aggregate(first=Min("asked_at"), last=Max("asked_at"))
    if span["first"] is None:
        return
    about = Report.objects.filter(kind__in=STATING, since__lte=span["last"], until__gt=span["first"])
    for report in about:
        if actions_of(report.scope, Period(report.since, report.until)).filter(id__in=actions).exists():
            withdraw(report.id, erasure=erasure.id)
