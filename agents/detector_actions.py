"""State changes of detectors. Each leaves its entry in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import resource_subject
from agents.detecting import names
from agents.detector_models import OFF, STRATEGIES, OwnDetector, ResourceDetector
from agents.detectors import own
from agents.resource_actions import locked
from agents.revision import bump_revision
from core.db import db_now
from core.errors import Invalid, NotFound
from ledger.entries import Subject
from ledger.events import Event
from ledger.write import record

USUAL = ""
"""What is said of a detector by saying nothing."""


def write_detector(
    name: str, *, title: str, pattern: str, sample: str, strategy: str, everywhere: bool, actor: User
) -> OwnDetector:
    """Write a detector of one's own, or write it anew. Raises Refused, and Invalid for a pattern that cannot be used."""
    require_role(actor, Role.ENGINEER)
    own.check(name, pattern, sample)
    if strategy not in dict(STRATEGIES):
        raise Invalid("strategy", "There is no such strategy.", "redact, partial or hash.")
    if not title.strip():
        raise Invalid("title", "A detector says what it finds.", "As in “A customer's number”.")
    given = {"title": title, "pattern": pattern, "sample": sample, "strategy": strategy, "everywhere": everywhere}
    with transaction.atomic():
        before = OwnDetector.objects.select_for_update().filter(name=name).first()
        found, _ = OwnDetector.objects.update_or_create(
            name=name, defaults={**given, "written_at": db_now(), "written_by": actor}
        )
        details = {
            "pattern": pattern,
            "strategy": strategy,
            "everywhere": everywhere,
            "before": before.pattern if before else None,
        }
        record(Event.DETECTOR_WRITTEN, actor=actor_of(actor), subject=_subject(found), details=details)
        bump_revision()
    return found


def remove_detector(name: str, *, reason: str, actor: User) -> None:
    """Take a detector of one's own away: what it found is shown from now on. Raises Refused, NotFound."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        found = OwnDetector.objects.select_for_update().filter(name=name).first()
        if found is None:
            raise NotFound("There is no such detector of your own.")
        subject = _subject(found)
        ResourceDetector.objects.filter(detector=name).delete()
        found.delete()
        details = {"pattern": found.pattern, "reason": reason}
        record(Event.DETECTOR_REMOVED, actor=actor_of(actor), subject=subject, details=details)
        bump_revision()


def set_detectors(resource_id: UUID, *, said: Mapping[str, str], actor: User) -> dict[str, dict[str, str]]:
    """Say what detectors do at a resource: a strategy, `off`, or nothing for what is usual. Gives what changed.

    Detectors that `said` does not name stay as they are. Raises Refused, NotFound, AlreadySettled (retired), Invalid.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        resource = locked(resource_id)
        _require_known(said)
        before = dict(resource.detectors.values_list("detector", "strategy"))
        changed = {
            name: {"before": before.get(name, USUAL), "after": to}
            for name, to in said.items()
            if before.get(name, USUAL) != to
        }
        for name, change in changed.items():
            if change["after"] == USUAL:
                resource.detectors.filter(detector=name).delete()
            else:
                resource.detectors.update_or_create(detector=name, defaults={"strategy": change["after"]})
        if changed:
            subject = resource_subject(resource)
            record(Event.DETECTORS_SET, actor=actor_of(actor), subject=subject, details={"changed": changed})
            bump_revision()
    return changed


def _require_known(said: Mapping[str, str]) -> None:
    unknown = sorted(said.keys() - names())
    if unknown:
        raise Invalid("detectors", f"There is no detector {unknown[0][:40]}.", "GET /api/v1/detectors lists them.")
    strategies = {*dict(STRATEGIES), OFF, USUAL}
    odd = sorted(name for name, strategy in said.items() if strategy not in strategies)
    if odd:
        raise Invalid(
            "detectors", f"{odd[0]} cannot do that.", "redact, partial, hash, off, or nothing for what is usual."
        )


def _subject(one: OwnDetector) -> Subject:
    return Subject(kind="detector", id=str(one.pk), name=one.name)
