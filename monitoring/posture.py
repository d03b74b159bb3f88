"""The CISO's page: one verdict and the figures behind it, all counted from the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from agents.halt_actions import halted
from agents.models import Agent, Halt
from core import words
from ledger.proving import BROKEN
from monitoring import figures
from monitoring.answers import Answers, answers_of
from monitoring.counts import over_time
from monitoring.decisions import Decisions, decisions_of
from monitoring.facts import Watch, facts_of, watch
from monitoring.fleet import ALL_SHOWN, ALONE, Group, treemap
from monitoring.fleet_counts import ATTENTION_FROM, FleetCounts, fleet_counts, riskiest
from monitoring.score import Score
from monitoring.steps import Step, met, steps
from monitoring.tally import KINDS
from policies.queries import unreviewed

PERIODS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90)}
TOP = 10
UNHEARD = timedelta(seconds=30)
"""How old what is said of the ledger may be."""


@dataclass(frozen=True)
class Posture:
    """Everything the page says, as of `now`, of the time from `since` on."""

    now: datetime
    since: datetime
    fleet: FleetCounts
    ranked: list[tuple[Agent, Score]]
    groups: list[Group]
    counts: dict[str, int]
    chart: dict[str, Any]
    decisions: Decisions
    answers: Answers
    watch: Watch
    steps: list[Step]
    halt: Halt | None
    rollbacks: int
    """Of the policies, that no second person has looked at."""

    @property
    def window(self) -> str:
        """The time that the figures are of, for the addresses of the rows behind them."""
        return urlencode({"since": self.since.isoformat(), "until": self.now.isoformat()})

    @property
    def riskiest(self) -> list[tuple[Agent, Score]]:
        """The ten riskiest, worst first."""
        return self.ranked[:TOP]

    @property
    def attention(self) -> list[tuple[Agent, Score]]:
        """The first of the agents that need somebody to look."""
        least = {5: 80, 4: 60}[ATTENTION_FROM]
        return [(agent, total) for agent, total in self.ranked[:2] if total.score >= least]

    @property
    def granted(self) -> int:
        """How many permissions agents hold."""
        return self.fleet.total("granted")

    @property
    def unused(self) -> int:
        """How many of those were never used."""
        return self.granted - self.fleet.total("used")

    @property
    def worries(self) -> list[str]:
        """What is wrong with the gate or its record, in sentences; empty when nothing is."""
        return list(_worries(self))

    @property
    def met(self) -> str:
        """How many of the nine steps are met, fall short, are not measured."""
        return met(self.steps)


def posture_of(period: timedelta, now: datetime) -> Posture:
    """The posture over the last `period`, which begins with a whole minute."""
    since = (now - period).replace(second=0, microsecond=0)
    step = figures.step_of(now - since)
    fleet, seen = fleet_counts(), watch(since, now)
    ranked = riskiest(ALL_SHOWN if fleet.agents <= ALL_SHOWN else ALONE)
    counted = over_time(since, step)
    return Posture(
        now=now,
        since=since,
        fleet=fleet,
        ranked=ranked,
        groups=treemap(fleet, [agent for agent, _ in ranked]),
        counts={kind: sum(numbers[kind] for _, numbers in counted) for kind in KINDS},
        chart=_chart(counted, since, now),
        decisions=decisions_of(since, now, step),
        answers=answers_of(since, now),
        watch=seen,
        steps=steps(facts_of(fleet, seen, now)),
        halt=halted(),
        rollbacks=unreviewed().count(),
    )


def _chart(counted: list[tuple[datetime, dict[str, int]]], since: datetime, now: datetime) -> dict[str, Any]:
    rows = [(at, kind, number) for at, numbers in counted for kind, number in numbers.items()]
    return {
        "labels": figures.labels(since, now),
        "series": figures.buckets(rows, since, now),
        "step": words.span(figures.step_of(now - since)),
    }


def _worries(posture: Posture) -> Iterator[str]:
    seen, ledger = posture.watch, posture.watch.ledger
    if ledger.signed_at is None:
        yield "The ledger has no checkpoint yet."
    elif ledger.proof == BROKEN:
        yield f"The ledger does not verify: {ledger.why}"
    if ledger.checked_at is None or posture.now - ledger.checked_at > UNHEARD:
        yield "The detector is silent: nothing is detected, counted or verified until it runs again."
    if not seen.gates:
        yield "No gateway has been heard from in the last 15 seconds."
    waiting = posture.answers.needing_person
    if waiting:
        yield f"{words.plural(waiting, 'incident')} {'waits' if waiting == 1 else 'wait'} for a person to contain it."
    late = posture.rollbacks
    if late:
        yield f"{words.plural(late, 'roll-back')} of the policies {'waits' if late == 1 else 'wait'} for a second person to look."
    if seen.unrecorded:
        yield f"{words.plural(seen.unrecorded, 'action')} left the gate unrecorded."
    if seen.counts_differing:
        yield f"{words.plural(seen.counts_differing, 'count')} on this page {'differs' if seen.counts_differing == 1 else 'differ'} from a recount."
