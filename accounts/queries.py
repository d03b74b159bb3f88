"""Reads about people and groups."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from accounts.models import Membership, Role, User

READS_EVERYTHING = (Role.CISO, Role.AUDITOR, Role.ENGINEER, Role.ADMINISTRATOR)


def groups_as_of(user: User, asked_at: datetime) -> set[str]:
    """Names of the groups whose seats `user` can fill for something asked at `asked_at`.

    Membership gained since does not count unless a second administrator confirmed it.
    """
    memberships = Membership.objects.filter(user=user).select_related("group")
    return {membership.group.name for membership in memberships if membership.counts_for(asked_at)}


def people_visible_to(user: User) -> QuerySet[User]:
    """Everybody, for those who answer for the whole; for others themselves and the people of their groups."""
    if user.has_role(*READS_EVERYTHING):
        return User.objects.all()
    mine = Membership.objects.filter(user=user).values("group")
    theirs = Membership.objects.filter(group__in=mine).values("user")
    return User.objects.filter(id__in=theirs) | User.objects.filter(id=user.id)
