"""The CISO's page: one verdict and the figures behind it, all counted from the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, TextField
from django.db.models.functions import Cast, Trunc
from django.utils import timezone

from activity.models import Action, GatewayNode
from agents.models import Agent
from approvals.models import Hold
from approvals.risk import BANDS, band
from core import words
from ledger.events import Event
from ledger.models import Entry
from ledger.proving import BROKEN, Proof, Prover
from ledger.queries import State, state
from monitoring import figures
from monitoring.answers import Answers, answers_of
from monitoring.fleet import Fleet, fleet_of
from monitoring.queries import Held, held, lag, scores_of
from monitoring.score import Score
from monitoring.steps import Step, steps

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
ATTENTION = 60
RISKIEST = 10
_ALIVE = timedelta(seconds=15)
_SEQUENCED_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True)
class Decisions:
    """How people decided in the period; seconds."""

    waiting: int
    settled: dict[str, int]
    median: float | None
    p90: float | None


@dataclass(frozen=True)
class Posture:
    """Everything the page says, as of `now`."""

    now: datetime
    agents: list[tuple[Agent, Score]]
    counts: dict[str, int]
    decisions: Decisions
    answers: Answers
    permissions: Held
    chart: dict[str, Any]
    fleet: Fleet
    bands: list[tuple[int, str, int]]
    steps: list[Step]
    ledger: State
    proof: Proof | None
    gates: int

    @property
    def riskiest(self) -> list[tuple[Agent, Score]]:
        """The ten riskiest, worst first."""
        return self.agents[:RISKIEST]

    @property
    def attention(self) -> list[tuple[Agent, Score]]:
        """The agents that need somebody to look."""
        return [(agent, total) for agent, total in self.agents if total.score >= ATTENTION]

    @property
    def worries(self) -> list[str]:
        """What is wrong with the gate or its record, in sentences; empty when nothing is."""
        return list(_worries(self))

    @property
    def met(self) -> str:
        """How many of the nine steps are met, fall short, are not measured."""
        found = [step.state for step in self.steps]
        parts = [
            f"{found.count('met')} met",
            f"{found.count('short')} fall short",
            f"{found.count('unmeasured')} not measured yet",
        ]
        return ", ".join(part for part in parts if not part.startswith("0"))


def posture_of(period: timedelta, now: datetime) -> Posture:
    """The posture over the last `period`."""
    since = now - period
    ranked = _ranked()
    everyone = [agent for agent, _ in ranked]
    ledger, permissions = state(), held()
    return Posture(
        now=now,
        agents=ranked,
        counts=_counts(since),
        decisions=_decisions(since, now),
        answers=answers_of(since, now),
        chart=_chart(since, now),
        fleet=fleet_of(ranked),
        bands=_bands(ranked),
        permissions=permissions,
        steps=steps(everyone, ledger, lag(ledger.size, now), permissions, since),
        ledger=ledger,
        proof=_last_proof(),
        gates=GatewayNode.objects.filter(stopped_at=None, beat_at__gte=now - _ALIVE).count(),
    )


def _ranked() -> list[tuple[Agent, Score]]:
    """Every agent with its risk, worst first; with its reasons only where the page says them."""
    agents = Agent.objects.exclude(status=Agent.Status.RETIRED).select_related("segment", "owner")
    ordered = list(agents.order_by("-risk", "name"))
    scored = scores_of(ordered[:RISKIEST])
    return [(agent, scored.get(agent.id, Score(agent.risk, ()))) for agent in ordered]


def _counts(since: datetime) -> dict[str, int]:
    counts = Action.objects.filter(asked_at__gte=since).aggregate(
        allow=Count("id", filter=Q(decision="allow", masked=False)),
        mask=Count("id", filter=Q(decision="allow", masked=True)),
        hold=Count("id", filter=Q(decision="hold")),
        deny=Count("id", filter=Q(decision="deny")),
    )
    return {**counts, "unrecorded": _unrecorded(since)}


def _unrecorded(since: datetime) -> int:
    """Actions that were let through without an entry that says so. What is being sequenced right now is left out."""
    before = timezone.now() - _SEQUENCED_WITHIN
    released = Action.objects.filter(asked_at__gte=since, released_at__lt=before, entry_id=None)
    said = Entry.objects.filter(action=Cast(OuterRef("id"), TextField()), event=Event.ACTION_RELEASED)
    return released.exclude(Exists(said)).count()


def _decisions(since: datetime, now: datetime) -> Decisions:
    settled = Hold.objects.filter(settled_at__gte=since)
    by_status = {row["status"]: row["n"] for row in settled.values("status").annotate(n=Count("id")).order_by()}
    decided = settled.filter(status__in=["approved", "released", "lapsed", "denied"]).values_list(
        "asked_at", "settled_at"
    )
    took = [(end - begin).total_seconds() for begin, end in decided if end]
    waiting = Hold.objects.filter(status="waiting", deadline__gt=now).count()
    return Decisions(waiting, by_status, figures.quantile(took, 0.5), figures.quantile(took, 0.9))


def _chart(since: datetime, now: datetime) -> dict[str, Any]:
    grain = "minute" if now - since <= timedelta(days=7) else "hour"
    asked = Action.objects.filter(asked_at__gte=since).annotate(at=Trunc("asked_at", grain))
    rows = asked.values_list("at", "decision", "masked").annotate(n=Count("id")).order_by()
    counted = [(at, "mask" if masked and decision == "allow" else decision, n) for at, decision, masked, n in rows]
    return {
        "labels": figures.labels(since, now),
        "series": figures.buckets(counted, since, now),
        "step": words.span(figures.step_of(now - since)),
    }


def _bands(ranked: list[tuple[Agent, Score]]) -> list[tuple[int, str, int]]:
    """Band number, its word, how many agents are in it; the quiet first."""
    found = [band(total.score)[0] for _, total in ranked]
    return [(number, word, found.count(number)) for _, number, word in reversed(BANDS)]


def _last_proof() -> Proof | None:
    """The newest entry that a checkpoint holds, checked now."""
    prover = Prover()
    if prover.checkpoint is None:
        return None
    entry = Entry.objects.filter(index=prover.checkpoint.size - 1).first()
    return (
        prover.proof(entry)
        if entry
        else Proof(prover.checkpoint.size - 1, BROKEN, why="The last signed entry is missing.")
    )


def _worries(posture: Posture) -> Iterator[str]:
    if posture.proof is None:
        yield "The ledger has no checkpoint yet."
    elif posture.proof.state == BROKEN:
        yield f"The ledger does not verify: {posture.proof.why}"
    if not posture.gates:
        yield "No gateway has been heard from in the last 15 seconds."
    waiting = posture.answers.needing_person
    if waiting:
        yield f"{words.plural(waiting, 'incident')} {'waits' if waiting == 1 else 'wait'} for a person to contain it."
    if posture.counts["unrecorded"]:
        yield f"{words.plural(posture.counts['unrecorded'], 'action')} left the gate unrecorded."
