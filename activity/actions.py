"""State changes of nodes, sessions and actions outside the gateway's batches. Each leaves its entry in the same transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.core.cache import cache
from django.db import transaction
from django.db.models import Q

from accounts.actors import actor_of, require_role
from accounts.models import Role, User
from activity.hotpath import Intent
from activity.models import Action, GatewayNode, Question, Session
from agents.revision import wake_gateways
from core.db import db_now
from core.errors import AlreadySettled, NotFound
from ledger.entries import Actor, Subject
from ledger.events import Event
from ledger.write import record

OUTCOMES_LATE = timedelta(minutes=5)
"""How long after its session's end an outcome may still wait to be written."""
OPEN = (Action.Status.RELEASED, Action.Status.PENDING)
CUT = "A person cut this session."
REFUSALS_A_MINUTE = 30  # of one address, with an entry each: what proves nothing cannot fill the ledger
MAY_CUT = (Role.CISO, Role.ENGINEER)


@dataclass(frozen=True)
class Opening:
    """What is known of a session when it opens. `client` and `purpose` are what the agent claims."""

    id: UUID
    agent_id: UUID
    agent_name: str
    resource_id: UUID
    resource_name: str
    credential_id: UUID
    node_id: UUID
    source: str
    on_behalf_of: UUID | None = None
    protocol: str = "postgres"
    client: str = ""
    purpose: str = ""


def node_actor(node: GatewayNode) -> Actor:
    """`node` as the one who did something."""
    return Actor(kind="gateway", id=str(node.id), name=node.name)


def start_node(name: str) -> GatewayNode:
    """Register a gateway process that begins to listen."""
    with transaction.atomic():
        now = db_now()
        node = GatewayNode.objects.create(name=name, started_at=now, beat_at=now)
        record(Event.GATEWAY_STARTED, actor=node_actor(node), subject=_node_subject(node))
    return node


def resume_node(node_id: UUID) -> None:
    """Register a gateway process anew that another one took for dead."""
    with transaction.atomic():
        node = GatewayNode.objects.select_for_update().get(id=node_id)
        node.stopped_at, node.beat_at = None, db_now()
        node.save(update_fields=["stopped_at", "beat_at"])
        record(Event.GATEWAY_STARTED, actor=node_actor(node), subject=_node_subject(node))


def stop_node(node_id: UUID) -> None:
    """Note that a gateway process ended in order. Twice does nothing."""
    with transaction.atomic():
        node = GatewayNode.objects.select_for_update().get(id=node_id)
        if node.stopped_at is None:
            node.stopped_at = db_now()
            node.save(update_fields=["stopped_at"])
            record(Event.GATEWAY_STOPPED, actor=node_actor(node), subject=_node_subject(node))


def open_session(opening: Opening) -> Session:
    """Begin the record of one agent at one resource."""
    with transaction.atomic():
        session = Session.objects.create(began_at=db_now(), **vars(opening))
        details = {"protocol": opening.protocol, "credential": str(opening.credential_id)}
        record(
            Event.SESSION_OPENED,
            actor=Actor(kind="agent", id=str(opening.agent_id), name=opening.agent_name),
            subject=Subject(kind="resource", id=str(opening.resource_id), name=opening.resource_name),
            session=session.id,
            source=opening.source,
            details=details,
        )
    return session


def close_session(session_id: UUID, *, because: str) -> None:
    """End the record of a session. Twice does nothing."""
    with transaction.atomic():
        session = Session.objects.select_for_update().get(id=session_id)
        if session.ended_at is None:
            _close(session, because)


def cut_session(session_id: UUID, *, actor: User, reason: str) -> Session:
    """End a live session as a person: its gateway cancels what runs in it and hangs up within a second.

    What waits for people waits on, and the agent may connect again. Raises Refused (neither CISO nor engineer), NotFound,
    and AlreadySettled when it has ended or was cut.
    """
    require_role(actor, *MAY_CUT)
    with transaction.atomic():
        session = Session.objects.select_for_update().filter(id=session_id).first()
        if session is None:
            raise NotFound("There is no such session.")
        if session.ended_at or session.cut_at:
            raise AlreadySettled("This session has ended." if session.ended_at else "It was cut already.")
        session.cut_at, session.cut_by, session.cut_reason = db_now(), str(actor)[:150], reason
        session.save(update_fields=["cut_at", "cut_by", "cut_reason"])
        record(
            Event.SESSION_CUT,
            actor=actor_of(actor),
            subject=Subject(kind="session", id=str(session.id), name=str(session)),
            session=session.id,
            details={"reason": reason, "agent": str(session.agent_id), "resource": str(session.resource_id)},
        )
        wake_gateways(f"cut {session.id}")
    return session


def _close(session: Session, because: str) -> None:
    # Why a person cut it is with the cut, and goes with them
    session.ended_at, session.end_reason = db_now(), CUT if session.cut_at else because[:120]
    session.save(update_fields=["ended_at", "end_reason"])
    record(
        Event.SESSION_CLOSED,
        actor=Actor(kind="agent", id=str(session.agent_id), name=session.agent_name),
        subject=Subject(kind="resource", id=str(session.resource_id), name=session.resource_name),
        session=session.id,
        details={"reason": session.end_reason},
    )


