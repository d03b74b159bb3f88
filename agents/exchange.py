"""Token exchange (RFC 8693): an agent acts for a person who let it, by a token that names both, and reaches no further.

What is exchanged is the delegation itself, by its identifier, or a token that another agent got for it and hands on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from agents import access
from agents.access import Identity
from agents.delegation import Reach, is_verb
from agents.models import Agent, Credential, Delegation, Resource
from agents.oauth_errors import invalid_grant, invalid_request, invalid_scope

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 -- a registered name
DELEGATION = "urn:narrowgate:token-type:delegation"


@dataclass(frozen=True)
class Granted:
    """What came of the subject: whose delegation, and how far it reaches here."""

    delegation: Delegation
    reach: Reach


def granted(
    subject: str | Identity, *, agent: Agent, resource: Resource, verbs: frozenset[str] | None, now: datetime
) -> Granted:
    """What `agent` gets for a delegation's identifier, or for a verified token of another agent. Raises OAuthError.

    Steps: 1. the delegation; 2. who holds it; 3. the part that was asked for. In the caller's transaction: the delegation is held.
    """
    # 1. The delegation, alive, of a person who is.
    delegation = _delegation(subject, now)
    # 2. Who holds it: the agent that it was granted to, or one that it was handed on to.
    reach = _granted(delegation) if isinstance(subject, str) else _handed_on(subject, delegation)
    if isinstance(subject, str) and delegation.agent_id != agent.id:
        raise invalid_grant("The delegation was granted to another agent.")
    # 3. No more than was asked for, and no more than there is.
    part = reach.narrowed(resource=resource.name, verbs=verbs, expires_at=now.replace(microsecond=0) + access.LIFE)
    if part is None:
        raise invalid_scope(f"The delegation does not reach that: it is for {reach.resource}.")
    return Granted(delegation, part)


def read_scope(scope: str) -> frozenset[str] | None:
    """The verbs that a scope narrows to: `act` alone is all there are. Raises OAuthError."""
    words = set(scope.split()) - {access.SCOPE}
    if not all(map(is_verb, words)):
        raise invalid_scope("The scope is act, and verbs such as sql:select to narrow it.")
    return frozenset(words) or None


def _delegation(subject: str | Identity, now: datetime) -> Delegation:
    live = Delegation.objects.select_for_update(of=("self",)).select_related("person", "resource", "agent")
    live = live.filter(ended_at=None, expires_at__gt=now, person__is_active=True)
    if isinstance(subject, str):
        try:
            live = live.filter(id=UUID(subject))
        except ValueError:
            raise invalid_request("The subject_token is not a delegation's identifier.") from None
    else:
        holding = Credential.objects.filter(id=subject.credential, revoked_at=None, agent__status=Agent.Status.ACTIVE)
        live = live.filter(id__in=holding.values("delegation"))
    found = live.first()
    if found is None:
        raise invalid_grant("There is no such delegation, or it was ended or has expired.")
    return found


def _granted(delegation: Delegation) -> Reach:
    verbs = None if delegation.verbs is None else frozenset(delegation.verbs)
    return Reach(delegation.resource.name, verbs, delegation.expires_at)


def _handed_on(subject: Identity, delegation: Delegation) -> Reach:
    if not delegation.passes_on:
        raise invalid_grant("The delegation may not be handed on.")
    held = Reach(subject.resource, subject.verbs, subject.expires_at, subject.through)
    further = held.handed_on(subject.agent)
    if further is None:
        raise invalid_grant("The delegation was handed on too often.")
    return further
