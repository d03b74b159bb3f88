"""Permissions on single objects: which groups may review what is asked in a segment, of a resource, or by an agent.
The only importer of guardian.

Objects are passed as plain model instances: accounts knows no app to its left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from guardian.models import GroupObjectPermission

from accounts.models import Role, User
from accounts.once import once_a_page

KINDS: Final = ("segment", "resource", "agent")
_CODENAMES: Final = {f"review_{kind}": kind for kind in KINDS}
Key = tuple[str, UUID]
"""An object: its kind and identifier."""


class Reviewable(NamedTuple):
    """Identifiers of what somebody may review: all that is asked in segments, of resources, by agents."""

    segments: frozenset[UUID]
    resources: frozenset[UUID]
    agents: frozenset[UUID]


NOTHING: Final = Reviewable(frozenset(), frozenset(), frozenset())


def grant_review(group: Group, target: Model) -> bool:
    """Let the members of `group` review what concerns `target`; whether that is new."""
    # Made where it is first needed: an app's own permissions are made when it is migrated, and these are ours.
    content_type = ContentType.objects.get_for_model(target)
    permission, _ = Permission.objects.get_or_create(
        content_type=content_type,
        codename=f"review_{kind_of(target)}",
        defaults={"name": f"May review what concerns this {kind_of(target)}"},
    )
    _, made = GroupObjectPermission.objects.get_or_create(
        permission=permission, group=group, content_type=content_type, object_pk=str(target.pk)
    )
    return made


def withdraw_review(group: Group, target: Model) -> bool:
    """The opposite of `grant_review`; whether there was anything to withdraw."""
    ended, _ = _granted([target]).filter(group=group).delete()
    return ended > 0


def kind_of(target: Model) -> str:
    """What `target` is: one of KINDS."""
    return type(target).__name__.lower()


def may_review(user: User, target: Model) -> bool:
    """Whether `user` is a reviewer and in a group that reviews `target` itself."""
    return user.has_role(Role.REVIEWER) and _granted([target]).filter(group__in=_groups(user)).exists()


@once_a_page
def reviewable_by(user: User) -> Reviewable:
    """What `user` may review; nothing for one who is no reviewer. Membership is ours, not Django's: it knows since when."""
    if not user.has_role(Role.REVIEWER):
        return NOTHING
    found: dict[str, set[UUID]] = defaultdict(set)
    for kind, key in _keys(GroupObjectPermission.objects.filter(group__in=_groups(user))):
        found[kind].add(key)
    return Reviewable(*(frozenset(found[kind]) for kind in KINDS))


def segments_reviewable_by(user: User) -> frozenset[UUID]:
    """Identifiers of the segments all of whose holds `user` may review."""
    return reviewable_by(user).segments


def groups_reviewing(target: Model) -> QuerySet[Group]:
    """The groups that may review `target`."""
    return Group.objects.filter(id__in=_granted([target]).values("group"))


def groups_by_target(targets: Iterable[Model]) -> Mapping[Key, set[str]]:
    """The names of the groups that may review each of `targets`; one query however many."""
    found: dict[Key, set[str]] = defaultdict(set)
    rows = _granted(list(targets)).values_list("permission__codename", "object_pk", "group__name")
    for codename, key, group in rows:
        found[_CODENAMES[codename], UUID(key)].add(group)
    return found


def anything_reviewed() -> bool:
    """Whether any group may review anything."""
    return GroupObjectPermission.objects.filter(permission__codename__in=_CODENAMES).exists()


def targets_by_group(groups: Iterable[Group]) -> Mapping[int, set[Key]]:
    """What the members of each group may review, by the group's identifier; one query however many."""
    found: dict[int, set[Key]] = defaultdict(set)
    permissions = GroupObjectPermission.objects.filter(group__in=list(groups), permission__codename__in=_CODENAMES)
    for group, codename, key in permissions.values_list("group_id", "permission__codename", "object_pk"):
        found[group].add((_CODENAMES[codename], UUID(key)))
    return found


def _keys(permissions: QuerySet[GroupObjectPermission]) -> Iterable[Key]:
    rows = permissions.filter(permission__codename__in=_CODENAMES).values_list("permission__codename", "object_pk")
    return ((_CODENAMES[codename], UUID(key)) for codename, key in rows)


def _granted(targets: list[Model]) -> QuerySet[GroupObjectPermission]:
    """The review permissions on `targets`."""
    keys: dict[str, set[str]] = defaultdict(set)
    for target in targets:
        keys[kind_of(target)].add(str(target.pk))
    wanted = Q(pk__in=[])
    for kind, these in keys.items():
        wanted |= Q(permission__codename=f"review_{kind}", object_pk__in=these)
    return GroupObjectPermission.objects.filter(wanted)


def _groups(user: User) -> QuerySet[Group]:
    return Group.objects.filter(memberships__user=user)