def refuse_session(*, agent: str, resource: str, source: str, code: str, because: str) -> None:
    """Record a connection that never became a session. Names are as claimed, not proved.

    An address has REFUSALS_A_MINUTE entries a minute; how many more it was refused, the first entry of its next minute says.
    """
    unsaid = _unsaid(source)
    if unsaid is None:
        return
    with transaction.atomic():
        record(
            Event.SESSION_REFUSED,
            actor=Actor(kind="agent", id="", name=f"unproven: {agent[:100] or 'unknown'}"),
            subject=Subject(kind="resource", id="", name=resource[:60]),
            source=source,
            details={"code": code, "reason": because} | ({"more": unsaid} if unsaid else {}),
        )


def _unsaid(source: str) -> int | None:
    """Count a refusal of an address: how many before it have no entry, where this one is to have one; else None."""
    minute = int(time.time() // 60)
    key, before = f"refused:{source}:{minute}", f"refused:{source}:{minute - 1}"
    cache.add(key, 0, timeout=180)
    count = cache.incr(key)
    if count > REFUSALS_A_MINUTE:
        return None
    return max(0, cache.get(before, 0) - REFUSALS_A_MINUTE) if count == 1 else 0


def hold_action(intent: Intent) -> Action:
    """Write the row of an action that waits for people, in the caller's transaction: its entry is the hold's."""
    question_id, text = intent.question or (None, "")
    if question_id:
        Question.objects.bulk_create([Question(id=question_id, text=text)], ignore_conflicts=True)
    return Action.objects.create(
        id=intent.id,
        session_id=intent.session_id,
        node_id=intent.node_id,
        agent_id=intent.agent_id,
        resource_id=intent.resource_id,
        credential_id=intent.credential_id,
        number=intent.number,
        verb=intent.verb,
        shown=intent.shown,
        summary=intent.summary[:300],
        shape=intent.shape,
        tables=sorted(intent.tables),
        tags=sorted(intent.tags),
        digest=intent.digest,
        salt=intent.salt,
        decision=Action.Decision.HOLD,
        reason=intent.reason[:500],
        policies=list(intent.policies),
        policy_version=intent.policy_version,
        question_id=question_id,
        enforced=intent.enforced,
        status=Action.Status.HELD,
        asked_at=intent.asked_at,
    )


def release_held(action_id: UUID, *, node_id: UUID, masked: bool, entry_id: UUID) -> None:
    """Held → released, by the process that sends it now, recorded by the entry `entry_id`. In the caller's transaction."""
    Action.objects.filter(id=action_id, status=Action.Status.HELD).update(
        status=Action.Status.RELEASED, released_at=db_now(), node_id=node_id, masked=masked, entry_id=entry_id
    )


def refuse_held(action_id: UUID, *, code: str, because: str) -> None:
    """Held → denied, because its hold ended without a release. In the caller's transaction; twice does nothing."""
    Action.objects.filter(id=action_id, status=Action.Status.HELD).update(
        status=Action.Status.DENIED, code=code, message=because[:500], finished_at=db_now()
    )


def mark_uncertain(node_id: UUID) -> int:
    """End what a dead node left open: its released actions may or may not have run, and never run again by themselves.

    Holds that wait stay as they are. Gives the number of actions marked.
    """
    with transaction.atomic():
        node = GatewayNode.objects.select_for_update().get(id=node_id)
        lost = list(Action.objects.select_for_update().filter(_carried_by(node), status__in=OPEN))
        for action in lost:
            _mark_uncertain(action, node)
        for session in Session.objects.select_for_update().filter(node_id=node_id, ended_at=None):
            _close(session, "The gateway that carried it ended.")
        if node.stopped_at is None:
            node.stopped_at = db_now()
            node.save(update_fields=["stopped_at"])
    return len(lost)


def _carried_by(node: GatewayNode) -> Q:
    """The actions of sessions that a node may not have finished with, and whatever held action it released."""
    late = node.beat_at - OUTCOMES_LATE
    sessions = Session.objects.filter(Q(ended_at=None) | Q(ended_at__gt=late), node_id=node.id)
    in_sessions = Q(node_id=node.id, session_id__in=sessions.values("id"))
    # What an agent does by itself goes on without the node
    return (in_sessions | Q(node_id=node.id, decision=Action.Decision.HOLD)) & Q(enforced=True)


def _mark_uncertain(action: Action, node: GatewayNode) -> None:
    action.status = Action.Status.UNCERTAIN
    action.finished_at = db_now()
    action.message = "The gate ended before it saw the result: the action may or may not have run."
    action.outcome_entry_id = record(
        Event.ACTION_UNCERTAIN,
        actor=node_actor(node),
        subject=Subject(kind="action", id=str(action.id), name=action.verb),
        session=action.session_id,
        action=action.id,
        digest=action.digest,
        details={"verb": action.verb},
    )
    action.save(update_fields=["status", "finished_at", "message", "outcome_entry_id"])


def _node_subject(node: GatewayNode) -> Subject:
    return Subject(kind="gateway", id=str(node.id), name=node.name)
