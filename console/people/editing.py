"""What a page or a call does in several actions: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from accounts import actions
from accounts.invitation_actions import issue
from accounts.models import Invitation, User


def invite_person(given: Mapping[str, Any], administrator: User) -> tuple[User, Invitation, str]:
    """Make an account with its roles and groups, and the link with which its password is set. Raises Refused, Invalid."""
    with transaction.atomic():
        who = {name: given[name] for name in ("email", "name", "roles")}
        invited = actions.invite(given["username"], **who, actor=administrator)
        for group in given["groups"]:
            actions.add_member(invited, group, actor=administrator)
        invitation, secret = issue(invited, actor=administrator)
    return invited, invitation, secret


def edit_person(edited: User, given: Mapping[str, Any], administrator: User) -> User:
    """Change name, address, manager and roles, where they differ. Raises Refused, Invalid."""
    with transaction.atomic():
        changed = actions.change(edited, name=given["name"], email=given["email"], actor=administrator)
        actions.set_manager(changed, given["manager"], actor=administrator)
        if sorted(given["roles"]) == sorted(changed.roles):
            return changed
        return actions.set_roles(changed, given["roles"], actor=administrator)
