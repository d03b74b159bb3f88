"""A console whose ledger runs: what is recorded is sequenced, and a detector's turn reads it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.db import transaction

from activity.actions import Opening, open_session, refuse_session
from agents.actors import agent_actor
from agents.models import Agent
from console.database import Logins
from core.ids import new_id
from ledger.entries import Subject
from ledger.events import Event
from ledger.queries import state
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from ledger.write import record
from monitoring import detector
from monitoring.models import Incident, Signal
from tests.approvals.world import World, assemble, enrol
from tests.cast import Cast

SOURCE = "203.0.113.7"


@dataclass
class Watched:
    """The world of holds, watched: what agents do here is recorded as the gateway records it."""

    world: World

    @property
    def agent(self) -> Agent:
        self.world.agent.refresh_from_db()
        return self.world.agent

    @property
    def cast(self) -> Cast:
        return self.world.cast

    def enrol(self, name: str) -> Agent:
        return enrol(self.cast, self.world.segment, name)

    def deny(self, times: int, agent: Agent | None = None, code: str = "forbidden") -> None:
        for _ in range(times):
            action = new_id()
            with transaction.atomic():
                record(
                    Event.ACTION_DENIED, actor=agent_actor(agent or self.agent), action=action, session=new_id(),
                    subject=Subject("action", str(action), "sql:delete"), details={"code": code}, source=SOURCE,
                )  # fmt: skip

    def connect(self, agent: Agent | None = None) -> None:
        agent, resource = agent or self.agent, self.world.resource
        open_session(
            Opening(
                id=new_id(), agent_id=agent.id, agent_name=agent.name, resource_id=resource.id, credential_id=new_id(),
                resource_name=resource.name, node_id=new_id(), source=SOURCE,
            )
        )  # fmt: skip

    def refused(self, times: int, *, code: str, source: str = SOURCE) -> None:
        for _ in range(times):
            refuse_session(agent=self.agent.name, resource="shop", source=source, code=code, because="Refused.")

    def read(self) -> None:
        """Let the sequencer write down what was recorded, and the detector read all of it, twice."""
        for _ in range(2):
            sequenced()
            while detector.turn():
                pass

    def incident(self, kind: Incident.Kind = Incident.Kind.DENIALS) -> Incident:
        return Incident.objects.get(kind=kind)

    def kinds(self, agent: Agent | None = None) -> dict[str, int]:
        found: dict[str, int] = {}
        for kind in Signal.objects.filter(agent=agent or self.agent).values_list("kind", flat=True):
            found[kind] = found.get(kind, 0) + 1
        return found


def sequenced() -> None:
    deadline = time.monotonic() + 10
    while state().pending:
        assert time.monotonic() < deadline, "the sequencer is late"
        time.sleep(0.01)


@pytest.fixture
def watched(fresh_cast: Cast, fresh_database: Logins, tmp_path: Path) -> Iterator[Watched]:
    stop = threading.Event()
    sequencer = Sequencer(fresh_database.sequencer, FileSigner.load_or_create(tmp_path / "ledger.key", "tests"))
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        yield Watched(assemble(fresh_cast))
    finally:
        stop.set()
        thread.join(10)
