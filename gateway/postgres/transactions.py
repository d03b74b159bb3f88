"""What became of each action, once its transaction ended: committed, rolled back, or not known. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from activity.hotpath import Outcome
from gateway.postgres.run import Run

IDLE = b"I"
Report = Callable[[Run, str, bool], None]
"""Told a run, its status, and whether this is the first that is said of it."""


@dataclass
class Transactions:
    """Collects runs until the resource says how their transaction ended."""

    report: Report
    status: bytes = IDLE
    _ended: list[Run] = field(default_factory=list)
    """Ended since the resource was last ready."""
    _pending: list[Run] = field(default_factory=list)
    """Ended, said to be pending, their transaction open."""
    _savepoints: list[tuple[str, int]] = field(default_factory=list)
    _failed: bool = False
    _doubtful: bool = False
    """The end of the transaction was asked for and not confirmed."""

    def finished(self, run: Run) -> None:
        """A run ended, well or not."""
        if not run.ended:
            run.ended = True
            self._ended.append(run)

    def completed(self, run: Run, tag: str) -> None:
        """One statement of a run ended well, with this tag."""
        does = run.transaction[run.statement] if run.statement < len(run.transaction) else None
        if does == "commit" and tag == "COMMIT":
            self._resolve("done")
        elif does in ("commit", "rollback"):  # a failed transaction answers COMMIT with ROLLBACK
            self._resolve("rolled_back")
        elif does == "savepoint":
            self._savepoints.append((run.savepoints[run.statement], len(self._pending) + len(self._ended)))
        elif does == "rollback_to":
            self._roll_back_to(run.savepoints[run.statement])

    def failed(self) -> None:
        """The resource reported an error: what the same implicit transaction did before is undone."""
        self._failed = True

    def ready(self, status: bytes) -> None:
        """The resource is ready; `status` says whether a transaction is open."""
        was_idle, self.status = self.status == IDLE, status
        ended, self._ended = self._ended, []
        if status == IDLE:
            undone = self._failed and was_idle
            for run in self._pending:
                self.report(run, "rolled_back" if self._failed else "done", False)  # noqa: FBT003 -- see Report
            self._pending.clear()
            for run in ended:
                self.report(run, _status_of(run, "rolled_back" if undone else "done"), True)  # noqa: FBT003
            self._savepoints.clear()
        else:
            for run in ended:
                self.report(run, _status_of(run, "pending"), True)  # noqa: FBT003 -- see Report
                if not run.failed:
                    self._pending.append(run)
        self._failed = False

    def lost(self, run: Run, *, uncertain: bool) -> None:
        """The connection broke while a run was out."""
        run.ended = True
        self.report(run, "uncertain" if uncertain else "failed", True)  # noqa: FBT003 -- see Report

    def closed(self) -> None:
        """The session ended: what was not committed is rolled back, unless its commit was on its way."""
        for run in self._pending:
            self.report(run, "uncertain" if self._doubtful else "rolled_back", False)  # noqa: FBT003 -- see Report
        for run in self._ended:
            self.report(run, _status_of(run, "uncertain" if self.status == IDLE else "rolled_back"), True)  # noqa: FBT003
        self._pending.clear()
        self._ended.clear()

    def asked(self, run: Run) -> None:
        """A run is about to be sent up."""
        self._doubtful = "commit" in run.transaction

    def _resolve(self, status: str) -> None:
        for run in self._pending:
            self.report(run, status, False)  # noqa: FBT003 -- see Report
        for run in self._ended:
            self.report(run, _status_of(run, status), True)  # noqa: FBT003 -- see Report
        self._pending.clear()
        self._ended.clear()
        self._savepoints.clear()
        self._failed = False

    def _roll_back_to(self, name: str) -> None:
        places = [place for known, place in self._savepoints if known == name]
        if not places:
            return
        together = self._pending + self._ended
        kept, undone = together[: places[-1]], together[places[-1] :]
        for run in undone:
            self.report(run, _status_of(run, "rolled_back"), run not in self._pending)
        self._pending = [run for run in self._pending if run in kept]
        self._ended = [run for run in self._ended if run in kept]


def _status_of(run: Run, well: str) -> str:
    return "failed" if run.failed else well


def outcome_of(run: Run, status: str, *, first: bool, session_id: object) -> Outcome:
    """The outcome to record of a run; counts and recording go with the first that is said of it."""
    from uuid import UUID

    assert isinstance(session_id, UUID)
    if not first:
        return Outcome(id=run.action_id, session_id=session_id, status=status, shared=run.shared)
    return Outcome(
        id=run.action_id,
        session_id=session_id,
        status=status,
        finished_at=datetime.now(UTC),
        rows=run.rows,
        bytes=run.bytes,
        masked_values=run.masked_values,
        sqlstate=run.sqlstate,
        message=run.message,
        frame=run.frame(),
        shared=run.shared,
    )
