"""Every change of a trial. Asking for one is an entry; its making, which decides nothing, is `policies/trying.py`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts.actors import actor_of, require_role
from accounts.models import User
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from core.ids import new_id
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record
from policies.models import PolicyTrial, PolicyVersion
from policies.queries import TRIERS, active

Status = PolicyTrial.Status
PERIODS: Final = {
    "1d": ("the last day", timedelta(days=1)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
    "90d": ("the last 90 days", timedelta(days=90)),
}
SHADOW: Final = "shadow"
EVERY: Final = timedelta(seconds=30)
"""How long after it was made a shadow is made again."""
LONGEST_SHADOW: Final = timedelta(days=7)
MOST_UNFINISHED: Final = 3
"""Trials that one person may have waiting."""
MOST_BEGUN: Final = 3
"""How often a making begins before it is given up."""
LEASE: Final = timedelta(seconds=30)
"""How long whoever makes a trial may be silent before another takes it up."""


def ask(number: int, *, period: str, actor: User) -> PolicyTrial:
    """Try a version on what happened in a period, or in its shadow on what happens from now on, beside the version in force.

    Raises Refused, NotFound, Invalid.
    """
    require_role(actor, *TRIERS)
    if period not in {*PERIODS, SHADOW}:
        raise Invalid("period", "There is no such period.", f"Use one of: {', '.join([*PERIODS, SHADOW])}.")
    shadow, length = period == SHADOW, PERIODS[period][1] if period != SHADOW else timedelta(0)
    with transaction.atomic():
        User.objects.select_for_update().get(id=actor.id)  # two at once count each other
        if PolicyTrial.objects.filter(asked_by=actor, status__in=PolicyTrial.UNFINISHED).count() >= MOST_UNFINISHED:
            raise Refused(f"You have {MOST_UNFINISHED} trials waiting.", "Let one finish.", code="too_many")
        version = PolicyVersion.objects.filter(number=number).first()
        if version is None:
            raise NotFound(f"There is no version {number}.", "Choose one from the list.")
        if shadow and version.trials.filter(shadow=True, stopped_at=None).exists():
            raise AlreadySettled("The version has a shadow already.", "Look at it, or stop it first.")
        against, until = active(), db_now()
        trial = PolicyTrial.objects.create(
            version=version, against=against, since=until - length, until=until, asked_by=actor, shadow=shadow
        )
        details: dict[str, object] = {"against": against.number if against else None}
        details |= {"since": trial.since.isoformat(), "until": until.isoformat()}
        details |= {"shadow": True} if shadow else {}
        _record(Event.POLICY_TRIED, trial, actor, details)
    return trial


def stop(trial_id: UUID, *, actor: User) -> PolicyTrial:
    """Stop a shadow; what it found stays. Raises Refused, NotFound, AlreadySettled."""
    require_role(actor, *TRIERS)
    with transaction.atomic():
        shadows = PolicyTrial.objects.select_for_update(of=("self",)).select_related("version").filter(shadow=True)
        trial = shadows.filter(id=trial_id).first()
        if trial is None:
            raise NotFound("There is no such shadow.", "Choose one from its version's page.")
        if trial.stopped_at is not None:
            raise AlreadySettled("It is stopped already.", "Nothing is left to do.")
        trial.stopped_at = db_now()
        trial.save(update_fields=["stopped_at"])
        _record(Event.POLICY_SHADOW_STOPPED, trial, actor, {"since": trial.since.isoformat()})
    return trial


def take_up() -> PolicyTrial | None:
    """A trial that nobody is making, the oldest first, now held by the caller; None where there is none."""
    with transaction.atomic():
        now = db_now()
        free = Q(status=Status.QUEUED) | Q(status=Status.MAKING, beat_at__lt=now - LEASE)
        free |= Q(status=Status.READY, shadow=True, stopped_at=None, finished_at__lt=now - EVERY)
        waiting = PolicyTrial.objects.select_for_update(skip_locked=True).filter(free).order_by("asked_at", "id")
        trial = waiting.first()
        if trial is None:
            return None
        if trial.begun >= MOST_BEGUN:
            _end(
                trial, Status.FAILED, now, f"Its making began {MOST_BEGUN} times and never ended. Try a shorter period."
            )
            return None
        if trial.is_live:
            trial.until = min(now, trial.since + LONGEST_SHADOW)
            trial.stopped_at = trial.until if trial.until < now else None
        trial.status, trial.begun, trial.beat_at, trial.holder = Status.MAKING, trial.begun + 1, now, new_id()
        trial.save(update_fields=["status", "begun", "beat_at", "holder", "until", "stopped_at"])
    return trial


def tell(trial: PolicyTrial, *, tried: int, of: int) -> bool:
    """Say how far it is and that it is still being made; False when it is in other hands now."""
    ours = PolicyTrial.objects.filter(id=trial.id, status=Status.MAKING, holder=trial.holder)
    return bool(ours.update(beat_at=db_now(), tried=tried, actions=of))


def finish(trial: PolicyTrial, *, tried: int, untried: int, found: dict[str, Any]) -> None:
    """Keep what it came to; nothing happens when it is in other hands."""
    with transaction.atomic():
        ours = PolicyTrial.objects.select_for_update().filter(id=trial.id, status=Status.MAKING, holder=trial.holder)
        kept = ours.first()
        if kept is None:
            return
        kept.tried, kept.actions, kept.untried, kept.found, kept.begun = tried, tried, untried, found, 0
        kept.save(update_fields=["tried", "actions", "untried", "found", "begun"])
        _end(kept, Status.READY, db_now())


def fail(trial_id: UUID, *, why: str) -> None:
    """It cannot be made, and why."""
    with transaction.atomic():
        trial = PolicyTrial.objects.select_for_update().get(id=trial_id)
        if trial.is_unfinished:
            _end(trial, Status.FAILED, db_now(), why)


def _end(trial: PolicyTrial, status: PolicyTrial.Status, now: datetime, why: str = "") -> None:
    trial.status, trial.why, trial.finished_at = status, why[:500], now
    trial.save(update_fields=["status", "why", "finished_at"])


def _record(event: Event, trial: PolicyTrial, actor: User, details: dict[str, object]) -> None:
    version = trial.version
    record(
        event, actor=actor_of(actor), subject=Subject(kind="policies", id=str(version.id), name=str(version)), details=details,
        digest=version.digest, policy_version=version.number,
    )  # fmt: skip
