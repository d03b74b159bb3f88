"""Reads about policy versions."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db.models import QuerySet

from accounts.models import Role, User
from agents.detecting import names as detectors
from agents.models import ColumnTag
from core.words import listing
from policies.check import Registry
from policies.models import PolicyIntake, PolicyRollback, PolicyTrial, PolicyVersion

READERS = (Role.ENGINEER, Role.CISO, Role.AUDITOR, Role.ADMINISTRATOR, Role.REVIEWER)
TRIERS = (Role.ENGINEER, Role.CISO, Role.ADMINISTRATOR)
"""Who may have a version tried: those who write versions and those who approve them."""


def visible_to(user: User) -> QuerySet[PolicyVersion]:
    """The versions `user` may read: all, for those who write, review or answer by them."""
    versions = PolicyVersion.objects.select_related("author", "approved_by")
    return versions if user.has_role(*READERS) else versions.none()


def trials_visible_to(user: User) -> QuerySet[PolicyTrial]:
    """The trials `user` may read: all, for whoever may have one made. They name agents and resources."""
    trials = PolicyTrial.objects.select_related("version", "against", "asked_by")
    return trials if user.has_role(*TRIERS, Role.AUDITOR) else trials.none()


def intakes_visible_to(user: User) -> QuerySet[PolicyIntake]:
    """The texts that are being read for `user`: nobody else's, they are no versions yet."""
    return PolicyIntake.objects.select_related("version").filter(asked_by=user)


def unreviewed() -> QuerySet[PolicyRollback]:
    """The roll-backs that nobody else has looked at yet, oldest first."""
    return PolicyRollback.objects.filter(reviewed_at=None).select_related("version", "replaced", "by")


def active() -> PolicyVersion | None:
    """The version in force, if any is."""
    return PolicyVersion.objects.filter(status=PolicyVersion.Status.ACTIVE).first()


def registry() -> Registry:
    """The names that policies may use. Tags, and detectors, which are lifted alike, are checked once any column has one."""
    tags = set(ColumnTag.objects.values_list("tag", flat=True).distinct())
    groups = set(Group.objects.values_list("name", flat=True))
    return Registry(groups=groups, tags=tags | detectors() if tags else None)


def unsigned() -> str:
    """What is to be said, and done, where versions were kept before versions were signed; empty where none was."""
    numbers = [
        str(one)
        for one in PolicyVersion.objects.filter(signature="").order_by("number").values_list("number", flat=True)
    ]
    if not numbers:
        return ""
    was = (
        f"Version {numbers[0]} of the policies was"
        if len(numbers) == 1
        else f"Versions {listing(numbers)} of the policies were"
    )
    return f"{was} kept before versions were signed: no gate allows anything by what is not. Look at what they say, then sign them with manage.py sign_policies."
