"""Locks on accounts, always taken in one order, so that two administrators at once neither deadlock nor both win."""

from __future__ import annotations

from accounts.models import User
from core.errors import NotFound
from ledger.entries import Actor


def in_order(actor: User | Actor, user: User) -> tuple[User | Actor, User]:
    """`actor` and `user` as they are now, locked until the transaction ends. Raises NotFound."""
    wanted = {user.id, actor.id} if isinstance(actor, User) else {user.id}
    held = {one.id: one for one in User.objects.select_for_update(no_key=True).filter(id__in=wanted).order_by("id")}
    if user.id not in held:
        raise NotFound("There is no such person.")
    return (held[actor.id] if isinstance(actor, User) else actor), held[user.id]
