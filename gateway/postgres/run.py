"""One released action on its way: what comes back is masked, counted and, a little of it, kept. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from activity.hotpath import Frame, columns_json
from agents.detectors.acting import NONE, Detecting
from agents.detectors.forms import Form
from agents.detectors.masker import masked
from agents.detectors.scanner import Scanner
from gateway.postgres.backend import Field, read_data_row
from gateway.postgres.classified import Classified, Statement
from gateway.postgres.found import looked_at, without
from gateway.postgres.framing import HEADER
from gateway.postgres.masking import MaskPlan, mask_value, plan
from gateway.postgres.messages import data_row
from gateway.postgres.values import as_text
from gateway.refusal import Refusal

KEPT_ROWS = 50
KEPT_CHARACTERS = 16_384
LONGEST_VALUE = 1_000
"""Characters of one value in a recording."""


@dataclass(frozen=True, slots=True)
class Masks:
    """How to answer the agent, and how to record the answer: recordings are masked whatever the agent saw."""

    answer: MaskPlan | None
    recording: MaskPlan | None
    tagged: bool = False
    """Errors and notices may quote values of tagged columns."""
    detecting: Detecting = NONE
    scanner: Scanner = NONE.scanner
    """What is looked for in what the agent gets."""

    def masked_in_answer(self) -> bool:
        """Whether any output column is masked for the agent."""
        return self.answer is not None and any(self.answer.columns.values())


def masks_for(classified: Classified, unmask: frozenset[str], detecting: Detecting = NONE) -> Masks:
    """The masks of a statement for an agent. Raises Refusal where a masked agent may not run it."""
    scanner = detecting.without(unmask) if unmask else detecting.scanner
    if not classified.catalog.tags:
        return Masks(None, None, detecting=detecting, scanner=scanner)
    answer = plan(classified, unmask)
    recording: MaskPlan | None = answer
    if unmask:
        try:
            recording = plan(classified, frozenset())
        except Refusal:  # the agent may see derived values that no recording may hold
            recording = None
    tagged = answer.involved or bool(classified.tags) or classified.outputs_unclear
    return Masks(answer, recording, tagged, detecting, scanner)


@dataclass(slots=True, eq=False)
class Run:
    """Counts and keeps what one action returns. Times are `time.monotonic()` seconds."""

    action_id: str
    masks: Masks
    shared: bool
    began: float
    limit: int | None = None
    statements: Sequence[Statement] = ()
    writes: frozenset[str] = frozenset()
    """Tables that it may have locked by writing."""
    statement: int = 0
    rows: int = 0
    rows_before: int = 0
    """Rows of the statements that ended."""
    size: int = 0
    """Bytes of the rows sent."""
    masked_values: int = 0
    detected: Counter[str] = field(default_factory=Counter)
    sqlstate: str = ""
    message: str = ""
    failed: bool = False
    withheld: bool = False
    """No row may reach the client."""
    cut_off: bool = False
    """The client was told that rows are left out."""
    # How the present statement's rows are answered and kept:
    plain: bool = False
    """Nothing is masked and nothing more is kept: rows pass untouched."""
    _fields: tuple[Field, ...] = ()
    _answer: Mapping[int, str] = field(default_factory=dict)
    _record: Mapping[int, str] = field(default_factory=dict)
    _looked_at: tuple[int, ...] = ()
    _columns: str = ""
    _kept: list[list[str | None]] = field(default_factory=list)
    _room: int = KEPT_CHARACTERS
    _cut: bool = False

    def describe(self, fields: tuple[Field, ...]) -> None:
        """Take the columns of the present statement's answer. Raises Refusal when they cannot be told apart."""
        self._fields = fields
        self._answer = self._check(self.masks.answer, fields)
        if self.masks.answer is not None and self.masks.recording is None:
            self._record = dict.fromkeys(range(len(fields)), "")
        elif self.masks.recording is self.masks.answer:
            self._record = self._answer
        else:
            self._record = self._check(self.masks.recording, fields)
        if not self._columns:
            self._columns = columns_json(tuple([one.name for one in fields]), frozenset(self._record))
        else:
            self._cut = True
        self._looked_at = looked_at(fields) if self.masks.detecting.scanner else ()
        self._settle()

    def _check(self, masks: MaskPlan | None, fields: tuple[Field, ...]) -> Mapping[int, str]:
        return masks.check_row_description(fields, self.statement) if masks is not None else {}

    def _settle(self) -> None:
        self.plain = not self._answer and not self._looked_at and (self._cut or not self._fields)

    def row(self, raw: bytes) -> bytes | None:
        """Keep a DataRow, given whole, if there is room; the row to send instead when it is masked, else None."""
        may_hold = bool(self._looked_at) and self.masks.scanner.may_hold(raw)
        if self._cut and not self._answer and not may_hold:
            return None
        values = read_data_row(raw)
        if not self._cut:
            self._keep(values)
        changed = may_hold and self._without_found(values)
        if not self._answer:
            return data_row(values) if changed else None
        for index in self._answer:
            if index < len(values) and values[index] is not None:
                one = self._fields[index]
                values[index] = mask_value(one.type_oid, one.format, one.type_modifier)
                self.masked_values += 1
        return data_row(values)

    def _without_found(self, values: list[bytes | None]) -> bool:
        """Take out of a row what detectors find in its texts; whether they found anything."""
        any_found = False
        for index in self._looked_at:
            value = values[index] if index < len(values) and index not in self._answer else None
            if value:
                values[index], found = without(value, self._fields[index], self.masks.scanner)
                if found:
                    self._note(found)
                    any_found = True
        return any_found

    def fitted(self, raw: bytes) -> bytes | None:
        """A message whose lengths are told already (COPY data, an error, a notice) without what detectors find in it; None where that is nothing."""
        scanner = self.masks.scanner
        if not scanner or not scanner.may_hold(raw):
            return None
        body, found = masked(raw[HEADER:], scanner, Form.FIT)
        self._note(found)
        return raw[:HEADER] + body if found else None

    def _note(self, found: Counter[str]) -> None:
        self.detected += found
        self.masked_values += found.total()

    def _keep(self, values: Sequence[bytes | None]) -> None:
        if len(values) != len(self._fields):
            self._cut = True
        else:
            shown = [self._shown(index, value) for index, value in enumerate(values)]
            self._room -= sum([len(value) + 4 for value in shown if value is not None])
            if self._room >= 0 and len(self._kept) < KEPT_ROWS:
                self._kept.append(shown)
            else:
                self._cut = True
        self._settle()

    def _shown(self, index: int, value: bytes | None) -> str | None:
        if value is None:
            return None
        if index in self._record:
            return "***"
        one = self._fields[index]
        if index in self._looked_at:
            value, _ = without(value[: LONGEST_VALUE * 8], one, self.masks.detecting.scanner)
        return as_text(value, one.type_oid, one.format)[:LONGEST_VALUE]

    def fail(self, sqlstate: str, message: str) -> None:
        """Note the first error."""
        if not self.failed:
            said, _ = masked(message.encode(), self.masks.detecting.scanner)
            self.failed, self.sqlstate, self.message = True, sqlstate, said.decode("utf-8", "replace")

    def frame(self) -> Frame | None:
        """What is kept of the answer; None when there was none."""
        return Frame(self._columns, self._kept, cut=self._cut) if self._columns else None
