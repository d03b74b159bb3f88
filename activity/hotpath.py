"""The rows that a gateway writes in batches, and the SQL that writes them. Pure: no connection is held here.

Columns travel as array literals (PostgreSQL 18, chapter 8.15.2) made here, at a third of what a driver takes for lists.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, LiteralString, TypedDict
from uuid import UUID

if TYPE_CHECKING:
    from activity.models import Action

Identifier = UUID | str

# Fragments of one statement that also moves the ledger's numbers (`moved`, one row or none) and writes the entries:
# one transaction, one round trip.
INTENTS_SQL: LiteralString = """
acted AS (
    INSERT INTO activity_action (
        id, session_id, node_id, agent_id, resource_id, credential_id, number, verb, shown, summary, shape, tables, tags,
        digest, salt, decision, masked, reason, code, policies, policy_version, status, asked_at, released_at, entry_id,
        question_id, enforced, masked_values, sqlstate, message)
    SELECT new.id, new.session_id, new.node_id, new.agent_id, new.resource_id, new.credential_id, new.number, new.verb,
        new.shown, new.summary, new.shape, new.tables::text[], new.tags::text[], new.digest, decode(new.salt, 'hex'), new.decision,
        new.masked, new.reason, new.code, new.policies::text[], new.policy_version, new.status, new.asked_at,
        CASE new.status WHEN 'released' THEN new.asked_at END, new.entry_id, new.question_id, new.enforced, 0, '', ''
    FROM moved, unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::int[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bool[],
        %s::text[], %s::text[], %s::text[], %s::int[], %s::text[], %s::timestamptz[], %s::uuid[], %s::uuid[], %s::bool[])
    AS new (id, session_id, node_id, agent_id, resource_id, credential_id, number, verb, shown, summary, shape, tables, tags,
        digest, salt, decision, masked, reason, code, policies, policy_version, status, asked_at, entry_id, question_id,
        enforced)
), kept AS (
    INSERT INTO activity_question (id, text) SELECT new.* FROM moved, unnest(%s::uuid[], %s::text[]) AS new
    ON CONFLICT DO NOTHING
)"""

# An outcome is final but for a transaction that is still open.
OUTCOMES_SQL: LiteralString = """
ended AS (
    UPDATE activity_action AS action
    SET status = new.status, finished_at = coalesce(new.finished_at, action.finished_at),
        rows = coalesce(new.rows, action.rows), bytes = coalesce(new.bytes, action.bytes),
        masked_values = greatest(action.masked_values, new.masked_values), sqlstate = new.sqlstate, message = new.message,
        detected = coalesce(new.detected, action.detected),
        outcome_entry_id = coalesce(new.entry_id, action.outcome_entry_id)
    FROM moved, unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::int[], %s::text[],
        %s::text[], %s::uuid[], %s::jsonb[])
        AS new (id, status, finished_at, rows, bytes, masked_values, sqlstate, message, entry_id, detected)
    WHERE action.id = new.id AND action.status IN ('released', 'pending')
), kept AS (
    INSERT INTO activity_frame (action_id, session_id, columns, rows, cut)
    SELECT new.* FROM moved, unnest(%s::uuid[], %s::uuid[], %s::jsonb[], %s::jsonb[], %s::bool[]) AS new
    ON CONFLICT DO NOTHING
)"""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def texts(values: Iterable[str]) -> str:
    """The array literal of texts; a NUL, which no text column holds, becomes U+FFFD."""
    joined = '","'.join(values := list(values))
    if joined.count('"') == 2 * len(values) - 2 and "\\" not in joined and "\x00" not in joined:
        return f'{{"{joined}"}}'
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if '"' in value:
        value = value.replace('"', '\\"')
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    return f'"{value}"'


@lru_cache(4_096)
def _array_element(values: frozenset[str] | tuple[str, ...]) -> str:
    """An array literal as an element of an array of texts."""
    return _element(texts(sorted(values) if isinstance(values, frozenset) else values))


def arrays(values: Iterable[frozenset[str] | tuple[str, ...]]) -> str:
    """The array literal of array literals, for casting each to text[]; sets in a stable order."""
    return "{" + ",".join([_array_element(value) for value in values]) + "}"


def plains(values: Iterable[object]) -> str:
    """The array literal of values whose text needs no quotes (numbers, UUIDs, flags, hexadecimal); None is NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def moments(values: Iterable[datetime | None]) -> str:
    """The array literal of points in time."""
    return "{" + ",".join(["NULL" if value is None else f'"{value.isoformat()}"' for value in values]) + "}"


