"""Reads of the activity record beyond a queryset."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from activity.models import Action, Erasure, Session


def action_of_agent(action_id: UUID, *, agent_name: str, resource_name: str) -> Action | None:
    """An action as its own agent may see it, asked through a credential for that resource; None for any other."""
    # Sessions keep names as they were; an agent's name is never used again for another.
    asked_in = Session.objects.filter(id=OuterRef("session_id"), agent_name=agent_name, resource_name=resource_name)
    return Action.objects.filter(Exists(asked_in), id=action_id).first()


def erasures_with_people() -> QuerySet[Erasure]:
    """Erasures, with who asked and who confirmed."""
    return Erasure.objects.select_related("asked_by", "confirmed_by")


def erasure_of(one: Action | Session | None) -> Erasure | None:
    """By which what was recorded of it was erased; None where it is as it was."""
    return erasures_with_people().filter(id=one.erasure_id).first() if one and one.erasure_id else None
