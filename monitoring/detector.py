"""Reads the ledger, detects, and answers: what `manage.py detect` runs, and a thread of the one-process server.

Nobody calls it: what it has to do is found in the database, so a detector that was away reads on where it was.
A turn, numbered again in the code:

1. Read the entries behind the cursor, whose row's lock keeps other detectors out.
2. Keep what they say of agents and addresses; an entry read twice counts once.
3. Detect; open incidents or join them.
4. Add up the scores that are due, each in a transaction of its own, and stop whoever reached the limit.
5. Check the ledger and let the counter take its turn: last, for nobody waits for them.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connections, transaction

from core.db import db_now
from ledger.events import Event
from ledger.models import Entry, Head
from monitoring import actions, counting, finding, ledger_check, signals
from monitoring.models import Cursor
from monitoring.scoring import add_up
from monitoring.signals import OBSERVED, Told

POLL: Final = 0.25
"""Seconds between turns that found nothing."""
AT_ONCE: Final = 500
"""Entries of one turn."""
QUIET: Final = 1.0
"""Seconds between turns while the ledger does not grow: what then counts is the clock alone."""
BEAT: Final = timedelta(seconds=2)
"""How often the cursor's row says that somebody reads, when there is nothing to read."""
AGAIN_AFTER: Final = 1.0
STOPPED, REINSTATED = Event.AGENT_SUSPENDED, Event.AGENT_REINSTATED
ABOUT_AGENTS: Final = (Event.AGENT_ENROLLED, STOPPED, REINSTATED, Event.KEY_ADDED, Event.KEY_REVOKED)
WATCHED: Final = (*OBSERVED, *ABOUT_AGENTS)
log = structlog.get_logger()


def run(stop: threading.Event) -> None:
    """Take turns until `stop` is set. A database that is away is waited for."""
    seen, looked, more = -1, 0.0, False
    try:
        while not stop.is_set():
            wait = POLL
            try:
                size = Head.objects.values_list("size", flat=True).get(id=1)
                if more or size != seen or time.monotonic() - looked >= QUIET:
                    seen, looked = size, time.monotonic()
                    more = turn()
                    wait = 0 if more else POLL
            except DatabaseError as error:
                log.warning("detector_waits", error=str(error))
                wait = _recover()
            except Exception:
                # A turn that fails is rolled back and tried again: the detector ends with the process, not before.
                log.exception("detector_failed")
                wait = _recover()
            stop.wait(wait)
    finally:
        connections.close_all()


def _recover() -> float:
    """Begin anew with another connection; gives the seconds to wait before."""
    connections.close_all()
    return AGAIN_AFTER


def turn() -> bool:
    """One turn; whether there is more to read at once."""
    more = _read_on()
    # 4. Scores and what follows from them.
    add_up()
    # 5. The counts of the posture page, and how the ledger stands.
    ledger_check.turn()
    return counting.turn() or more


@transaction.atomic
def _read_on() -> bool:
    # 1. Behind the cursor, as far as the sequencer has come.
    cursor = Cursor.objects.select_for_update(skip_locked=True).filter(id=Cursor.DETECTOR).first()
    if cursor is None:  # somebody else reads
        return False
    size, now = Head.objects.values_list("size", flat=True).get(id=1), db_now()
    entries = _behind(cursor, size)
    if entries:
        _take_in(signals.read(entries))
    finding.look_at_reads(cursor, now)
    full = len(entries) == AT_ONCE
    _move(cursor, entries[-1].index + 1 if full else size, now)
    return full


def _behind(cursor: Cursor, size: int) -> list[Entry]:
    columns = (
        "index",
        "uid",
        "event",
        "actor_id",
        "actor_kind",
        "actor_name",
        "subject_id",
        "session",
        "action",
        "recorded",
        "leaf",
    )
    watched = Entry.objects.filter(index__gte=cursor.next, index__lt=size, event__in=WATCHED)
    return list(watched.order_by("index").only(*columns)[:AT_ONCE]) if size > cursor.next else []


def _take_in(told: list[Told]) -> None:
    # 2. Signals; scores before incidents, so that locks are always taken in this order.
    observed = signals.observe([one for one in told if one.event in OBSERVED])
    about = signals.agents_about(told, ABOUT_AGENTS)
    known = {str(agent) for agent in about}
    agents = about | {one.agent_id for one in observed if one.agent_id}
    actions.expect_score(agents)
    new = actions.keep(observed)
    # 3. Detections, then what people and we did about agents.
    finding.look_at(new)
    for one in told:
        if one.event in ABOUT_AGENTS and one.subject_id in known:
            _follow(one)


def _follow(told: Told) -> None:
    """Suspending contains; reinstating says that a person has answered for what was."""
    if told.event == STOPPED:
        actions.contained(UUID(told.subject_id), at=told.at, by=f"suspended by {told.actor_name}")
    elif told.event == REINSTATED:
        actions.forgive(UUID(told.subject_id), until=told.at)


def _move(cursor: Cursor, to: int, now: datetime) -> None:
    """Write where we are, at once after reading and now and then otherwise."""
    if to != cursor.next or cursor.beat_at is None or now - cursor.beat_at >= BEAT:
        cursor.next, cursor.beat_at = max(cursor.next, to), now
        cursor.save(update_fields=["next", "beat_at", "reads_until"])
