"""A person as the ledger keeps them: an identifier and the name they had, never a foreign key."""

from __future__ import annotations

from accounts.models import Role, User
from core.errors import RoleRequired
from ledger.entries import Actor, Subject

SYSTEM = Actor(kind="system", id="narrowgate", name="Narrowgate")


def actor_of(who: User | Actor) -> Actor:
    """`who` as the actor of an entry."""
    if isinstance(who, Actor):
        return who
    return Actor(kind="person", id=str(who.id), name=str(who))


def subject_of(user: User) -> Subject:
    """`user` as what an entry is about."""
    return Subject(kind="person", id=str(user.id), name=str(user))


def require_role(who: User | Actor, *roles: Role) -> None:
    """Raise RoleRequired unless `who` is a person with one of `roles`, or the system itself (set-up, schedules)."""
    if isinstance(who, Actor):
        if who.kind == "system":
            return
    elif who.has_role(*roles):
        return
    names = " or ".join(Role(role).label.lower() for role in roles)
    raise RoleRequired(f"There is nothing here without the role {names}.", "An administrator gives roles.")
