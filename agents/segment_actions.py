"""Every change to segments. Each leaves its entry in the same transaction."""

from __future__ import annotations

from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from agents.actors import segment_subject
from agents.differences import changed
from agents.models import Agent, Segment
from agents.revision import bump_revision
from core.db import db_now
from core.errors import AlreadySettled, Invalid, NotFound, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record


def create_segment(name: str, *, purpose: str = "", actor: User | Actor) -> Segment:
    """Make a segment. Raises Refused and Invalid."""
    require_role(actor, Role.ENGINEER)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(name=name, purpose=purpose)
            details = {"purpose": purpose}
            record(Event.SEGMENT_CREATED, actor=actor_of(actor), subject=segment_subject(segment), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"There is already a segment {name}.", "Choose another name.") from None
    return segment


def change_segment(segment_id: UUID, *, purpose: str, actor: User | Actor) -> Segment:
    """Change what a segment is for; its name stays, for policies name it. Raises Refused, NotFound, AlreadySettled (retired)."""
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        segment = _locked(segment_id)
        if segment.retired_at:
            raise AlreadySettled(f"{segment.name} is retired.")
        difference = changed(segment, {"purpose": purpose})
        if difference:
            segment.save(update_fields=list(difference))
            details = {"changed": difference}
            record(Event.SEGMENT_CHANGED, actor=actor_of(actor), subject=segment_subject(segment), details=details)
            bump_revision()
    return segment


def retire_segment(segment_id: UUID, *, reason: str, actor: User | Actor) -> Segment:
    """End an empty segment: nothing is put into it any more, and its name is not used again.

    Raises Refused (code `not_empty`, or the role), NotFound, AlreadySettled.
    """
    require_role(actor, Role.ENGINEER)
    with transaction.atomic():
        segment = _locked(segment_id)
        if segment.retired_at:
            raise AlreadySettled(f"{segment.name} is retired.")
        inside = inhabitants(segment)
        if any(inside):
            message = f"{segment.name} holds {inside[0]} agents and {inside[1]} resources that are not retired."
            raise Refused(message, "Move or retire them first.", code="not_empty")
        segment.retired_at = db_now()
        segment.save(update_fields=["retired_at"])
        details = {"reason": reason}
        record(Event.SEGMENT_RETIRED, actor=actor_of(actor), subject=segment_subject(segment), details=details)
        bump_revision()
    return segment


def inhabitants(segment: Segment) -> tuple[int, int]:
    """How many agents and resources in it are not retired."""
    agents = segment.agents.exclude(status=Agent.Status.RETIRED).count()
    return agents, segment.resources.filter(retired_at=None).count()


def require_open(segment: Segment) -> None:
    """Hold the segment in the caller's transaction: it is not retired before that ends. Raises Invalid where it is."""
    if _locked(segment.id).retired_at:
        raise Invalid("segment", f"The segment {segment.name} is retired.", "Choose another.")


def _locked(segment_id: UUID) -> Segment:
    segment = Segment.objects.select_for_update().filter(id=segment_id).first()
    if segment is None:
        raise NotFound("There is no such segment.")
    return segment
