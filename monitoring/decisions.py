"""How fast people decide what is held: medians over the holds that were settled, and those holds as a list."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, QuerySet

from accounts.models import User
from approvals.models import Hold
from approvals.queries import visible_to

Status = Hold.Status
BY_PEOPLE: Final = (Status.APPROVED, Status.RELEASED, Status.LAPSED, Status.DENIED)
"""How holds stand that people decided, unless a grant covered them; the rest ended by the clock, or were taken back."""
# One pass over the holds that were settled: each step of the period, and, where no step is named, all of it.
DECIDED_SQL: Final[LiteralString] = """
WITH settled AS (
    SELECT date_bin(%(step)s, settled_at, %(since)s) AS step, status, status = ANY(%(people)s) AND grant_id IS NULL AS decided,
        extract(epoch FROM settled_at - asked_at)::float8 AS took
    FROM approvals_hold WHERE settled_at >= %(since)s
)
SELECT step, percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE decided),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY took) FILTER (WHERE decided),
    count(*) FILTER (WHERE decided), count(*) FILTER (WHERE status = 'released'),
    count(*) FILTER (WHERE status = 'denied'), count(*) FILTER (WHERE status = 'expired'),
    (SELECT count(*) FROM approvals_hold WHERE status = 'waiting' AND deadline > %(now)s)
FROM settled GROUP BY GROUPING SETS ((step), ()) ORDER BY step
"""


@dataclass(frozen=True)
class Decisions:
    """How people decided in a period; times in seconds, `points` the medians of its steps."""

    waiting: int = 0
    decided: int = 0
    released: int = 0
    denied: int = 0
    expired: int = 0
    median: float | None = None
    p90: float | None = None
    points: tuple[float, ...] = ()


def decisions_of(since: datetime, now: datetime, step: timedelta) -> Decisions:
    """The decisions between `since` and `now`."""
    asked: dict[str, Any] = {"since": since, "now": now, "step": step, "people": list(BY_PEOPLE)}
    with connection.cursor() as cursor:
        cursor.execute(DECIDED_SQL, asked)
        rows = cursor.fetchall()
    whole = next(row for row in rows if row[0] is None)
    _, median, p90, decided, released, denied, expired, waiting = whole
    points = tuple(row[1] for row in rows if row[0] is not None and row[1] is not None)
    return Decisions(waiting, decided, released, denied, expired, median, p90, points)


def decided_holds(user: User, since: datetime, until: datetime) -> QuerySet[Hold]:
    """The holds behind those figures, as far as `user` may see them; `took` is how long people needed."""
    took = ExpressionWrapper(F("settled_at") - F("asked_at"), output_field=DurationField())
    found = visible_to(user).filter(status__in=BY_PEOPLE, grant=None, settled_at__gte=since, settled_at__lte=until)
    return found.select_related("agent", "resource").annotate(took=took)
