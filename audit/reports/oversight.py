"""Human oversight: which actions waited for people, who decided what and how fast, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    Func,
    JSONField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Cast, JSONObject

from activity.models import Action
from approvals.models import Hold, Review
from audit.reports.period import Period
from audit.reports.scope import Scope, holds_of
from audit.reports.shape import Chart, Column, Content, Figure, Row, Table, moment, seconds
from audit.reports.timeline import Percentile, over_time, spread, took
from core import words
from ledger.events import Event
from ledger.models import Entry

APPROVED = (Hold.Status.APPROVED, Hold.Status.RELEASED, Hold.Status.LAPSED)
CHUNK = 1_000
_OUTCOME = Case(When(status__in=APPROVED, then=Value("approved")), default=F("status"), output_field=CharField())
_SERIES = (
    ("approved", "Approved", "allow"),
    ("denied", "Denied", "deny"),
    ("expired", "Nobody decided in time", "unknown"),
    ("withdrawn", "Withdrawn by the agent", "mask"),
    ("waiting", "Still waiting", "hold"),
)
HOLDS = (
    Column("asked_at", "Asked", "time"),
    Column("agent", "Agent", "name"),
    Column("resource", "Resource", "name"),
    Column("verb", "Verb", "verb"),
    Column("statement", "Statement", "code"),
    Column("outcome", "Outcome", "decision"),
    Column("decided_by", "Decided by"),
    Column("seconds", "Took", "seconds"),
    Column("reasons", "Their reasons"),
    Column("settled_at", "Settled", "time"),
    Column("settled_because", "Because"),
    Column("required", "Required"),
    Column("excluded", "May not review it"),
    Column("purpose", "Its purpose, claimed", "claim"),
    Column("risk", "Risk", "count"),
    Column("ran", "What became of it"),
    Column("rows", "Rows", "count"),
    Column("policy_version", "Policy version", "count"),
    Column("digest", "Digest", "hash"),
    Column("hold", "Hold", "hash"),
    Column("action", "Action", "hash"),
)


def content(scope: Scope, period: Period) -> Content:
    """The report's content."""
    holds = holds_of(scope, period)
    counts = _counts(holds)
    charts = (
        over_time("Actions that waited for people", holds, "asked_at", period, kind=_OUTCOME, series=_SERIES),
        _speed(holds),
    )
    tables = (
        Table("reviewers", "Who decided", _REVIEWERS, lambda: _reviewers(holds), empty="Nobody reviewed anything."),
        Table("agents", "Whose actions waited", _AGENTS, lambda: _agents(holds)),
        Table("holds", "Every action that waited", HOLDS, lambda: _holds(holds), printed=250, wide=9),
    )
    return Content(_headline(counts), counts["asked"], _figures(holds, counts), charts, tables)


def _counts(holds: QuerySet[Hold]) -> dict[str, Any]:
    decided = Q(status__in=[*APPROVED, Hold.Status.DENIED], grant=None)
    return holds.annotate(took=took("asked_at", "settled_at")).aggregate(
        asked=Count("pk"),
        approved=Count("pk", filter=Q(status__in=APPROVED)),
        covered=Count("pk", filter=Q(grant__isnull=False)),
        denied=Count("pk", filter=Q(status=Hold.Status.DENIED)),
        expired=Count("pk", filter=Q(status=Hold.Status.EXPIRED)),
        withdrawn=Count("pk", filter=Q(status=Hold.Status.WITHDRAWN)),
        waiting=Count("pk", filter=Q(status=Hold.Status.WAITING)),
        ran=Count("pk", filter=Q(status=Hold.Status.RELEASED)),
        median=Percentile("took", 0.5, filter=decided),
        p90=Percentile("took", 0.9, filter=decided),
    )


def _headline(n: dict[str, Any]) -> str:
    if not n["asked"]:
        return "No action waited for people in this period."
    waited = f"{words.plural(n['asked'], 'action')} waited for people: {words.count(n['approved'])} approved, {words.count(n['denied'])} denied"
    waits = f", {words.count(n['waiting'])} still waiting" if n["waiting"] else ""
    left = f", {words.count(n['expired'])} that nobody decided in time and therefore denied" if n["expired"] else ""
    fast = f" Half of the decisions took {words.span(n['median'])} or less." if n["median"] is not None else ""
    return f"{waited}{waits}{left}.{fast}"


def _figures(holds: QuerySet[Hold], n: dict[str, Any]) -> tuple[Figure, ...]:
    reviews = Review.objects.filter(hold__in=holds)
    people = reviews.aggregate(people=Count("reviewer__person", distinct=True))["people"]
    # Somebody excluded from a hold who decided it all the same: there must be none.
    themselves = Func(
        JSONObject(person=Cast("reviewer__person", TextField())), function="jsonb_build_array", output_field=JSONField()
    )
    wrong = reviews.filter(hold__excluded__contains=themselves).count()
    refused = Entry.objects.filter(
        event=Event.REVIEW_REFUSED, subject_id__in=holds.values(text=Cast("id", TextField()))
    )
    return (
        Figure("Waited for people", n["asked"]),
        Figure("Approved", n["approved"], note=f"{words.count(n['ran'])} of them ran"),
        Figure(
            "Covered by a grant",
            n["covered"],
            note="people had approved alike ones for a while; nobody looked at these",
        ),
        Figure("Denied", n["denied"]),
        Figure("Nobody decided in time", n["expired"], note="denied by their deadline"),
        Figure("Half decided within", n["median"], "seconds"),
        Figure("Nine in ten within", n["p90"], "seconds"),
        Figure("People who decided", people),
        Figure(
            "Decided by somebody excluded",
            wrong,
            note="owner, deputy, enroller or the person acted for; must be 0",
            bad=wrong > 0,
        ),
        Figure("Attempts to review refused", refused.count(), note="each is an entry"),
    )


