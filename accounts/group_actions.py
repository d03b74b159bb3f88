"""Groups and who is in them. Each change leaves its entry in the same transaction."""

from __future__ import annotations

import re

from django.contrib.auth.models import Group
from django.db import transaction

from accounts.actors import actor_of, require_role, subject_of
from accounts.locking import in_order
from accounts.models import Membership, Role, User
from core.db import db_now
from core.errors import Invalid, NotFound, Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
"""As policies write it: `@hold("dba:2")`."""


def create_group(name: str, *, actor: User | Actor) -> Group:
    """Make a group, whose members can fill the seats that policies name. Raises Refused and Invalid."""
    require_role(actor, Role.ADMINISTRATOR)
    if not NAME.fullmatch(name):
        raise Invalid("name", "Policies could not name this group.", "Use small letters, digits and -, a letter first.")
    with transaction.atomic():
        group, made = Group.objects.get_or_create(name=name)
        if not made:
            raise Invalid("name", f"There is already a group called {name}.", "Choose another name.")
        details = {"change": "group made"}
        record(Event.MEMBERSHIP_CHANGED, actor=actor_of(actor), subject=group_subject(group), details=details)
    return group


def add_member(user: User, group: Group, *, actor: User | Actor) -> Membership:
    """Add `user` to `group` from now on: it does not count for what was asked before, until confirmed.

    Raises Refused for oneself or when not an administrator, and Invalid for a closed account.
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        if isinstance(actor, User) and actor.person == user.person:
            raise Refused("Nobody adds themselves to a group.", "Ask another administrator.", code="own_account")
        if not user.is_active:
            raise Invalid("person", f"The account of {user} is closed.", "Reactivate it first.")
        added_by = actor if isinstance(actor, User) else None
        membership, made = Membership.objects.get_or_create(
            user=user, group=group, defaults={"added_by": added_by, "since": db_now()}
        )
        if made:
            _record(membership, "added", actor)
    return membership


def confirm_member(membership: Membership, *, actor: User) -> Membership:
    """As a second administrator, let a membership count for what was asked before it began.

    Raises Refused for whoever added the member, and for the member.
    """
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        membership = _locked(membership)
        involved = {membership.user.person} | ({membership.added_by.person} if membership.added_by else set())
        if actor.person in involved:
            raise Refused("A second administrator has to confirm this.", "Ask another.", code="second_administrator")
        membership.confirmed_by = actor
        membership.save(update_fields=["confirmed_by"])
        details = {"group": membership.group.name}
        record(Event.MEMBERSHIP_CONFIRMED, actor=actor_of(actor), subject=subject_of(membership.user), details=details)
    return membership


def remove_member(membership: Membership, *, actor: User | Actor) -> None:
    """End a membership. Raises Refused when not an administrator, and NotFound where it has ended already."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        membership = _locked(membership)
        _record(membership, "removed", actor)
        membership.delete()


def begin_anew(user: User, *, actor: User | Actor) -> None:
    """Let every membership of `user` count from now on only, as if `actor` had just added them. In a transaction."""
    added_by = actor if isinstance(actor, User) else None
    user.memberships.update(since=db_now(), added_by=added_by, confirmed_by=None)


def group_subject(group: Group) -> Subject:
    """`group` as what an entry is about."""
    return Subject(kind="group", id=str(group.pk), name=group.name)


def _locked(membership: Membership) -> Membership:
    held = Membership.objects.select_for_update(of=("self",)).select_related("user", "group", "added_by")
    found = held.filter(id=membership.id).first()
    if found is None:
        raise NotFound("This membership has ended.", "Look at the group again.")
    return found


def _record(membership: Membership, change: str, actor: User | Actor) -> None:
    details = {"change": change, "group": membership.group.name}
    record(Event.MEMBERSHIP_CHANGED, actor=actor_of(actor), subject=subject_of(membership.user), details=details)
