"""What an action looks like to the agent that asked for it. Reads; `activity/actions.py` and `approvals/actions.py` change."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from activity.models import Action, Asked
from activity.queries import action_of_agent
from agents.access import Identity
from approvals.models import Hold
from approvals.queries import too_few
from core.errors import NotFound
from gateway.web import Problem


def own_action(action_id: UUID, identity: Identity) -> tuple[Action, Hold | None]:
    """An action of the agent that asks, at the resource of its token, with its hold. Raises Problem: 404, known or not."""
    found = action_of_agent(action_id, agent_name=identity.agent, resource_name=identity.resource)
    if found is None:
        raise Problem(
            404, "not_found", "This agent has no such action there.", remedy="Ask with the token of its resource."
        )
    return found, hold_of(found)


def hold_of(found: Action) -> Hold | None:
    """Its hold, and whether people can decide it."""
    hold = Hold.objects.filter(action_id=found.id).first()
    if hold is not None:
        hold.too_few = too_few(hold)
    return hold


def canonical_of(action_id: UUID) -> bytes:
    """What the digest of an asked operation covers. Raises NotFound once that was erased."""
    asked = Asked.objects.filter(action_id=action_id).first()
    if asked is None:
        raise NotFound("What it asked for was erased.", "Ask for it anew.")
    return bytes(asked.canonical)


def described(found: Action, hold: Hold | None) -> dict[str, Any]:
    """An action in JSON."""
    return {
        "id": str(found.id),
        "status": found.status,
        "decision": found.decision,
        "enforced": found.enforced,
        "verb": found.verb,
        "digest": found.digest,
        "reason": found.reason,
        "code": found.code,
        "policies": found.policies,
        "asked_at": found.asked_at.isoformat(),
        "released_at": found.released_at.isoformat() if found.released_at else None,
        "finished_at": found.finished_at.isoformat() if found.finished_at else None,
        "rows": found.rows,
        "sqlstate": found.sqlstate,
        "message": found.message,
        "hold": None if hold is None else _hold(hold),
    } | ({} if found.enforced else {"operation": found.shape})


def _hold(hold: Hold) -> dict[str, Any]:
    return {
        "id": str(hold.id),
        "status": hold.status,
        "requirement": hold.requirement,
        "deadline": hold.deadline.isoformat(),
        "redeem_by": hold.redeem_by.isoformat() if hold.redeem_by else None,
        "because": hold.settled_because,
        "too_few_may_review": hold.too_few,
        "resubmits": str(hold.resubmits_id) if hold.resubmits_id else None,
    }
