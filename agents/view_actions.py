"""A person's saved views of the fleet. They are nobody else's affair, decide nothing, and leave no entry."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from accounts.models import User
from agents.models import SavedView
from core.errors import Invalid, NotFound, Refused

MOST: Final = 20
"""Views of one person: as many as a row of links can hold."""


def save_view(name: str, query: str, *, actor: User) -> SavedView:
    """Keep filters under a name of `actor`'s; under one that is there, in its place.

    Raises Invalid where nothing is filtered, and Refused (code `too_many`).
    """
    if not query:
        raise Invalid(
            "name", "Nothing is filtered or ordered here.", "Choose filters first; without any there is the list."
        )
    with transaction.atomic():
        User.objects.select_for_update().get(id=actor.id)  # two at once count one after the other
        mine = SavedView.objects.filter(person=actor)
        if mine.exclude(name=name).count() >= MOST:
            raise Refused(f"There are {MOST} views already.", "Forget one that you need no longer.", code="too_many")
        view, _ = mine.update_or_create(person=actor, name=name, defaults={"query": query})
    return view


def forget_view(view_id: int, *, actor: User) -> SavedView:
    """Delete a view of `actor`'s own, and give it as it was. Raises NotFound, also for anybody else's."""
    with transaction.atomic():
        view = SavedView.objects.select_for_update().filter(id=view_id, person=actor).first()
        if view is None:
            raise NotFound("You have no such view.")
        SavedView.objects.filter(id=view_id).delete()
    return view
