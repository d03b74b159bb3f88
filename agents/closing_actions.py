"""Closing a person's account, and what agents do for them with it: accounts know of no agents, so this is done here."""

from __future__ import annotations

from django.db import transaction

from accounts import actions
from accounts.models import User
from agents.delegation_actions import end_held
from agents.models import Delegation
from ledger.entries import Actor

CLOSED = "The account of whom it is for was closed."


def deactivate(user: User, *, actor: User | Actor) -> User:
    """Close an account as `accounts.actions.deactivate` does; what agents were let do for it ends everywhere within a second.

    The delegations stay ended when it is opened again. Raises Refused for one's own.
    """
    with transaction.atomic():
        closed = actions.deactivate(user, actor=actor)
        held = Delegation.objects.select_for_update(of=("self",)).select_related("agent").order_by("id")
        for delegation in held.filter(person=closed, ended_at=None):
            end_held(delegation, actor=actor, reason=CLOSED)
    return closed
