"""Permissions on single objects: which groups may review what is asked in which segment. The only importer of guardian.

Segments are passed as plain model instances: accounts knows no app to its left.
"""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from guardian.models import GroupObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from accounts.models import Membership, Role, User

REVIEW = "review_segment"


def grant_review(group: Group, segment: Model) -> None:
    """Let the members of `group` review what is asked of the resources in `segment`."""
    assign_perm(REVIEW, group, segment)


def withdraw_review(group: Group, segment: Model) -> None:
    """The opposite of `grant_review`."""
    remove_perm(REVIEW, group, segment)


def may_review(user: User, segment: Model) -> bool:
    """Whether `user` is a reviewer and in a group that reviews `segment`."""
    return user.has_role(Role.REVIEWER) and _grants(user).filter(object_pk=str(segment.pk)).exists()


def segments_reviewable_by(user: User) -> set[UUID]:
    """Identifiers of the segments whose holds `user` may review."""
    if not user.has_role(Role.REVIEWER):
        return set()
    return {UUID(key) for key in _grants(user).values_list("object_pk", flat=True)}


def groups_reviewing(segment: Model) -> QuerySet[Group]:
    """The groups that may review `segment`."""
    content_type = ContentType.objects.get_for_model(segment)
    granted = GroupObjectPermission.objects.filter(
        permission__codename=REVIEW, content_type=content_type, object_pk=str(segment.pk)
    )
    return Group.objects.filter(id__in=granted.values("group"))


def _grants(user: User) -> QuerySet[GroupObjectPermission]:
    """The review permissions of `user`'s groups. Membership is ours, not Django's: it knows since when."""
    groups = Membership.objects.filter(user=user).values("group")
    return GroupObjectPermission.objects.filter(permission__codename=REVIEW, group__in=groups)
