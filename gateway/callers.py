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
from gateway.pipeline import require_running
from gateway.refusal import Refusal
from policies.snapshot import Snapshot


def require_known(snapshot: Snapshot, agent: str, resource: str) -> UUID:
    """The agent's identifier, where it may act and the resource is behind the gate. Raises Refusal."""
    require_running(snapshot)
    if agent not in snapshot.agents:
        raise Refusal(f"The agent {agent} is not active.", code="agent_not_active", sqlstate="28000")
    if resource not in snapshot.resources:
        raise Refusal(f"There is no resource {resource}.", code="unknown_resource", sqlstate="3D000")
    return snapshot.agents[agent].id


def live(identity: Identity, agent_id: UUID, **kind: str) -> tuple[Credential, Resource]:
    """A proved identity's credential and resource, as the database has them now. Raises Refusal.

    A credential that is revoked while this runs is found by `is_alive`, once the session can be ended.
    """
    credential = Credential.objects.filter(id=identity.credential, kind=identity.kind, agent=agent_id).first()
    if credential is None or credential.revoked_at is not None:
        raise Refusal("The credential was revoked.", code="credential_revoked", sqlstate="28000")
    resource = Resource.objects.filter(name=identity.resource, retired_at=None, **kind).first()
    if resource is None:
        raise Refusal(f"There is no resource {identity.resource}.", code="unknown_resource", sqlstate="3D000")
    return credential, resource


def is_alive(credential: UUID) -> bool:
    """Whether a credential has not been revoked."""
    return Credential.objects.filter(id=credential, revoked_at=None).exists()


def why_over(caller: Caller, snapshot: Snapshot, revoked: frozenset[UUID]) -> str:
    """Why a session may not go on; nothing where it may."""
    if caller.credential_id in revoked:
        return "The credential of this session was revoked."
    if snapshot.halted:
        return "Everything is stopped."
    gone = next((name for name in (caller.agent, *caller.through) if name not in snapshot.agents), "")
    if gone:
        return f"The agent {gone} is not active any more."
    if caller.resource not in snapshot.resources:
        return f"The resource {caller.resource} is not behind the gate any more."
    return ""


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
    proved = identity.proved_at.timestamp() if identity.proved_at else 0.0
    return caller if proved == caller.proved else replace(caller, proved=proved)


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
