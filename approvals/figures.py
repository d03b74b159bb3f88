"""One reviewer's own figures: how fast they decide, how often they approve, what of it others overturned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from approvals.models import Review
from core.db import db_now

PERIODS: Final = (timedelta(days=7), timedelta(days=30), timedelta(days=90))
HASTY: Final = 5
"""Seconds in which nobody has read what they approve."""
# A verdict is overturned by a colleague's denial of what one approved, and by the end that another put to a grant that rests on it.
FIGURES_SQL: Final[LiteralString] = """
SELECT count(*), count(*) FILTER (WHERE approved), percentile_cont(0.5) WITHIN GROUP (ORDER BY took),
    count(*) FILTER (WHERE approved AND took < %(hasty)s), count(*) FILTER (WHERE overturned)
FROM (
    SELECT r.verdict = 'approve' AS approved, extract(epoch FROM r.at - h.asked_at)::float8 AS took,
        r.verdict = 'approve' AND (h.status = 'denied' OR EXISTS (
            SELECT FROM approvals_grant g WHERE g.hold_id = h.id AND g.revoked_by_id <> ALL(%(accounts)s)))
        AS overturned
    FROM approvals_review r JOIN approvals_hold h ON h.id = r.hold_id
    WHERE r.reviewer_id = ANY(%(accounts)s) AND r.verdict IN ('approve', 'deny') AND r.at >= %(since)s
) AS given
"""


@dataclass(frozen=True)
class Figures:
    """What one person decided within `period`; `median` in seconds, None where they decided nothing."""

    period: timedelta
    decided: int
    approved: int
    median: float | None
    hasty: int
    overturned: int

    @property
    def share(self) -> int:
        """Of a hundred decisions, how many were approvals."""
        return round(100 * self.approved / self.decided) if self.decided else 0


def figures(person: User) -> list[Figures]:
    """Those of `person`, whichever account they used, for each of PERIODS."""
    now = db_now()
    accounts = list(User.objects.filter(person=person.person).values_list("id", flat=True))
    return [_within(period, accounts, now) for period in PERIODS]


def decisions(person: User) -> QuerySet[Review]:
    """What `person` decided, with what it was over."""
    given = Review.objects.filter(reviewer__person=person.person).select_related("hold__agent", "hold__resource")
    return given.exclude(verdict=Review.Verdict.RETRACT)


def _within(period: timedelta, accounts: list[UUID], now: datetime) -> Figures:
    with connection.cursor() as cursor:
        cursor.execute(FIGURES_SQL, {"accounts": accounts, "since": now - period, "hasty": HASTY})
        decided, approved, median, hasty, overturned = cursor.fetchone()
    return Figures(period, decided, approved, median, hasty, overturned)
