"""A record to report on: holds that people answered, actions of every decision, incidents; and a ledger that signs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import User
from activity.models import Action
from agents.models import Agent
from approvals import actions as approvals
from approvals.models import Hold
from audit import actions
from audit.models import Report
from audit.reports import making
from audit.reports.period import Period
from audit.reports.scope import Scope
from console.database import Logins
from core.ids import new_id
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from monitoring.models import Incident
from tests.approvals.world import World, approve, assemble, enrol, held, release
from tests.cast import Cast

EVERYTHING = Scope("all")
FORMULA = '=HYPERLINK("http://evil.example";"click")'
HOSTILE = f'SELECT 1 AS "{FORMULA}";\n=1+1 /* \u0430 <script>alert(1)</script> */'


@dataclass
class Room:
    """The world of holds with a record in it."""

    world: World
    other: Agent
    began: datetime
    signer: FileSigner

    @property
    def cast(self) -> Cast:
        return self.world.cast

    @property
    def period(self) -> Period:
        return Period(self.began - timedelta(hours=1), timezone.now() + timedelta(seconds=1))

    def enrol(self, name: str) -> Agent:
        return enrol(self.cast, self.world.segment, name)

    def ask(self, kind: str, *formats: str, scope: Scope = EVERYTHING, actor: User | None = None) -> Report:
        return actions.ask(
            kind=kind, period=self.period, scope=scope, formats=formats, actor=actor or self.cast.auditor
        )

    def made(self, kind: str, *formats: str, scope: Scope = EVERYTHING) -> Report:
        report = self.ask(kind, *formats, scope=scope)
        assert making.make(report.id)
        report.refresh_from_db()
        assert report.status == "ready", report.why
        return report


def path_of(report: Report, kind: str) -> Path:
    return report.files.get(format=kind).path


def act(agent: Agent, world: World, at: datetime, **fields: Any) -> Action:
    """An action as the gateway's writer leaves it."""
    given: dict[str, Any] = {
        "session_id": new_id(), "node_id": new_id(), "agent_id": agent.id, "resource_id": world.resource.id,
        "credential_id": new_id(), "number": 1, "verb": "sql:select", "shown": "SELECT id FROM customers", "digest": "sha256:0",
        "salt": b"", "decision": "allow", "status": "done", "asked_at": at, "released_at": at, "finished_at": at, "rows": 3,
        "bytes": 120, "policies": ["reads"], "policy_version": 1, "code": "permitted", "tables": ["public.customers"],
    }  # fmt: skip
    return Action.objects.create(**{**given, **fields})


def _record(world: World, other: Agent, began: datetime) -> None:
    at = began - timedelta(minutes=1)
    for number in range(6):
        act(world.agent, world, at + timedelta(seconds=number))
    act(world.agent, world, at, masked=True, masked_values=7, tags=["email"], rows=10)
    act(other, world, at, decision="deny", status="denied", code="forbidden", rows=None, shown=HOSTILE, reason=FORMULA)
    act(other, world, at, decision="deny", status="denied", code="no_match", rows=None)
    people = world.cast
    ran = approve(held(world, shown=HOSTILE, purpose=FORMULA), people.reviewer)
    act(world.agent, world, at, id=ran.action_id, decision="hold", verb="sql:delete", status="done", rows=2)
    release(ran)
    refused = held(world)
    approvals.deny(refused.id, actor=people.teammate, seen=refused.digest, reason="Say which, =1+1")
    held(world, agent_id=other.id)
    overdue = held(world)
    Hold.objects.filter(id=overdue.id).update(deadline=timezone.now() - timedelta(seconds=1), asked_at=at)
    approvals.expire(overdue.id)
    for severity, seconds in (("high", 4), ("low", 30)):
        Incident.objects.create(
            kind="denials", severity=severity, agent=world.agent if severity == "high" else other, status="resolved",
            began_at=at, detected_at=at + timedelta(seconds=2), contained_at=at + timedelta(seconds=2 + seconds),
            resolved_at=at + timedelta(seconds=90), resolution=FORMULA,
        )  # fmt: skip


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    return FileSigner.load_or_create(tmp_path_factory.mktemp("keys") / "ledger.key", "tests")


@pytest.fixture
def room(
    fresh_cast: Cast, fresh_database: Logins, signer: FileSigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Room]:
    monkeypatch.setattr(settings, "STATE_DIR", tmp_path)
    monkeypatch.setenv("NARROWGATE_STATE", str(tmp_path))  # for the processes that a test starts
    stop = threading.Event()
    thread = threading.Thread(target=Sequencer(fresh_database.sequencer, signer).run, args=(stop,))
    thread.start()
    began = timezone.now()
    try:
        world = assemble(fresh_cast)
        other = enrol(fresh_cast, world.segment, "billing.production")
        _record(world, other, began)
        yield Room(world, other, began, signer)
    finally:
        stop.set()
        thread.join(10)
