"""Celery's worker and beat as threads of the one-process server. In production each is a process of its own."""

from __future__ import annotations

import threading
from typing import Any

from celery import Celery, beat
from celery.worker import WorkController, state

STOP_WITHIN = 10.0  # seconds
# One worker has nobody to gossip with.
WORKER = {
    "pool": "threads",
    "concurrency": 4,  # a mail server and a receiver that do not answer leave two for what the clock settles
    "without_gossip": True,
    "without_mingle": True,
    "without_heartbeat": True,
}


class Jobs:
    """A running worker and beat; tasks are only nudges, so stopping in the middle of one loses nothing."""

    def __init__(self, app: Celery) -> None:
        state.should_stop = None
        self._worker: Any = WorkController(app=app, hostname="worker@localhost", **WORKER)
        self._beat: Any = beat.Service(app, max_interval=1, scheduler_cls="celery.beat:Scheduler")
        targets = {"worker": self._worker.start, "beat": self._tick}
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in targets.items()]

    def _tick(self) -> None:
        self._beat.start(embedded_process=True)

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both, and wait for them."""
        state.should_stop = 0
        self._beat.stop()
        for thread in self._threads:
            thread.join(STOP_WITHIN)
