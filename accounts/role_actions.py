"""Roles, and what takes two administrators: appointing one, dismissing one, telling two linked accounts apart, ending
somebody's passkeys so that they can add others, erasing a person.

Each but the last would let one administrator invent the second whom every other rule relies on. Where no administrator
but the two involved has ever been, appointing takes one alone; where nobody is left to confirm, `manage.py appoint`
on the machine itself does it, with its entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts.actors import actor_of, require_role, subject_of
from accounts.erasure import erase
from accounts.locking import in_order
from accounts.models import PendingChange, Role, User
from accounts.passkeys import remove_all
from core.errors import AlreadySettled, Invalid, Refused
from core.ids import new_id
from ledger.entries import Actor
from ledger.events import Event
from ledger.write import record

Kind = PendingChange.Kind


def set_roles(user: User, roles: Iterable[Role | str], *, actor: User | Actor) -> User:
    """Replace the roles of `user`; that of administrator only once a second one confirmed it.

    Raises Refused for one's own or when not an administrator, and Invalid.
    """
    wanted = checked(roles)
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody changes their own roles.")
        _put(user, settled(user, wanted, actor=actor), actor)
    return user


def settled(user: User, wanted: list[str], *, actor: User | Actor) -> list[str]:
    """The roles of `wanted` that `user` may have at once; what takes a second administrator is asked for. Saved user."""
    administers, shall = Role.ADMINISTRATOR in user.roles, Role.ADMINISTRATOR in wanted
    if administers == shall or not isinstance(actor, User) or (shall and not _second_exists(actor, user)):
        user.pending_changes.filter(kind__in=(Kind.APPOINT, Kind.DISMISS)).delete()
        return wanted
    _ask(Kind.APPOINT if shall else Kind.DISMISS, user, actor)
    kept = {*wanted, Role.ADMINISTRATOR.value} if administers else set(wanted) - {Role.ADMINISTRATOR.value}
    return sorted(kept)


def ask_to_unlink(user: User, *, actor: User | Actor) -> PendingChange | None:
    """Ask that `user` counts as a person of their own again; None where the system said so, and it is done.

    Raises Refused and Invalid (not linked).
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody tells their own accounts apart.")
        if not User.objects.filter(person=user.person).exclude(id=user.id).exists():
            raise Invalid("person", f"{user} has no other account.", "Nothing is linked.")
        if isinstance(actor, User):
            return _ask(Kind.UNLINK, user, actor)
        _make(Kind.UNLINK, user, actor)
    return None


