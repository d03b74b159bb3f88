"""What became of each action, once its transaction ended: committed, rolled back, or not known. Pure but for the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from activity.hotpath import Outcome
from gateway.postgres.run import Run

IDLE = b"I"


class Report(Protocol):
    """Told what became of a run; `first` when nothing was said of it before."""

    def __call__(self, run: Run, status: str, *, first: bool) -> None:
        """Take it."""
        ...


@dataclass
class Transactions:
    """Collects runs until the resource says how their transaction ended."""

    report: Report
    status: bytes = IDLE
    _out: dict[str, Run] = field(default_factory=dict)
    """Sent up and not ended."""
    _ended: list[Run] = field(default_factory=list)
    """Ended since the resource was last ready."""
    _pending: list[Run] = field(default_factory=list)
    """Ended, said to be pending, their transaction open."""
    _savepoints: list[tuple[str, int]] = field(default_factory=list)
    _failed: bool = False
    _rows: int = 0
    _bytes: int = 0
    """Of the runs that ended."""

    def begun(self, run: Run) -> None:
        """A run is sent up."""
        self._out[run.action_id] = run

    def finished(self, run: Run) -> None:
        """A run ended, well or not."""
        if self._out.pop(run.action_id, None) is not None:
            self._rows += run.rows
            self._bytes += run.size
            self._ended.append(run)

    def completed(self, run: Run, tag: str) -> None:
        """One statement of a run ended well, with this tag."""
        if run.statement >= len(run.statements):
            return
        statement = run.statements[run.statement]
        does = statement.transaction
        if does == "commit" and tag == "COMMIT":
            self._resolve("done")
        elif does in ("commit", "rollback"):  # a failed transaction answers COMMIT with ROLLBACK
            self._resolve("rolled_back")
        elif does == "savepoint":
            self._savepoints.append((statement.savepoint, len(self._pending) + len(self._ended)))
        elif does == "rollback_to":
            self._roll_back_to(statement.savepoint)

    def failed(self) -> None:
        """The resource reported an error: what the same implicit transaction did before is undone."""
        self._failed = True

    def ready(self, status: bytes) -> None:
        """The resource is ready; `status` says whether a transaction is open."""
        was_idle, self.status = self.status == IDLE, status
        if self._out and status == IDLE:  # its portals are gone with it, and what was bound to them ran or never will
            for run in list(self._out.values()):
                self.finished(run)
        ended, self._ended = self._ended, []
        if status != IDLE:
            self._keep(ended)
        else:
            if self._pending:
                self._say(self._pending, "rolled_back" if self._failed else "done", first=False)
                self._pending.clear()
            self._say(ended, "rolled_back" if self._failed and was_idle else "done", first=True)
            self._savepoints.clear()
        self._failed = False

    def _keep(self, ended: list[Run]) -> None:
        self._say(ended, "pending", first=True)
        self._pending += [run for run in ended if not run.failed]

    def returned(self) -> tuple[int, int]:
        """Rows and bytes of everything so far, open portals included."""
        out = self._out.values()
        return self._rows + sum(run.rows for run in out), self._bytes + sum(run.size for run in out)

    def written(self) -> tuple[str, ...]:
        """Tables that the open transaction has written to."""
        return tuple(sorted(frozenset().union(*(run.writes for run in self._pending + self._ended))))

    def lost(self) -> None:
        """The connection broke: what was out may or may not have run, unless its transaction was open and is gone."""
        gone = self.status != IDLE and not any(_commits(run) for run in self._out.values())
        for run in self._out.values():
            run.fail("08006", "The connection to the resource ended before the result was seen.")
            self.report(run, "rolled_back" if gone else "uncertain", first=True)
        self._out.clear()
        self._say(self._ended, "rolled_back" if gone else "uncertain", first=True)
        self._say(self._pending, "rolled_back" if gone else "uncertain", first=False)
        self._ended.clear()
        self._pending.clear()

    def _say(self, runs: list[Run], status: str, *, first: bool) -> None:
        for run in runs:
            self.report(run, _status_of(run, status), first=first)

    def _resolve(self, status: str) -> None:
        self._say(self._pending, status, first=False)
        self._say(self._ended, status, first=True)
        self._pending.clear()
        self._ended.clear()
        self._savepoints.clear()
        self._failed = False

    def _roll_back_to(self, name: str) -> None:
        places = [place for known, place in self._savepoints if known == name]
        if not places:
            return
        already = len(self._pending)
        pending, self._pending = self._pending, self._pending[: places[-1]]
        ended, self._ended = self._ended, self._ended[: max(0, places[-1] - already)]
        self._say(pending[len(self._pending) :], "rolled_back", first=False)
        self._say(ended[len(self._ended) :], "rolled_back", first=True)


def _commits(run: Run) -> bool:
    return any(statement.transaction == "commit" for statement in run.statements)


def _status_of(run: Run, well: str) -> str:
    return "failed" if run.failed else well


def outcome_of(run: Run, status: str, *, first: bool, session_id: str) -> Outcome:
    """The outcome to record of a run; its end and its recording go with the first that is said of it, its counts with each: an entry covers them."""
    return Outcome(
        run.action_id,
        session_id,
        status,
        datetime.now(UTC) if first else None,
        run.rows,
        run.size,
        run.masked_values,
        run.sqlstate,
        run.message,
        run.frame() if first else None,
        run.shared,
        detected=dict(run.detected) or None,
    )
