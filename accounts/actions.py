"""Every change to people. Each leaves its entry in the same transaction.

Roles, groups, tokens and invitations have modules of their own; what others use of them is named here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.actors import actor_of, require_role, subject_of
from accounts.group_actions import add_member, begin_anew, confirm_member, create_group, remove_member
from accounts.locking import in_order
from accounts.models import Role, User
from accounts.passwords import set_password
from accounts.role_actions import checked, refuse_own, set_roles, settled
from accounts.token_actions import TOKEN_PREFIX, create_api_token, digest, revoke_api_token
from core.errors import Invalid, Refused
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

__all__ = [
    "TOKEN_PREFIX",
    "add_member",
    "confirm_member",
    "create_api_token",
    "create_group",
    "digest",
    "remove_member",
    "revoke_api_token",
    "set_roles",
]

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
LONGEST_NAME = 120


def invite(
    username: str,
    *,
    email: str,
    name: str,
    roles: Iterable[Role | str] = (),
    password: str | None = None,
    actor: User | Actor,
) -> User:
    """Make an account. Without `password` nobody can sign in to it until one is set.

    Raises Refused (not an administrator) and Invalid (name taken, unknown role, weak password).
    """
    require_role(actor, Role.ADMINISTRATOR)
    wanted = checked(roles)
    user = User(username=_username(username), email=_email(email), name=_name(name))
    set_password(user, password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            user.roles = settled(user, wanted, actor=actor)
            user.save(update_fields=["roles"])
            details = {"roles": list(user.roles)}
            record(Event.PERSON_INVITED, actor=actor_of(actor), subject=subject_of(user), details=details)
    except IntegrityError:
        raise Invalid("username", f"There is already a person called {username}.", "Choose another name.") from None
    return user


def change(user: User, *, name: str, email: str, actor: User | Actor) -> User:
    """Change what a person is called, and where mail reaches them. Raises Refused and Invalid."""
    given = {"name": _name(name), "email": _email(email)}
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        changed = [field for field, value in given.items() if getattr(user, field) != value]
        if changed:
            user.name, user.email = given["name"], given["email"]
            user.save(update_fields=changed)
            details = {"changed": changed}
            record(Event.PERSON_CHANGED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return user


def set_manager(user: User, manager: User | None, *, actor: User | Actor) -> User:
    """Say who decides where policy asks for `user`'s manager, as of what is asked from now on. Raises Refused and Invalid.

    Nobody makes themselves a manager: they could decide what they could not before.
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        manager = User.objects.get(id=manager.id) if manager else None
        if manager and manager.person == user.person:
            raise Invalid("manager", "Nobody is their own manager.", "Name somebody else.")
        if manager and not manager.is_active:
            raise Invalid("manager", f"The account of {manager} is closed.", "Name somebody else.")
        if isinstance(actor, User) and manager and actor.person == manager.person and manager.id != user.manager_id:
            raise Refused("Nobody makes themselves a manager.", "Ask another administrator.", code="own_account")
        if user.manager_id != (manager.id if manager else None):
            user.manager = manager
            user.save(update_fields=["manager"])
            details = {"changed": ["manager"], "manager": str(manager.id) if manager else ""}
            record(Event.PERSON_CHANGED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return user


def deactivate(user: User, *, actor: User | Actor) -> User:
    """Close an account: its sessions and tokens end now, its reviews to come count no more. Twice does nothing.

    What they own stays theirs until somebody else is named. What agents do for them ends by `agents.closing_actions`, which pages and
    API call. Raises Refused for one's own.
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody closes their own account.")
        if user.is_active:
            user.is_active = False
            user.session_epoch += 1
            user.save(update_fields=["is_active", "session_epoch"])
            tokens, _ = user.api_tokens.all().delete()
            user.invitations.filter(used_at=None).delete()
            user.pending_changes.all().delete()
            details = {"api_tokens": tokens}
            record(Event.PERSON_DEACTIVATED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return user


def reactivate(user: User, *, actor: User | Actor) -> User:
    """Open a closed account again, with the password it had. Its memberships begin anew. Twice does nothing.

    Raises Refused for one's own, and when not an administrator.
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody opens an account of their own.")
        if not user.is_active:
            user.is_active = True
            user.save(update_fields=["is_active"])
            begin_anew(user, actor=actor)
            record(Event.PERSON_REACTIVATED, actor=actor_of(actor), subject=subject_of(user))
    return user


def link(user: User, other: User, *, actor: User | Actor) -> User:
    """Say that `user` and `other` are accounts of one person, who then counts once. Twice does nothing.

    Raises Refused where one of them is the actor's own, and Invalid for an account with itself.
    """
    if user.id == other.id:
        raise Invalid("other", "That is the same account.", "Name the other one.")
    with transaction.atomic():
        _lock_all(user, other, actor)
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        other.refresh_from_db(fields=["person"])
        for account in (user, other):
            refuse_own(account, actor, "Nobody links an account of their own.")
        if user.person != other.person:
            User.objects.filter(person=user.person).update(person=other.person)
            details = {"other": str(other.id), "before": str(user.person), "after": str(other.person)}
            user.person = other.person
            record(Event.PERSON_LINKED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return user


def _lock_all(user: User, other: User, actor: User | Actor) -> None:
    """Every account of both people, and whoever acts, in the order of their identifiers."""
    concerned = Q(person__in=[user.person, other.person])
    concerned |= Q(id=actor.id) if isinstance(actor, User) else Q()
    list(User.objects.select_for_update(no_key=True).filter(concerned).order_by("id"))


def _username(given: str) -> str:
    if not USERNAME.fullmatch(given):
        raise Invalid("username", f"{given[:60]!r} cannot be a user name.", "Use small letters, digits, and . _ -")
    return given


def _name(given: str) -> str:
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid("name", "A person needs a name of at most 120 characters.", "Write it as others know it.")
    return name


def _email(given: str) -> str:
    try:
        validate_email(given)
    except ValidationError:
        raise Invalid(
            "email", f"{given[:60]!r} is not an e-mail address.", "Write it as in olga@example.com."
        ) from None
    return given
