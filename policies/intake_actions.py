"""Every change of an intake: a text of many policies on its way to become a draft. Its making is `policies/intake.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.actors import require_role
from accounts.models import Role, User
from core.db import db_now
from core.errors import NarrowgateError, Refused
from core.ids import new_id
from policies import actions
from policies.models import PolicyIntake

Status = PolicyIntake.Status
MOST_UNFINISHED: Final = 3
"""Texts that one person may have waiting."""
MOST_BEGUN: Final = 3
"""How often a reading begins before it is given up."""
LEASE: Final = timedelta(seconds=30)
"""How long whoever reads may be silent before another takes it up."""
KEPT: Final = timedelta(days=1)
"""How long a text that was refused is kept for its author."""


def ask(
    text: str,
    *,
    actor: User,
    propose: bool = False,
    note: str = "",
    tests: str = "",
    commit: str = "",
    repository: str = "",
) -> PolicyIntake:
    """Have `text` read and kept as a draft of `actor`'s, and proposed where asked. Raises Refused."""
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    with transaction.atomic():
        User.objects.select_for_update().get(id=actor.id)  # two at once count each other
        if PolicyIntake.objects.filter(asked_by=actor, status__in=PolicyIntake.UNFINISHED).count() >= MOST_UNFINISHED:
            raise Refused(f"You have {MOST_UNFINISHED} texts waiting to be read.", "Let one finish.", code="too_many")
        return PolicyIntake.objects.create(
            text=text, tests=tests, note=note, commit=commit, repository=repository, propose=propose, asked_by=actor
        )


def take_up() -> PolicyIntake | None:
    """A text that nobody is reading, the oldest first, now held by the caller; None where there is none."""
    with transaction.atomic():
        now = db_now()
        PolicyIntake.objects.filter(finished_at__lt=now - KEPT).delete()
        free = Q(status=Status.QUEUED) | Q(status=Status.READING, beat_at__lt=now - LEASE)
        waiting = PolicyIntake.objects.select_for_update(skip_locked=True, of=("self",)).filter(free)
        intake = waiting.select_related("asked_by").order_by("asked_at", "id").first()
        if intake is None:
            return None
        if intake.begun >= MOST_BEGUN:
            intake.why, intake.remedy = f"Reading it began {MOST_BEGUN} times and never ended.", "Split it."
            _end(intake, Status.FAILED)
            return None
        intake.status, intake.begun, intake.beat_at, intake.holder = Status.READING, intake.begun + 1, now, new_id()
        intake.save(update_fields=["status", "begun", "beat_at", "holder"])
    return intake


def tell(intake: PolicyIntake, *, read: int, of: int) -> bool:
    """Say how far it is and that it is still being read; False when it is in other hands now."""
    ours = PolicyIntake.objects.filter(id=intake.id, status=Status.READING, holder=intake.holder)
    return bool(ours.update(beat_at=db_now(), read=read, of=of))


def finish(intake: PolicyIntake) -> None:
    """Keep the draft, and propose it where asked; nothing happens when it is in other hands. Raises NarrowgateError."""
    with transaction.atomic():
        kept = _ours(intake)
        if kept is None:
            return
        said = {"note": kept.note, "tests": kept.tests, "commit": kept.commit, "repository": kept.repository}
        version = actions.draft(kept.text, actor=kept.asked_by, **said)
        kept.version = actions.propose(version.id, actor=kept.asked_by) if kept.propose else version
        kept.text = kept.tests = ""  # the version has them
        kept.save(update_fields=["version", "text", "tests"])
        _end(kept, Status.READY)


def fail(intake: PolicyIntake, error: NarrowgateError) -> None:
    """It cannot become a version, and why; its text stays for its author to go on with."""
    with transaction.atomic():
        kept = _ours(intake)
        if kept is not None:
            kept.why, kept.remedy = error.message[:500], error.remedy[:300]
            _end(kept, Status.FAILED)


def _ours(intake: PolicyIntake) -> PolicyIntake | None:
    locked = PolicyIntake.objects.select_for_update(of=("self",)).select_related("asked_by")
    return locked.filter(id=intake.id, status=Status.READING, holder=intake.holder).first()


def _end(intake: PolicyIntake, status: PolicyIntake.Status) -> None:
    intake.status, intake.finished_at = status, db_now()
    intake.save(update_fields=["status", "finished_at", "why", "remedy"])
