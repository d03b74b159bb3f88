"""Reads about people and groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import Membership, Role, User

READS_EVERYTHING = (Role.CISO, Role.AUDITOR, Role.ENGINEER, Role.ADMINISTRATOR)


def groups_as_of(user: User, asked_at: datetime) -> set[str]:
    """Names of the groups whose seats `user` can fill for something asked at `asked_at`.

    Membership gained since does not count unless a second administrator confirmed it.
    """
    memberships = Membership.objects.filter(user=user).select_related("group")
    return {membership.group.name for membership in memberships if membership.counts_for(asked_at)}


def accounts_of(users: Iterable[User]) -> Mapping[UUID, set[str]]:
    """The identifiers of every account of each of these people, by person; one query."""
    found: dict[UUID, set[str]] = defaultdict(set)
    people = {user.person for user in users}
    for person, account in User.objects.filter(person__in=people).values_list("person", "id"):
        found[person].add(str(account))
    return found


def people_visible_to(user: User) -> QuerySet[User]:
    """Everybody, for those who answer for the whole; for others themselves and the people of their groups."""
    if user.has_role(*READS_EVERYTHING):
        return User.objects.all()
    mine = Membership.objects.filter(user=user).values("group")
    theirs = Membership.objects.filter(group__in=mine).values("user")
    return User.objects.filter(id__in=theirs) | User.objects.filter(id=user.id)
