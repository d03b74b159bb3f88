"""Actions and sessions as the gateway leaves them behind, for tests of what people see of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from activity.models import Action, Session
from agents.models import Agent, Resource
from core.ids import new_id

NODE = new_id()


def session(agent: Agent, resource: Resource, *, ago: float = 0, **changed: Any) -> Session:
    """A session that began `ago` seconds ago and is open."""
    fields: dict[str, Any] = {
        "agent_id": agent.id, "agent_name": agent.name, "resource_id": resource.id, "resource_name": resource.name,
        "credential_id": new_id(), "node_id": NODE, "source": "127.0.0.1", "client": "psql", "purpose": "Ticket 1",
        "began_at": timezone.now() - timedelta(seconds=ago),
    }  # fmt: skip
    return Session.objects.create(**{**fields, **changed})


def asked(agent: Agent, resource: Resource, *, ago: float = 0, **changed: Any) -> Action:
    """An allowed read that was asked `ago` seconds ago."""
    at = timezone.now() - timedelta(seconds=ago)
    fields: dict[str, Any] = {
        "session_id": new_id(), "node_id": NODE, "agent_id": agent.id, "resource_id": resource.id, "credential_id": new_id(),
        "number": 1, "verb": "sql:select", "shown": "SELECT id FROM orders", "summary": "Reads orders", "digest": "sha256:" + "0" * 64,
        "salt": bytes(32), "decision": "allow", "reason": "Allowed by reads.", "code": "permitted", "policies": ["reads"],
        "policy_version": 1, "status": "done", "asked_at": at, "released_at": at, "finished_at": at, "rows": 3, "bytes": 30,
    }  # fmt: skip
    return Action.objects.create(**{**fields, **changed})


def denied(agent: Agent, resource: Resource, *, ago: float = 0, **changed: Any) -> Action:
    """One that a policy forbade."""
    return asked(
        agent, resource, ago=ago,
        **{"decision": "deny", "status": "denied", "code": "forbidden", "reason": "No.", "verb": "sql:delete", "rows": None, **changed},
    )  # fmt: skip


def ids(rows: Any) -> list[UUID]:
    """The identifiers of a page's rows."""
    return [row.action.id if hasattr(row, "action") else row.id for row in rows]
