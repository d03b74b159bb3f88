"""The snapshot that decides now, for whoever asks in this process: loaded again when agents, resources or policies changed."""

from __future__ import annotations

import threading

from agents.revision import current_revision
from policies import snapshot
from policies.snapshot import Snapshot

_lock = threading.Lock()
_kept: list[Snapshot] = []


def forget() -> None:
    """Load it again at the next question, whatever its revision: for another database, whose numbers are not this one's."""
    with _lock:
        _kept.clear()


def current() -> Snapshot:
    """The snapshot of the present revision."""
    revision = current_revision()
    with _lock:
        if not _kept or _kept[0].revision != revision:
            _kept[:] = [snapshot.load()]
        return _kept[0]