@dataclass(slots=True)
class Intent:
    """One row of activity_action as it is first written: denied, or about to be released."""

    id: Identifier
    session_id: Identifier
    node_id: Identifier
    agent_id: Identifier
    resource_id: Identifier
    credential_id: Identifier
    number: int
    verb: str
    shown: str
    digest: str
    salt: bytes
    decision: str
    status: str
    asked_at: datetime
    summary: str = ""
    shape: str = ""
    tables: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    masked: bool = False
    reason: str = ""
    code: str = ""
    policies: tuple[str, ...] = ()
    policy_version: int = 0
    question: tuple[str, str] | None = None
    """Identifier and text of what was decided; None for what was refused before it could be asked."""
    enforced: bool = True
    entry_id: Identifier | None = None

    @property
    def question_id(self) -> str | None:
        """The question's identifier, as its row has it."""
        return self.question[0] if self.question is not None else None


def intent_columns(rows: Sequence[Intent], kept: Container[str] = ()) -> tuple[str, ...]:
    """The parameters of INTENTS_SQL; `kept` are the questions that are known to be kept already."""
    questions = dict([row.question for row in rows if row.question is not None and row.question[0] not in kept])
    return (
        plains([row.id for row in rows]),
        plains([row.session_id for row in rows]),
        plains([row.node_id for row in rows]),
        plains([row.agent_id for row in rows]),
        plains([row.resource_id for row in rows]),
        plains([row.credential_id for row in rows]),
        plains([row.number for row in rows]),
        texts([row.verb for row in rows]),
        texts([row.shown for row in rows]),
        texts([row.summary[:300] for row in rows]),
        texts([row.shape for row in rows]),
        arrays([row.tables for row in rows]),
        arrays([row.tags for row in rows]),
        plains([row.digest for row in rows]),
        plains([row.salt.hex() for row in rows]),
        plains([row.decision for row in rows]),
        plains([row.masked for row in rows]),
        texts([row.reason[:500] for row in rows]),
        texts([row.code for row in rows]),
        arrays([row.policies for row in rows]),
        plains([row.policy_version for row in rows]),
        plains([row.status for row in rows]),
        moments([row.asked_at for row in rows]),
        plains([row.entry_id for row in rows]),
        plains([row.question_id for row in rows]),
        plains([row.enforced for row in rows]),
        plains(questions),
        texts(questions.values()),
    )


def intent_record(intent: Intent | Action) -> bytes:
    """What a shared entry's Merkle root covers of one allowed read, canonical (RFC 8785); every value is in its row.

    Written out because each statement pays for it: no value here has a character that JSON escapes.
    """
    asked = intent.question_id
    question = f'"question":"{asked}",' if asked else ""  # rows of before questions were kept have none
    return (
        f'{{"action":"{intent.id}","agent":"{intent.agent_id}","credential":"{intent.credential_id}",'
        f'"decision":"{intent.decision}","digest":"{intent.digest}","number":{intent.number},'
        f'"policy_version":{intent.policy_version},{question}"resource":"{intent.resource_id}","session":"{intent.session_id}",'
        f'"verb":"{intent.verb}"}}'
    ).encode()


