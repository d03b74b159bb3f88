"""Gathers a report from one snapshot of the database into JSON lines, row by row: memory does not grow with the report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from audit.models import Report
from audit.reports import access, incidents, integrity, oversight
from audit.reports.period import Period
from audit.reports.shape import Content, Head, lines, moment
from ledger.models import Checkpoint
from ledger.queries import last_checkpoint

# Figures and rows are of one moment, and nothing here can write.
SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def gather(report: Report, target: Path, passed: Callable[[int, int], None]) -> Head:
    """Write the report's lines to `target`; `passed` hears how many rows of how many are written."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(SNAPSHOT)
        checkpoint = last_checkpoint()
        head, content = _head(report, checkpoint), _content(report, checkpoint, passed)
        number = 0
        with target.open("w", encoding="utf-8") as file:
            for line, counts in lines(head, content):
                file.write(line)
                number += counts
                passed(number, content.total)
    return head


def _content(report: Report, checkpoint: Checkpoint | None, passed: Callable[[int, int], None]) -> Content:
    period = Period(report.since, report.until)
    if report.kind == Report.Kind.INTEGRITY:
        return integrity.content(period, checkpoint.size if checkpoint else 0, passed)
    makers = {
        Report.Kind.OVERSIGHT: oversight.content,
        Report.Kind.ACCESS: access.content,
        Report.Kind.INCIDENTS: incidents.content,
    }
    return makers[Report.Kind(report.kind)](report.scope, period)


def _head(report: Report, checkpoint: Checkpoint | None) -> Head:
    return Head(
        id=str(report.id),
        kind=report.kind,
        title=report.get_kind_display(),
        organisation=settings.TRUST_DOMAIN,
        scope=report.scope.in_words,
        since=str(moment(report.since)),
        until=str(moment(report.until)),
        asked_by=str(report.asked_by),
        asked_at=str(moment(report.asked_at)),
        made_at=str(moment(datetime.now(UTC))),
        entries=checkpoint.size if checkpoint else 0,
        root=bytes(checkpoint.root).hex() if checkpoint else "",
        signed_at=str(moment(checkpoint.signed_at)) if checkpoint else "",
    )
