"""Every change to people, groups and their tokens. Each leaves its entry in the same transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.actors import actor_of, require_role, subject_of
from accounts.models import ApiToken, Membership, Role, User
from accounts.scopes import SCOPES
from core.db import db_now
from core.errors import Invalid, Refused
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

TOKEN_PREFIX = "ngp_"  # noqa: S105 -- the recognisable start of every token, not a token
LONGEST_TOKEN_LIFE = timedelta(days=90)


def invite(
    username: str,
    *,
    email: str,
    name: str,
    roles: Iterable[Role] = (),
    password: str | None = None,
    actor: User | Actor,
) -> User:
    """Make an account. Without `password` nobody can sign in to it until one is set.

    Raises Refused (not an administrator) and Invalid (name taken, unknown role, weak password).
    """
    require_role(actor, Role.ADMINISTRATOR)
    user = User(username=username, email=email, name=name, roles=_checked(roles))
    _set_password(user, password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            record(
                Event.PERSON_INVITED,
                actor=actor_of(actor),
                subject=subject_of(user),
                details={"roles": list(user.roles)},
            )
    except IntegrityError:
        raise Invalid("username", f"There is already a person called {username}.", "Choose another name.") from None
    return user


def set_roles(user: User, roles: Iterable[Role], *, actor: User | Actor) -> User:
    """Replace the roles of `user`. Raises Refused for one's own, or when not an administrator."""
    require_role(actor, Role.ADMINISTRATOR)
    _refuse_own(user, actor, "Nobody changes their own roles.")
    wanted = _checked(roles)
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=user.id)
        before, user.roles = user.roles, wanted
        user.save(update_fields=["roles"])
        details = {"before": list(before), "after": list(wanted)}
        record(Event.ROLE_CHANGED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return user


def create_group(name: str, *, actor: User | Actor) -> Group:
    """Make a group, whose members can fill the seats that policies name. Raises Refused and Invalid."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        group, made = Group.objects.get_or_create(name=name)
        if not made:
            raise Invalid("name", f"There is already a group called {name}.", "Choose another name.")
        record(Event.MEMBERSHIP_CHANGED, actor=actor_of(actor), subject=_group(group), details={"change": "group made"})
    return group


def add_member(user: User, group: Group, *, actor: User | Actor) -> Membership:
    """Add `user` to `group` from now on: it does not count for what was asked before, until confirmed."""
    require_role(actor, Role.ADMINISTRATOR)
    added_by = actor if isinstance(actor, User) else None
    with transaction.atomic():
        membership, made = Membership.objects.get_or_create(
            user=user, group=group, defaults={"added_by": added_by, "since": db_now()}
        )
        if made:
            _record_membership(membership, "added", actor)
    return membership


def confirm_member(membership: Membership, *, actor: User) -> Membership:
    """As a second administrator, let a membership count for what was asked before it began.

    Raises Refused for whoever added the member, and for the member.
    """
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        membership = (
            Membership.objects.select_for_update(of=("self",))
            .select_related("user", "group", "added_by")
            .get(id=membership.id)
        )
        involved = {membership.user.person} | ({membership.added_by.person} if membership.added_by else set())
        if actor.person in involved:
            raise Refused("A second administrator has to confirm this.", "Ask another.", code="second_administrator")
        membership.confirmed_by = actor
        membership.save(update_fields=["confirmed_by"])
        details = {"group": membership.group.name}
        record(Event.MEMBERSHIP_CONFIRMED, actor=actor_of(actor), subject=subject_of(membership.user), details=details)
    return membership


def remove_member(membership: Membership, *, actor: User | Actor) -> None:
    """End a membership. Raises Refused when not an administrator."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        _record_membership(membership, "removed", actor)
        membership.delete()


def deactivate(user: User, *, actor: User | Actor) -> User:
    """Close an account: its sessions, tokens and reviews to come count no more. Raises Refused for one's own."""
    require_role(actor, Role.ADMINISTRATOR)
    _refuse_own(user, actor, "Nobody closes their own account.")
    with transaction.atomic():
        user = User.objects.select_for_update().get(id=user.id)
        user.is_active = False
        user.save(update_fields=["is_active"])
        user.api_tokens.all().delete()
        record(
            Event.ROLE_CHANGED, actor=actor_of(actor), subject=subject_of(user), details={"change": "account closed"}
        )
    return user


def create_api_token(
    user: User, *, name: str, scopes: Iterable[str], lifetime: timedelta, actor: User | Actor
) -> tuple[ApiToken, str]:
    """A token for the REST API and its secret, which is shown this once. Raises Refused and Invalid."""
    if isinstance(actor, User) and actor.id != user.id:
        raise Refused("A person makes their own tokens, nobody else's.", code="not_yours")
    wanted = sorted(set(scopes))
    if not wanted or not set(wanted) <= SCOPES:
        raise Invalid("scopes", "A token needs scopes from the list.", f"Choose from {', '.join(sorted(SCOPES))}.")
    if not timedelta(0) < lifetime <= LONGEST_TOKEN_LIFE:
        raise Invalid("lifetime", "A token lives at most 90 days.", "Make a new one when it ends.")
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user, name=name, digest=digest(secret), scopes=wanted, expires_at=db_now() + lifetime
        )
        details = {"token": str(token.id), "scopes": wanted, "expires_at": token.expires_at.isoformat()}
        record(Event.API_TOKEN_CREATED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return token, secret


def digest(secret: str) -> str:
    """The form in which a token is kept. It has 256 random bits, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _checked(roles: Iterable[Role]) -> list[str]:
    wanted = sorted({str(role) for role in roles})
    unknown = set(wanted) - set(Role.values)
    if unknown:
        raise Invalid(
            "roles", f"There is no role {', '.join(sorted(unknown))}.", f"Choose from {', '.join(Role.values)}."
        )
    return wanted


def _set_password(user: User, password: str | None) -> None:
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Invalid("password", " ".join(error.messages)) from None
    user.set_password(password)


def _refuse_own(user: User, actor: User | Actor, sentence: str) -> None:
    if isinstance(actor, User) and actor.person == user.person:
        raise Refused(sentence, "Ask another administrator.", code="own_account")


def _record_membership(membership: Membership, change: str, actor: User | Actor) -> None:
    details = {"change": change, "group": membership.group.name}
    record(Event.MEMBERSHIP_CHANGED, actor=actor_of(actor), subject=subject_of(membership.user), details=details)


def _group(group: Group) -> Subject:
    return Subject(kind="group", id=str(group.pk), name=group.name)