@dataclass(slots=True)
class Frame:
    """What was returned for an action, masked and cut to size; `columns` is JSON, by `columns_json`."""

    columns: str
    rows: Sequence[Sequence[str | None]]
    cut: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of a released action. Counts are None where there is nothing new to say."""

    id: Identifier
    session_id: Identifier
    status: str
    finished_at: datetime | None = None
    rows: int | None = None
    bytes: int | None = None
    masked_values: int = 0
    sqlstate: str = ""
    message: str = ""
    frame: Frame | None = None
    shared: bool = True
    entry_id: Identifier | None = field(default=None)
    detected: Mapping[str, int] | None = None
    """How many values each detector has found in what came back; None where none did."""
    sent: Sent | None = None
    """What passed of a body that was not seen before it went up; None where there was none."""


class Sent(TypedDict):
    """A body that went up as it came, or as much of it as did."""

    bytes: int
    digest: str


def outcome_record(outcome: Outcome | Action) -> bytes:
    """What a shared entry's Merkle root covers of one outcome, canonical (RFC 8785); every value is in its row."""
    found = f'"detected":{_counts(outcome.detected)},' if outcome.detected else ""
    return (
        f'{{"action":"{outcome.id}","bytes":{_number(outcome.bytes)},{found}"masked":{outcome.masked_values},'
        f'"rows":{_number(outcome.rows)},"sqlstate":"{outcome.sqlstate}","status":"{outcome.status}"}}'
    ).encode()


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _counts(detected: Mapping[str, int]) -> str:
    """Counts by name, canonical: a name has no character that JSON escapes."""
    return "{" + ",".join([f'"{name}":{detected[name]}' for name in sorted(detected)]) + "}"


def outcome_details(outcome: Outcome) -> dict[str, object]:
    """What an entry says of one outcome."""
    detected = {"detected": dict(outcome.detected)} if outcome.detected else {}
    return (
        detected
        | ({"sent": dict(outcome.sent)} if outcome.sent else {})
        | {
            "bytes": outcome.bytes,
            "masked": outcome.masked_values,
            "rows": outcome.rows,
            "sqlstate": outcome.sqlstate,
            "status": outcome.status,
        }
    )


def outcome_columns(rows: Sequence[Outcome]) -> tuple[str, ...]:
    """The parameters of OUTCOMES_SQL."""
    framed = [(row, row.frame) for row in rows if row.frame is not None]
    return (
        plains([row.id for row in rows]),
        plains([row.status for row in rows]),
        moments([row.finished_at for row in rows]),
        plains([row.rows for row in rows]),
        plains([row.bytes for row in rows]),
        plains([row.masked_values for row in rows]),
        texts([row.sqlstate for row in rows]),
        texts([row.message[:500] for row in rows]),
        plains([row.entry_id for row in rows]),
        _counted([row.detected for row in rows]),
        plains([row.id for row, _ in framed]),
        plains([row.session_id for row, _ in framed]),
        texts([frame.columns for _, frame in framed]),
        texts([_rows_json(frame.rows) for _, frame in framed]),
        plains([frame.cut for _, frame in framed]),
    )


def _counted(found: Sequence[Mapping[str, int] | None]) -> str:
    """The array literal of counts by name, for jsonb."""
    return "{" + ",".join([_element(_counts(one)) if one else "NULL" for one in found]) + "}"


def _rows_json(rows: Sequence[Sequence[str | None]]) -> str:
    """As `_json`, at a third of its cost."""
    written = [",".join(["null" if value is None else encode_basestring(value) for value in row]) for row in rows]
    return ("[[" + "],[".join(written) + "]]").replace("\\u0000", "\ufffd") if rows else "[]"


@lru_cache(1_024)
def columns_json(names: tuple[str, ...], masked: frozenset[int]) -> str:
    r"""The columns of an answer for a jsonb column, which refuses the escape \u0000; empty where there are none."""
    columns = [{"name": name, "masked": index in masked} for index, name in enumerate(names)]
    return _encode(columns).replace("\\u0000", "\ufffd") if columns else ""
