"""What verify.py finds, and how it says so. Pure, on the standard library alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.verify_primitives import plain

MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: which check found it, what it is, and at which entry if it is one."""

    check: str
    message: str
    entry: int | None = None


@dataclass
class Report:
    """What was found. Only `ok` means valid, and then for what `checked` says and no more."""

    problems: list[Problem] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    entries: int = 0
    checkpoints: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def first_bad_entry(self) -> int | None:
        """The index of the first entry that fails, if one can be named."""
        return min((problem.entry for problem in self.problems if problem.entry is not None), default=None)

    def add(self, check: str, message: str, entry: int | None = None) -> None:
        """Keep a problem; of each check only the first, because the rest follow from it."""
        if len(self.problems) < MOST_PROBLEMS and all(known.check != check for known in self.problems):
            self.problems.append(Problem(check, message, entry))

    def lines(self) -> Iterator[str]:
        """The report as text, fit for a terminal."""
        yield "VALID" if self.ok else "NOT VALID"
        yield from (plain(f"  wrong ({problem.check}): {problem.message}") for problem in self.problems)
        yield f"  read: {self.entries} entries, {self.checkpoints} checkpoints"
        yield from (plain(f"  checked: {what}") for what in self.checked)
        yield from (plain(f"  NOT checked: {what}") for what in self.not_checked)
