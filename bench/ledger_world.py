"""What bench/ledger.py measures with: a durable PostgreSQL, the sequencer as a process, writers as processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from gateway.recorder import Recorder

ENTRY, ROW_AND_ENTRY, GATE = "entry", "row and entry", "at the gate"
GATE_TASKS = 8
PEERS = {"django-auditlog": "Audited", "django-simple-history": "Historic", "django-pghistory": "Tracked"}
WORDS = "UPDATE orders SET status = 'shipped' WHERE id = 42"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ran:
    """What writers did together: entries or rows that they committed, in how many seconds."""

    written: int
    seconds: float

    @property
    def rate(self) -> float:
        """Written a second."""
        return self.written / self.seconds


class Writers:
    """Processes with a connection each, that write together when told to."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("fork")
        self._ends: list[Connection] = []
        self._processes = []
        for number in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=[theirs, number], daemon=True)
            process.start()
            self._ends.append(ours)
            self._processes.append(process)

    def run(self, what: str, together: int, seconds: float, pause: float = 0) -> Ran:
        """Write for so long, `together` in each transaction, with a pause after it, from all of them at once."""
        began = time.monotonic()
        for end in self._ends:
            end.send((what, together, seconds, pause))
        written = sum(end.recv() for end in self._ends)
        return Ran(written, time.monotonic() - began)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        for end, process in zip(self._ends, self._processes, strict=True):
            end.send(None)
            process.join(10)


def _serve(end: Connection, number: int) -> None:
    """Write as asked, until asked for nothing."""
    while asked := end.recv():
        what, together, seconds, pause = asked
        if what == GATE:
            end.send(asyncio.run(_at_the_gate(seconds)) if number == 0 else 0)
        else:
            end.send(_write(_writer(what, number), together, seconds, pause))


def _write(some: Callable[[int, int], object], together: int, seconds: float, pause: float) -> int:
    from django.db import transaction

    written, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        with transaction.atomic():
            some(written, together)
        written += together
        if pause:
            time.sleep(pause)
    return written


def _writer(what: str, number: int) -> Callable[[int, int], object]:
    """What writes so many entries, or rows, in the way that is fastest for whoever writes them."""
    from simple_history.utils import bulk_create_with_history

    from bench.peers import models
    from ledger.entries import Actor, Subject
    from ledger.events import Event
    from ledger.write import draft, record_all

    actor, subject = Actor("person", str(number), f"writer {number}"), Subject("resource", "shop", "shop")

    def entries(first: int, count: int) -> None:
        details = {"number": first, "words": WORDS}
        record_all([draft(Event.RECORD_READ, actor=actor, subject=subject, details=details) for _ in range(count)])

    kind: type[models.Row] = getattr(models, PEERS.get(what, "Plain"))

    def rows(first: int, count: int) -> None:
        fields = {"event": "record:read", "actor": actor.name, "subject": subject.name, "words": WORDS}
        new = [kind(number=first + one, **fields) for one in range(count)]
        if kind is models.Historic and count > 1:
            bulk_create_with_history(new, kind)
        elif kind is models.Audited or count == 1:  # django-auditlog does not see bulk_create
            for one in new:
                one.save()
        else:
            kind.objects.bulk_create(new)

    def rows_and_entries(first: int, count: int) -> None:
        rows(first, count)
        entries(first, count)

    return {ENTRY: entries, ROW_AND_ENTRY: rows_and_entries}.get(what, rows)


async def _at_the_gate(seconds: float) -> int:
    """Eight tasks at a gate's recorder, each waiting until its own row and entry are committed."""
    from django.conf import settings

    from gateway.recorder import Recorder
    from ledger.entries import Actor

    recorder = Recorder(settings.DATABASE_GATEWAY_URL, node="bench", actor=Actor("gateway", "bench", "bench"))
    await recorder.start()
    until = time.monotonic() + seconds
    counts = await asyncio.gather(*[_intend(recorder, until) for _ in range(GATE_TASKS)])
    await recorder.stop()
    return sum(counts)


async def _intend(recorder: Recorder, until: float) -> int:
    from activity.hotpath import Intent
    from core.ids import new_id
    from ledger.entries import Actor, Subject
    from ledger.events import Event
    from ledger.write import draft

    written, same = 0, new_id()
    agent = Actor("agent", str(same), "bench.production")
    while time.monotonic() < until:
        action, now = new_id(), datetime.now(UTC)
        intent = Intent(action, same, same, same, same, same, written, "sql:update", WORDS, f"sha256:{'0' * 64}", bytes(32), "allow", "released", now)  # fmt: skip
        entry = draft(Event.ACTION_ALLOWED, actor=agent, subject=Subject("action", str(action), WORDS), action=action)
        await recorder.intend(intent, entry)
        written += 1
    return written


@contextmanager
def started(folder: Path) -> Iterator[None]:
    """The database, migrated; Django points at it. Gone at the end."""
    from console import database, embedded

    cluster = embedded.start(folder, "main")
    try:
        logins = database.prepare(cluster, {role: secrets.token_urlsafe(16) for role in database.ROLES})
        point_at(folder, logins)
        database.migrate(logins.owner)
        from django.core.management import call_command

        with database.django_on(logins.owner):  # the peers' tables and triggers have no migrations
            call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
            call_command("pgtrigger", "install", "peers.Tracked:insert_insert", verbosity=0)
        database.migrate(logins.owner)
        yield
    finally:
        cluster.stop()
        embedded.destroy(folder, "main")


def point_at(folder: Path, logins: Any, settings: str = "bench.ledger_settings") -> None:  # noqa: ANN401 -- Logins, or the owner's alone
    """Set Django up as the console's login."""
    os.environ.update(
        DJANGO_SETTINGS_MODULE=settings, NARROWGATE_STATE=str(folder), SECRET_KEY="bench", KEY_PASSPHRASE="bench",  # noqa: S106
        DATABASE_URL=logins.app, DATABASE_GATEWAY_URL=logins.gateway, DATABASE_SEQUENCER_URL=logins.sequencer,
    )  # fmt: skip
    import django

    django.setup()


@contextmanager
def sequencing() -> Iterator[subprocess.Popen[bytes]]:
    """The sequencer, as a process of its own."""
    command = [sys.executable, "-c", "from bench.gateway_world import sequencer; sequencer(0)"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def wait_until_all_is_signed(within: float = 120) -> None:
    """Return once the log holds every entry that was committed. Raises TimeoutError."""
    from ledger.models import Head, Outbox

    until, wanted = time.monotonic() + within, Outbox.objects.count()
    while (size := Head.objects.get().size) < wanted:
        if time.monotonic() > until:
            raise TimeoutError(f"the sequencer does not catch up: {size} of {wanted}")
        time.sleep(0.005)


def resident_mb(pid: int) -> float:
    """The memory that a process holds now."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
