"""Step 1's end, whatever the protocol: a proved identity at a resource, in a session of its own."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from accounts.models import User
from activity.actions import Opening
from agents.access import Identity
from agents.models import Credential, Resource
from core.ids import new_id
from gateway.action import Caller
from gateway.refusal import Refusal


def caller_of(identity: Identity, credential: Credential, resource: Resource, source: str, node_id: UUID) -> Caller:
    """Who asks, in a session that is to be opened. Raises Refusal."""
    return Caller(
        session_id=new_id(),
        node_id=node_id,
        agent_id=credential.agent_id,
        agent=identity.agent,
        resource_id=resource.id,
        resource=resource.name,
        credential_id=identity.credential,
        expires=identity.expires_at.timestamp(),
        kind=identity.kind,
        issued=credential.issued_at.timestamp(),
        proved=identity.proved_at.timestamp() if identity.proved_at else 0.0,
        purpose=identity.purpose,
        on_behalf_of=UUID(identity.on_behalf_of) if identity.on_behalf_of else None,
        acts_for=_acts_for(identity),
        through=identity.through,
        verbs=identity.verbs,
        source=source,
    )


def as_proved(caller: Caller, identity: Identity) -> Caller:
    """The caller of a session, for a request that brought a proof of its own, or none."""
    return replace(caller, proved=identity.proved_at.timestamp() if identity.proved_at else 0.0)


def _acts_for(identity: Identity) -> str:
    """The user name of the person who let the agent act for them; empty where it only claims so."""
    if not identity.delegated:
        return ""
    person = User.objects.filter(id=identity.on_behalf_of, is_active=True).first()
    if person is None:
        raise Refusal("The person whom this is for has no account any more.", code="delegation_ended", sqlstate="28000")
    return person.username


def opening_of(caller: Caller, *, protocol: str, client: str) -> Opening:
    """The session to open for it; `client` is what it calls itself."""
    return Opening(
        id=caller.session_id,
        agent_id=caller.agent_id,
        agent_name=caller.agent,
        resource_id=caller.resource_id,
        resource_name=caller.resource,
        credential_id=caller.credential_id,
        node_id=caller.node_id,
        source=caller.source,
        on_behalf_of=caller.on_behalf_of,
        protocol=protocol,
        client=client[:64],
        purpose=caller.purpose[:300],
    )
