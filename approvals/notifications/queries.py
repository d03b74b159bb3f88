"""Reads of notifications. Whether somebody may still see what one is about is asked again each time."""

from __future__ import annotations

from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.models import Role, User
from accounts.queries import READS_EVERYTHING
from agents.queries import visible_agents
from approvals.notifications.audience import MAY_APPROVE_POLICIES
from approvals.notifications.kinds import ABOUT_AGENTS, ABOUT_HOLDS, Kind
from approvals.notifications.models import Notification
from approvals.queries import visible_to

MOST_COUNTED: Final = 100


def still_for(user: User) -> QuerySet[Notification]:
    """What `user` was told and may still know."""
    if not user.is_active:
        return Notification.objects.none()
    hold = Exists(visible_to(user).filter(id=OuterRef("subject")))
    agent = Exists(visible_agents(user).filter(id=OuterRef("subject")))
    seen = Q(kind__in=ABOUT_AGENTS) & agent | Q(kind__in=ABOUT_HOLDS) & hold | Q(kind__in=_by_role(user))
    return Notification.objects.filter(seen, person=user)


def shown_to(user: User) -> QuerySet[Notification]:
    """What the page shows to `user`."""
    return still_for(user).filter(on_page=True)


def unread_count(user: User) -> int:
    """How many of them are not read; 100 for that many or more."""
    return shown_to(user).filter(read_at=None).order_by()[:MOST_COUNTED].count()


def _by_role(user: User) -> list[Kind]:
    """The kinds that a role alone lets one know."""
    kinds = {
        Kind.INCIDENT: (Role.CISO,),
        Kind.POLICY: MAY_APPROVE_POLICIES,
        Kind.SECOND: (Role.ADMINISTRATOR,),
        Kind.TOOLS: (Role.ENGINEER,),
        Kind.WEBHOOK: (Role.ADMINISTRATOR,),
        Kind.REPORT: READS_EVERYTHING,
    }
    return [kind for kind, roles in kinds.items() if user.has_role(*roles)]