def _speed(holds: QuerySet[Hold]) -> Chart:
    decided = holds.filter(status__in=[*APPROVED, Hold.Status.DENIED], grant=None, settled_at__isnull=False)
    return spread(decided, "asked_at", "settled_at", "How long people took to decide")


_REVIEWERS = (
    Column("person", "Person"),
    Column("reviews", "Reviews", "count"),
    Column("approved", "Approved", "count"),
    Column("denied", "Denied", "count"),
    Column("median", "Half within", "seconds"),
    Column("slowest", "Slowest", "seconds"),
)


def _reviewers(holds: QuerySet[Hold]) -> Iterator[Row]:
    took_them = Review.objects.filter(hold__in=holds).annotate(took=took("hold__asked_at", "at"))
    grouped = took_them.values("reviewer__name", "reviewer__username").annotate(
        reviews=Count("pk"),
        approved=Count("pk", filter=Q(verdict=Review.Verdict.APPROVE)),
        denied=Count("pk", filter=Q(verdict=Review.Verdict.DENY)),
        median=Percentile("took", 0.5),
        slowest=Max("took"),
    )
    for row in grouped.order_by("-reviews", "reviewer__username"):
        times = {key: round(float(row[key]), 3) for key in ("median", "slowest")}
        yield {"person": row["reviewer__name"], **{key: row[key] for key in ("reviews", "approved", "denied")}, **times}


_AGENTS = (
    Column("agent", "Agent", "name"),
    Column("owner", "Owner"),
    Column("waited", "Waited", "count"),
    Column("approved", "Approved", "count"),
    Column("denied", "Denied", "count"),
    Column("expired", "Nobody decided", "count"),
    Column("median", "Half within", "seconds"),
)


def _agents(holds: QuerySet[Hold]) -> Iterator[Row]:
    decided = Q(status__in=[*APPROVED, Hold.Status.DENIED], grant=None)
    grouped = (
        holds.annotate(took=took("asked_at", "settled_at"))
        .values("agent__name", "agent__owner__name")
        .annotate(
            waited=Count("pk"),
            approved=Count("pk", filter=Q(status__in=APPROVED)),
            denied=Count("pk", filter=Q(status=Hold.Status.DENIED)),
            expired=Count("pk", filter=Q(status=Hold.Status.EXPIRED)),
            median=Percentile("took", 0.5, filter=decided),
        )
    )
    for row in grouped.order_by("-waited", "agent__name").iterator(CHUNK):
        median = None if row["median"] is None else round(row["median"], 3)
        counts = {key: row[key] for key in ("waited", "approved", "denied", "expired")}
        yield {"agent": row["agent__name"], "owner": row["agent__owner__name"], **counts, "median": median}


def _holds(holds: QuerySet[Hold]) -> Iterator[Row]:
    """One row a hold, with its reviews, in one statement whatever their number."""
    said = JSONObject(who="reviewer__name", verdict="verdict", at="at", reason="reason")
    reviews = Review.objects.filter(hold=OuterRef("pk")).order_by("at", "id").values(json=said)
    action = Action.objects.filter(id=OuterRef("action_id"))
    found = holds.select_related("agent", "resource").annotate(
        given=ArraySubquery(reviews),
        ran=Subquery(action.values("status")[:1]),
        returned=Subquery(action.values("rows")[:1]),
    )
    for hold in found.order_by("asked_at", "id").iterator(CHUNK):
        yield _row(hold)


def _row(hold: Any) -> Row:  # noqa: ANN401 -- a hold with what the query adds to it
    outcome = "approved" if hold.status in APPROVED else hold.status
    ran = "lapsed: not collected in time" if hold.status == Hold.Status.LAPSED else hold.ran
    ran = ran if hold.enforced else f"{ran or outcome}, not enforced"
    decided = outcome in {"approved", "denied"}
    return {
        "asked_at": moment(hold.asked_at),
        "agent": hold.agent.name,
        "resource": hold.resource.name,
        "verb": hold.verb,
        "statement": hold.shown,
        "outcome": outcome,
        "decided_by": "; ".join(f"{one['who']} {_VERDICT[one['verdict']]}" for one in hold.given)
        or (f"grant {hold.grant_id}" if hold.grant_id else ""),
        "seconds": seconds(hold.asked_at, hold.settled_at) if decided else None,
        "reasons": "; ".join(f"{one['who']}: {one['reason']}" for one in hold.given if one["reason"]),
        "settled_at": moment(hold.settled_at),
        "settled_because": hold.settled_because,
        "required": hold.needs,
        "excluded": _excluded(hold.excluded),
        "purpose": hold.purpose,
        "risk": hold.risk,
        "ran": ran,
        "rows": hold.returned,
        "policy_version": hold.policy_version,
        "digest": hold.digest,
        "hold": str(hold.id),
        "action": str(hold.action_id),
    }


_VERDICT = {"approve": "approved", "deny": "denied", "retract": "approved, then took it back"}


def _excluded(said: list[dict[str, Any]]) -> str:
    return ", ".join(sorted({str(one.get("because", "")) for one in said}))
