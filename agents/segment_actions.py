"""Every change to segments. Each leaves its entry in the same transaction."""

from __future__ import annotations

from typing import TypedDict, Unpack
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

WISH = ["unmark_asked_by", "unmark_asked_at"]


def create_segment(name: str, *, purpose: str = "", production: bool = False, actor: User | Actor) -> Segment:
    """Make a segment; in one of production a second person activates each agent. Raises Refused and Invalid."""
    require_role(actor, Role.ENGINEER)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(name=name, purpose=purpose, production=production)
            details = {"purpose": purpose, "production": production}
            record(Event.SEGMENT_CREATED, actor=actor_of(actor), subject=segment_subject(segment), details=details)
            bump_revision()
    except IntegrityError:
        raise Invalid("name", f"There is already a segment {name}.", "Choose another name.") from None
    return segment


class About(TypedDict, total=False):
    """What of a segment may be changed."""

    purpose: str
    production: bool


def change_segment(segment_id: UUID, *, actor: User | Actor, **about: Unpack[About]) -> Segment:
    """Change what a segment is for, or whether it is of production; its name stays, for policies name it.

    That it is of production, two administrators take back: the first one asks, and it stays so until another one says the same. Who says
    that it is of production meanwhile drops the wish. Raises Refused (code `still_production` for anybody but an administrator who
    says that it is so no longer, `same_person` for one who has asked), NotFound, AlreadySettled (retired).
    """
    require_role(actor, Role.ENGINEER, Role.ADMINISTRATOR)
    with transaction.atomic():
        segment = _locked(segment_id)
        if segment.retired_at:
            raise AlreadySettled(f"{segment.name} is retired.")
        if (
            segment.production
            and "production" in about
            and not _settles(segment, actor, unmark=not about["production"])
        ):
            del about["production"]
        difference = changed(segment, about)
        if difference:
            segment.save(update_fields=[*difference, *WISH])
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


def require_open(segment: Segment) -> Segment:
    """Hold the segment in the caller's transaction, as it is now: it changes not before that ends. Raises Invalid where it is retired."""
    held = _locked(segment.id)
    if held.retired_at:
        raise Invalid("segment", f"The segment {segment.name} is retired.", "Choose another.")
    return held


def waits_for(segment: Segment) -> User | None:
    """Who asks that a segment be of production no longer, as long as they still could; a second administrator confirms."""
    asked_by = segment.unmark_asked_by
    return asked_by if asked_by is not None and asked_by.has_role(Role.ADMINISTRATOR) else None


def _settles(segment: Segment, actor: User | Actor, *, unmark: bool) -> bool:
    """Whether what `actor` says of a locked segment of production happens now; a wish is noted or dropped with its entry."""
    asked_by = waits_for(segment)
    if not unmark:
        if asked_by is not None:
            _wish(segment, None, Event.SEGMENT_UNMARK_DROPPED, actor)
        return False
    _require_administrator(actor)
    if not isinstance(actor, User):
        return True
    if asked_by is None:
        _wish(segment, actor, Event.SEGMENT_UNMARK_ASKED, actor)
        return False
    if asked_by.person == actor.person:
        raise Refused("You asked for it: a second administrator confirms.", code="same_person")
    segment.unmark_asked_by = segment.unmark_asked_at = None
    return True


def _wish(segment: Segment, asked_by: User | None, event: Event, actor: User | Actor) -> None:
    segment.unmark_asked_by, segment.unmark_asked_at = asked_by, db_now() if asked_by else None
    segment.save(update_fields=WISH)
    record(event, actor=actor_of(actor), subject=segment_subject(segment))


def _require_administrator(actor: User | Actor) -> None:
    """Those who enrol agents do not take away what a second person has to say about them."""
    if isinstance(actor, User) and not actor.has_role(Role.ADMINISTRATOR):
        message = "That a segment is of production is taken back by an administrator."
        raise Refused(
            message, "Ask one: whoever enrols agents does not decide alone who acts.", code="still_production"
        )


def _locked(segment_id: UUID) -> Segment:
    segment = Segment.objects.select_for_update().filter(id=segment_id).first()
    if segment is None:
        raise NotFound("There is no such segment.")
    return segment
