"""What is live of some agents just now, and so ends when they are stopped: said before, on the page that asks."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from activity.models import Session
from agents.models import Agent, Credential
from approvals.models import Hold
from core.db import db_now


@dataclass(frozen=True)
class Ends:
    """How much that is."""

    connections: int
    credentials: int
    holds: int
    """Those that wait for people."""


def ends_of(agents: QuerySet[Agent]) -> Ends:
    """What is live of `agents`: three counts, whatever their number."""
    ids = agents.order_by().values("id")
    return Ends(
        connections=Session.objects.filter(agent_id__in=ids, ended_at=None).count(),
        credentials=Credential.objects.filter(agent__in=ids, revoked_at=None, expires_at__gt=db_now()).count(),
        holds=Hold.objects.filter(agent__in=ids, status=Hold.Status.WAITING).count(),
    )
