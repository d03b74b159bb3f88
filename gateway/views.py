"""What an agent may ask at the gateway's HTTPS door besides a token: what became of its own action."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from activity.models import Action
from activity.queries import action_of_agent
from approvals.models import Hold
from gateway.presented import Challenge, identify


@require_GET
def action(request: HttpRequest, action_id: UUID) -> HttpResponse:
    """One action of the agent that asks, with its hold where it has one; 404 for every other, known or not."""
    try:
        identity = identify(request)
    except Challenge as challenge:
        body: dict[str, object] = {"error": challenge.code, "error_description": challenge.message}
        return _answer(body, status=401, headers=challenge.headers)
    found = action_of_agent(action_id, agent_name=identity.agent, resource_name=identity.resource)
    if found is None:
        return _answer({"error": "not_found", "error_description": "This agent has no such action there."}, status=404)
    return _answer(_described(found))


def _described(found: Action) -> dict[str, object]:
    hold = Hold.objects.filter(action_id=found.id).first()
    return {
        "id": str(found.id),
        "status": found.status,
        "decision": found.decision,
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
    }


def _hold(hold: Hold) -> dict[str, object]:
    return {
        "id": str(hold.id),
        "status": hold.status,
        "requirement": hold.requirement,
        "deadline": hold.deadline.isoformat(),
        "redeem_by": hold.redeem_by.isoformat() if hold.redeem_by else None,
        "because": hold.settled_because,
    }


def _answer(body: dict[str, object], *, status: int = 200, headers: Mapping[str, str] | None = None) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", **(headers or {})})
