"""The list of people: what can be asked of it, page by page, by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Membership, PendingChange, Role, User

A_PAGE: Final = 50
STATUSES: Final = (
    ("active", "Active"),
    ("invited", "Invited, not joined"),
    ("linked", "Several accounts"),
    ("closed", "Closed"),
)
_NOT_JOINED = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)


@dataclass(frozen=True)
class Asked:
    """What the list is to hold; an unknown value matches nothing rather than everybody."""

    q: str = ""
    role: str = ""
    group: str = ""
    status: str = ""
    after: str = ""

    @property
    def narrowed(self) -> bool:
        """Whether anything was asked for."""
        return any((self.q, self.role, self.group, self.status))


@dataclass(frozen=True)
class Page:
    """Some people, and the key from which the next page starts; empty on the last."""

    people: list[User]
    more: str


def matching(people: QuerySet[User], asked: Asked) -> QuerySet[User]:
    """Those of `people` whom `asked` is about, in their order."""
    for word in asked.q.split():
        people = people.filter(Q(name__icontains=word) | Q(username__icontains=word) | Q(email__icontains=word))
    if asked.role:
        people = people.filter(roles__contains=[asked.role])
    if asked.group:
        people = people.filter(id__in=Membership.objects.filter(group__name=asked.group).values("user"))
    return _of_status(people, asked.status).order_by("name", "id")


def page_of(people: QuerySet[User], asked: Asked) -> Page:
    """The page after the key that `asked` names."""
    found = matching(people, asked)
    name, _, key = asked.after.rpartition("|")
    after = _identifier(key)
    if after:
        found = found.filter(Q(name__gt=name) | Q(name=name, id__gt=after))
    listed = list(found.prefetch_related("memberships__group")[: A_PAGE + 1])
    more = len(listed) > A_PAGE
    listed = listed[:A_PAGE]
    return Page(listed, f"{listed[-1].name}|{listed[-1].id}" if more else "")


def waiting_memberships() -> QuerySet[Membership]:
    """Memberships that a person made and no second administrator has confirmed, the latest first."""
    unconfirmed = Membership.objects.filter(added_by__isnull=False, confirmed_by=None, user__is_active=True)
    return unconfirmed.select_related("user", "group", "added_by").order_by("-since", "id")


def waiting_changes() -> QuerySet[PendingChange]:
    """What one administrator asked for and a second has to confirm."""
    return PendingChange.objects.select_related("user", "asked_by")


def has_joined(user: User) -> bool:
    """Whether a password was set: before, nobody can sign in."""
    return not user.password.startswith(UNUSABLE_PASSWORD_PREFIX)


def status_of(user: User) -> str:
    """The word of its list status."""
    if not user.is_active:
        return "closed"
    return "active" if has_joined(user) else "invited"


def second_factors(user: User) -> int:
    """How many second factors are registered; recovery codes are none."""
    factors = Authenticator.objects.filter(user=user).exclude(type=Authenticator.Type.RECOVERY_CODES)
    return int(factors.count())


def role_names(user: User) -> list[str]:
    """What the roles of `user` are called."""
    return [str(Role(role).label) for role in user.roles]


def _of_status(people: QuerySet[User], status: str) -> QuerySet[User]:
    if status == "linked":
        return people.filter(Exists(User.objects.filter(person=OuterRef("person")).exclude(id=OuterRef("id"))))
    kept: dict[str, Q] = {
        "": Q(),
        "active": Q(is_active=True) & ~_NOT_JOINED,
        "invited": Q(is_active=True) & _NOT_JOINED,
        "closed": Q(is_active=False),
    }
    return people.filter(kept.get(status, Q(pk__in=[])))


def _identifier(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def as_row(user: User) -> list[Any]:
    """The person as a line of an export; memberships must be prefetched."""
    groups = ", ".join(sorted(one.group.name for one in user.memberships.all()))
    return [
        user.username, user.name, user.email, ", ".join(role_names(user)), groups, status_of(user), user.last_login,
        user.person,
    ]  # fmt: skip


HEADER: Final = ("User name", "Name", "E-mail", "Roles", "Groups", "Status", "Last signed in", "Person")
