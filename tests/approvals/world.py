"""What the tests of holds share: an agent, a resource, people who may review, and a hold of its DELETE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

from django.db import close_old_connections, connections

from accounts.models import User
from accounts.quorum import Requirement
from activity.digest import digest
from agents import actions as inventory
from agents import keys
from agents.models import Agent, Resource, Segment
from approvals import actions
from approvals.actions import HoldRequest
from approvals.models import Hold
from core.errors import NarrowgateError
from core.ids import new_id
from policies.decision import Code, Decision, Reason, Verdict
from tests.cast import Cast

ONE = Requirement({"dba": 1})
TWO = Requirement({"dba": 2})
BOTH = Requirement({"dba": 1, "security": 1})
SALT = bytes(32)
NODE = new_id()


@dataclass(frozen=True)
class World:
    """The cast with one agent of the owner's, enrolled by the engineer, at one resource that dba and security review."""

    cast: Cast
    segment: Segment
    agent: Agent
    resource: Resource


def assemble(cast: Cast) -> World:
    segment = inventory.create_segment("production", purpose="What customers use", actor=cast.engineer)
    where: Any = {"host": "localhost", "database": "shop", "tls": "off"}
    resource = inventory.add_resource("shop", segment=segment, owner=cast.owner, actor=cast.engineer, **where)
    for group in (cast.dba, cast.security):
        inventory.let_review(group, segment, actor=cast.administrator)
    return World(cast, segment, enrol(cast, segment, "support.production"), resource)


def enrol(cast: Cast, segment: Segment, name: str, owner: User | None = None) -> Agent:
    jwk = keys.public_jwk(keys.generate("ES256"))
    return inventory.enrol(
        name, purpose="Answers customers", segment=segment, public_jwk=jwk, actor=cast.engineer,
        owner=owner or cast.owner, deputy=cast.deputy,
    )  # fmt: skip


def decided(requirement: Requirement | None = ONE, **changed: Any) -> Decision:
    reasons = (Reason("held", "Writes need people.", "forbid"),)
    verdict, code = (Verdict.HOLD, Code.HELD) if requirement else (Verdict.ALLOW, Code.PERMITTED)
    fields = {
        "verdict": verdict,
        "code": code,
        "why": "Writes need people.",
        "reasons": reasons,
        "requirement": requirement,
    }
    return Decision(**{**fields, "ttl": timedelta(minutes=15), **changed})


def request(world: World, text: str = "DELETE FROM customers WHERE id = 1", **changed: Any) -> HoldRequest:
    canonical, salt = text.encode(), changed.pop("salt", SALT)
    fields: dict[str, Any] = {
        "action_id": new_id(),
        "session_id": new_id(),
        "agent_id": world.agent.id,
        "resource_id": world.resource.id,
        "canonical": canonical,
        "salt": salt,
        "digest": digest(canonical, salt),
        "decision": decided(),
        "verb": "sql:delete",
        "summary": "Deletes rows from customers",
        "shown": text,
    }
    return HoldRequest(**{**fields, **changed})


def held(world: World, requirement: Requirement = ONE, **changed: Any) -> Hold:
    return actions.ask(request(world, decision=decided(requirement), **changed))


def release(hold: Hold, requirement: Requirement | None = ONE, **changed: Any) -> Hold:
    return actions.release(hold.id, digest=hold.digest, decision=decided(requirement, **changed), node=NODE)


def approve(hold: Hold, *people: User) -> Hold:
    for person in people:
        hold = actions.approve(hold.id, actor=person, seen=hold.digest)
    return hold


def backdate(hold: Hold, **fields: Any) -> None:
    """Move a hold's times, as if the clock had run: nothing else in the tests writes to a hold."""
    Hold.objects.filter(id=hold.id).update(**fields)


def in_thread(work: Callable[[], object]) -> tuple[Thread, list[object]]:
    """Start `work` on a connection of its own; the list gets what it returned or the refusal it raised."""
    results: list[object] = []

    def run() -> None:
        close_old_connections()
        try:
            results.append(work())
        except NarrowgateError as error:
            results.append(error)
        finally:
            connections.close_all()

    thread = Thread(target=run)
    thread.start()
    return thread, results
