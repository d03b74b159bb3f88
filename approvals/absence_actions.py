"""Being away: said by each for themself, for a time, with the name of who is asked instead. Nobody's rights change by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, subject_of
from accounts.models import User
from approvals.eligibility import standing
from approvals.models import Absence, Hold
from core.db import db_now
from core.errors import Invalid, NotFound
from ledger.events import Event
from ledger.write import record

LONGEST: Final = timedelta(days=90)


def go_away(*, actor: User, delegate: User, begins: datetime, ends: datetime) -> Absence:
    """Say that `actor` is away from `begins` until `ends`, and that `delegate` is asked meanwhile; it replaces what they said before. Raises Invalid."""
    with transaction.atomic():
        now = db_now()
        person = User.objects.select_for_update(no_key=True).get(id=actor.id)
        if delegate.person == person.person or not delegate.is_active:
            raise Invalid("delegate", "Somebody else has to stand in.", "Name a colleague whose account is open.")
        if ends <= max(begins, now):
            raise Invalid("ends", "It ends before it begins, or has ended.", "Give a later time.")
        if ends - begins > LONGEST:
            raise Invalid("ends", f"One is away for {LONGEST.days} days at most.", "Give an earlier time.")
        absence, _ = Absence.objects.update_or_create(
            person=person, defaults={"delegate": delegate, "begins": begins, "ends": ends}
        )
        details = {"delegate": str(delegate.id), "begins": begins.isoformat(), "ends": ends.isoformat()}
        record(Event.ABSENCE_SAID, actor=actor_of(person), subject=subject_of(person), details=details)
    return absence


def come_back(*, actor: User) -> None:
    """End one's own absence now, or drop one that is to come. Raises NotFound where there is none."""
    with transaction.atomic():
        number, _ = Absence.objects.filter(person=actor).delete()
        if not number:
            raise NotFound("You are not away.")
        record(Event.ABSENCE_ENDED, actor=actor_of(actor), subject=subject_of(actor))


def stands_in(person: User, hold: Hold, *, now: datetime) -> User:
    """Who is asked to review `hold` in place of `person`: their delegate, while they are away and where that one may themself; else they."""
    absence = Absence.objects.select_related("delegate").filter(person=person).first()
    if absence is None or not absence.is_on(now) or not standing(absence.delegate, hold).eligible:
        return person
    return absence.delegate


def away(people: Iterable[User], *, now: datetime) -> dict[UUID, UUID]:
    """The accounts of `people` who are away, with those of their delegates."""
    on = Absence.objects.filter(person__in=list(people), begins__lte=now, ends__gt=now)
    return dict(on.values_list("person_id", "delegate_id"))


def asked_instead(people: Iterable[User], gone: Mapping[UUID, UUID]) -> list[User]:
    """Those of `people`, who may all review the same, that are to be told: nobody who is away and whose delegate is there."""
    everybody = list(people)
    present = {one.id for one in everybody if one.id not in gone}
    return [one for one in everybody if one.id in present or gone[one.id] not in present]
