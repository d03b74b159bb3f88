"""A console whose ledger runs, and the reader that tells people what is in it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from accounts.models import User
from approvals.notifications import reader
from approvals.notifications.models import Notification
from approvals.outbox.models import Delivery
from console.database import Logins
from ledger.sequencer import Sequencer
from ledger.signer import FileSigner
from tests.approvals.world import World, assemble
from tests.cast import Cast
from tests.monitoring.conftest import sequenced
from tests.notifications.receiver import Receiver, receiving


@dataclass
class Telling:
    """The world of holds, and what its people were told."""

    world: World

    @property
    def cast(self) -> Cast:
        return self.world.cast

    def read(self) -> None:
        """Let the sequencer write down what was recorded, and the reader tell all of it."""
        sequenced()
        while reader.turn():
            pass

    def told(self, person: User, kind: str = "") -> list[tuple[str, str]]:
        """What `person` was told: kind and event, oldest first."""
        rows = Notification.objects.filter(person=person).order_by("entry", "kind")
        rows = rows.filter(kind=kind) if kind else rows
        return [(row.kind, row.event) for row in rows]

    def who(self, kind: str) -> set[str]:
        """The user names of those who were told something of this kind."""
        return set(Notification.objects.filter(kind=kind).values_list("person__username", flat=True))


@pytest.fixture
def telling(fresh_cast: Cast, fresh_database: Logins, tmp_path: Path) -> Iterator[Telling]:
    stop = threading.Event()
    sequencer = Sequencer(fresh_database.sequencer, FileSigner.load_or_create(tmp_path / "ledger.key", "tests"))
    thread = threading.Thread(target=sequencer.run, args=(stop,))
    thread.start()
    try:
        made = Telling(assemble(fresh_cast))
        made.read()
        Notification.objects.all().delete()
        Delivery.objects.all().delete()
        yield made
    finally:
        stop.set()
        thread.join(10)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A system that hears of entries."""
    with receiving() as made:
        yield made
