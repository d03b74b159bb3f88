"""What the posture page counts beside the fleet, the actions and the incidents: one query for all of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, IntegerField, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from activity.models import Action, GatewayNode, Session
from agents.models import Credential, Resource
from ledger.models import Key
from monitoring import soft_keys
from monitoring.fleet_counts import FleetCounts
from monitoring.models import Cursor, LedgerCheck
from monitoring.steps import CUT, Facts

ALIVE: Final = timedelta(seconds=15)
RECORDED_WITHIN: Final = timedelta(seconds=10)
"""What was released so lately may not be committed yet, as far as this page can see."""


@dataclass(frozen=True)
class Watch:
    """How the gate and its watchers stand: gateways heard, the detector's and the counter's cursors, the ledger."""

    gates: int
    unrecorded: int
    undecided: int
    late_sessions: int
    bare_resources: int
    soft_key: int
    detector_at: int
    detector_heard: datetime | None
    counter_at: int
    counts_checked: datetime | None
    counts_differing: int
    ledger: LedgerCheck


def watch(since: datetime, now: datetime) -> Watch:
    """How everything stands at `now`; actions since then."""
    counter = Cursor.objects.filter(id=Cursor.COUNTER)
    row = Cursor.objects.filter(id=Cursor.DETECTOR).values(
        gates=_number(GatewayNode.objects.filter(stopped_at=None, beat_at__gte=now - ALIVE)),
        unrecorded=_number(unrecorded(since, now)),
        undecided=_number(undecided(since)),
        late_sessions=_number(late_sessions(now)),
        bare_resources=_number(bare_resources()),
        soft_key=_number(soft_key()),
        detector_at=F("next"),
        detector_heard=F("beat_at"),
        counter_at=Subquery(counter.values("next")),
        counts_checked=Subquery(counter.values("checked_until")),
        counts_differing=Subquery(counter.values("differing")),
    )
    return Watch(**row.get(), ledger=LedgerCheck.objects.get(id=1))


def _number(rows: QuerySet[Any]) -> Any:  # noqa: ANN401 -- an expression, untyped by Django
    """How many rows, as part of another query."""
    counted = rows.order_by().annotate(all=Value(1)).values("all").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def unrecorded(since: datetime, now: datetime) -> QuerySet[Action]:
    """Actions that were let through without an entry that says so."""
    return Action.objects.filter(asked_at__gte=since, released_at__lt=now - RECORDED_WITHIN, entry_id=None)


def undecided(since: datetime) -> QuerySet[Action]:
    """Actions that were allowed by no version of the policies."""
    return Action.objects.filter(asked_at__gte=since, policy_version=0, decision=Action.Decision.ALLOW)


def late_sessions(now: datetime) -> QuerySet[Session]:
    """Sessions that outlived their credential's revocation."""
    revoked = Credential.objects.filter(revoked_at__lt=now - CUT)
    return Session.objects.filter(ended_at=None, credential_id__in=revoked.values("id"))


def bare_resources() -> QuerySet[Resource]:
    """Resources without a login in the vault."""
    return Resource.objects.filter(retired_at=None, secrets=None)


def soft_key() -> QuerySet[Key]:
    """The key that signs the ledger now, unless an HSM keeps it."""
    newest = Key.objects.order_by("-first_size", "-created_at").values("key_id")[:1]
    return Key.objects.filter(key_id__in=newest).exclude(kept_in="hsm")


def facts_of(fleet: FleetCounts, seen: Watch, now: datetime) -> Facts:
    """What the nine steps are measured by."""
    ledger = seen.ledger
    return Facts(
        agents=fleet.agents,
        no_role=fleet.total("no_role"),
        no_key=fleet.total("no_key"),
        bearer=fleet.total("bearer"),
        undecided=seen.undecided,
        measured=fleet.total("measured"),
        broad=fleet.total("broad"),
        unscored=fleet.total("unscored"),
        silent=now - seen.detector_heard if seen.detector_heard else None,
        behind=max(0, ledger.size - seen.detector_at),
        late_sessions=seen.late_sessions,
        bare_resources=seen.bare_resources,
        soft_keys=seen.soft_key + len(soft_keys.in_files()),
        unrecorded=seen.unrecorded,
        signed=now - ledger.signed_at if ledger.signed_at else None,
        waiting=now - ledger.oldest_at if ledger.oldest_at else None,
    )