def ask_to_erase(user: User, *, actor: User | Actor) -> PendingChange | None:
    """Ask that the name and address of `user` be destroyed; None where the system said so, and it is done.

    Raises Refused, Invalid (the account is open) and AlreadySettled (it was erased before).
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody erases themselves.")
        _require_erasable(user)
        if isinstance(actor, User):
            return _ask(Kind.ERASE, user, actor)
        _make(Kind.ERASE, user, actor)
    return None


def ask_to_recover(user: User, *, actor: User | Actor) -> PendingChange | None:
    """Ask that the passkeys and second factors of `user`, who lost them, end; None where the system said so, and it is done.

    Raises Refused and Invalid (there are none).
    """
    with transaction.atomic():
        actor, user = in_order(actor, user)
        require_role(actor, Role.ADMINISTRATOR)
        refuse_own(user, actor, "Nobody ends their own passkeys this way.")
        if not Authenticator.objects.filter(user=user).exists():
            raise Invalid(
                "person", f"{user} has neither a passkey nor a second factor.", "Give them a new link instead."
            )
        if isinstance(actor, User):
            return _ask(Kind.RECOVER, user, actor)
        _make(Kind.RECOVER, user, actor)
    return None


def _require_erasable(user: User) -> None:
    if user.is_active:
        raise Invalid(
            "person", f"{user} has an open account.", "Deactivate it first, and name somebody else for what they own."
        )
    if not user.email:
        raise AlreadySettled(f"{user} was erased before.", "There is nothing left to erase.")


def confirm_change(change_id: UUID, *, actor: User) -> User:
    """As a second administrator, make the change that another asked for.

    Raises AlreadySettled, and Refused for whoever asked, for the person it raises, and when not an administrator.
    """
    with transaction.atomic():
        second, user = in_order(actor, _found(change_id).user)
        change = _found(change_id, lock=True)
        require_role(second, Role.ADMINISTRATOR)
        # A dismissal may be confirmed by the one it is about: that is a resignation.
        raised = set() if change.kind == Kind.DISMISS else {user.person}
        if change.kind == Kind.ERASE:
            _require_erasable(user)
        if actor.person in {change.asked_by.person} | raised:
            raise Refused("A second administrator has to confirm this.", "Ask another.", code="second_administrator")
        change.delete()
        details = {"kind": change.kind, "asked_by": str(change.asked_by_id)}
        record(Event.CHANGE_CONFIRMED, actor=actor_of(actor), subject=subject_of(user), details=details)
        _make(Kind(change.kind), user, actor)
    return user


def drop_change(change_id: UUID, *, actor: User) -> None:
    """Drop a change that waits. Raises AlreadySettled, and Refused when not an administrator."""
    require_role(actor, Role.ADMINISTRATOR)
    with transaction.atomic():
        change = _found(change_id, lock=True)
        change.delete()
        details = {"kind": change.kind}
        record(Event.CHANGE_DROPPED, actor=actor_of(actor), subject=subject_of(change.user), details=details)


def checked(roles: Iterable[Role | str]) -> list[str]:
    """The roles, sorted, each once. Raises Invalid."""
    wanted = sorted({str(role) for role in roles})
    unknown = set(wanted) - set(Role.values)
    if unknown:
        names = ", ".join(sorted(unknown))
        raise Invalid("roles", f"There is no role {names}.", f"Choose from {', '.join(Role.values)}.")
    return wanted


def refuse_own(user: User, actor: User | Actor, sentence: str) -> None:
    """Raise Refused where `user` is an account of the person who acts."""
    if isinstance(actor, User) and actor.person == user.person:
        raise Refused(sentence, "Ask another administrator.", code="own_account")


def _second_exists(actor: User, user: User) -> bool:
    """Whether there is an administrator besides the two: an account that was closed counts, or closing it were the way around."""
    administrators = User.objects.filter(roles__contains=[Role.ADMINISTRATOR])
    return administrators.exclude(person__in=[actor.person, user.person]).exists()


def _ask(kind: PendingChange.Kind, user: User, actor: User) -> PendingChange:
    change, made = PendingChange.objects.get_or_create(user=user, kind=kind, defaults={"asked_by": actor})
    if made:
        details = {"kind": kind.value}
        record(Event.CHANGE_ASKED, actor=actor_of(actor), subject=subject_of(user), details=details)
    return change


def _make(kind: PendingChange.Kind, user: User, actor: User | Actor) -> None:
    if kind == Kind.ERASE:
        erase(user, actor)
        return
    if kind == Kind.RECOVER:
        remove_all(user, actor)
        user.session_epoch += 1
        user.save(update_fields=["session_epoch"])
        return
    if kind == Kind.UNLINK:
        before, user.person = user.person, new_id()
        user.save(update_fields=["person"])
        details = {"before": str(before), "after": str(user.person)}
        record(Event.PERSON_UNLINKED, actor=actor_of(actor), subject=subject_of(user), details=details)
        return
    administrator = {Role.ADMINISTRATOR.value}
    _put(
        user,
        sorted(set(user.roles) | administrator if kind == Kind.APPOINT else set(user.roles) - administrator),
        actor,
    )


def _put(user: User, roles: list[str], actor: User | Actor) -> None:
    if sorted(user.roles) == roles:
        return
    details = {"before": list(user.roles), "after": roles}
    user.roles = roles
    user.save(update_fields=["roles"])
    record(Event.ROLE_CHANGED, actor=actor_of(actor), subject=subject_of(user), details=details)


def _found(change_id: UUID, *, lock: bool = False) -> PendingChange:
    changes = PendingChange.objects.select_related("user", "asked_by")
    changes = changes.select_for_update(of=("self",)) if lock else changes
    change = changes.filter(id=change_id).first()
    if change is None:
        raise AlreadySettled("This change was confirmed or dropped meanwhile.", "Look at the person again.")
    return change
