"""What every change to a hold stands on: its row, locked; who may see it; its entries; the gateways that wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db import connection

from accounts.models import User
from approvals.models import Hold
from approvals.queries import NEAR, visible_to, with_people
from core.errors import NotFound
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

CHANNEL: Final = "narrowgate_settled"


def locked(hold_id: UUID) -> Hold:
    """The hold, locked until the transaction ends. Raises NotFound."""
    of_itself = Hold.objects.select_for_update(of=("self",)).select_related(*NEAR)
    hold = of_itself.filter(id=hold_id).first()
    if hold is None:
        raise NotFound("There is no such hold, or none that you may see.")
    with_people(hold)
    return hold


def seen_by(hold_id: UUID, actor: User) -> tuple[Hold, User]:
    """The hold, locked, and `actor` as they are now, who may see it. Raises NotFound."""
    person = User.objects.get(id=actor.id)
    if not visible_to(person).filter(id=hold_id).exists():
        raise NotFound("There is no such hold, or none that you may see.")
    return locked(hold_id), person


def noted(event: Event, hold: Hold, actor: Actor, *, details: Mapping[str, object] | None = None) -> UUID:
    """Write an entry about `hold`, in the transaction of what it records."""
    return record(
        event, actor=actor, subject=subject_of(hold), details={**(details or {}), **hold.outside}, session=hold.session_id,
        action=hold.action_id, digest=hold.digest, policy_version=hold.policy_version,
    )  # fmt: skip


def subject_of(hold: Hold) -> Subject:
    """`hold` as what an entry is about."""
    return Subject(kind="hold", id=str(hold.id), name=f"{hold.verb} by {hold.agent.name}")


def terms_of(hold: Hold) -> dict[str, object]:
    """How grave it is and how it is approved, where policy says so."""
    return {
        **({"severity": hold.severity} if hold.severity else {}),
        **({"passkey": True} if hold.passkey else {}),
    }


def wake(hold: Hold) -> None:
    """Wake the gateways when this commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(hold.id)])
