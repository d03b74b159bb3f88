"""The rows that a gateway writes in batches, and the SQL that writes them. Pure: no connection is held here.

Rows travel as the text form of COPY (PostgreSQL 18, COPY, "Text Format"), which is the cheapest way in for both sides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from ledger.entries import canonical

ACTION_COLUMNS: LiteralString = (
    "id, session_id, node_id, agent_id, resource_id, credential_id, number, verb, shown, summary, shape, tables, tags, "
    "digest, salt, decision, masked, reason, code, policies, policy_version, status, asked_at, released_at, entry_id, "
    "masked_values, sqlstate, message"
)
COPY_ACTIONS: LiteralString = f"COPY activity_action ({ACTION_COLUMNS}) FROM STDIN"

# An outcome is final but for a transaction that is still open, and for what a restart called uncertain.
FINISH_SQL: LiteralString = """
UPDATE activity_action AS action
SET status = new.status, finished_at = coalesce(new.finished_at, action.finished_at),
    rows = coalesce(new.rows, action.rows), bytes = coalesce(new.bytes, action.bytes),
    masked_values = greatest(action.masked_values, new.masked_values), sqlstate = new.sqlstate, message = new.message,
    outcome_entry_id = coalesce(new.entry_id, action.outcome_entry_id)
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::uuid[])
    AS new (id, status, finished_at, rows, bytes, masked_values, sqlstate, message, entry_id)
WHERE action.id = new.id AND action.status IN ('released', 'pending')
"""

COPY_FRAMES: LiteralString = "COPY activity_frame (action_id, session_id, columns, rows, cut) FROM STDIN"

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": "\ufffd"})


def escaped(value: str) -> str:
    """A text value inside a COPY line; a NUL, which no text column holds, becomes U+FFFD."""
    return value if value.isalnum() else value.translate(_ESCAPES)


def array(values: Iterable[str]) -> str:
    """A text array inside a COPY line."""
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in sorted(values)]
    return escaped("{" + ",".join(quoted) + "}")


@dataclass(slots=True)
class Intent:
    """One row of activity_action as it is first written: denied, or about to be released. Lengths fit the columns."""

    id: UUID
    session_id: UUID
    node_id: UUID
    agent_id: UUID
    resource_id: UUID
    credential_id: UUID
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
    released_at: datetime | None = None
    entry_id: UUID | None = None

    def line(self) -> str:
        """The row for COPY_ACTIONS."""
        released = self.released_at.isoformat() if self.released_at else "\\N"
        entry = str(self.entry_id) if self.entry_id else "\\N"
        return (
            f"{self.id}\t{self.session_id}\t{self.node_id}\t{self.agent_id}\t{self.resource_id}\t{self.credential_id}\t"
            f"{self.number}\t{self.verb}\t{escaped(self.shown)}\t{escaped(self.summary[:300])}\t{self.shape}\t"
            f"{array(self.tables)}\t{array(self.tags)}\t{self.digest}\t\\\\x{self.salt.hex()}\t{self.decision}\t"
            f"{'t' if self.masked else 'f'}\t{escaped(self.reason[:500])}\t{self.code}\t{array(self.policies)}\t"
            f"{self.policy_version}\t{self.status}\t{self.asked_at.isoformat()}\t{released}\t{entry}\t0\t\t\n"
        )


def intent_record(intent: Intent) -> bytes:
    """What a shared entry's Merkle root covers of one allowed read; every value is in its row."""
    return canonical(
        {
            "action": str(intent.id),
            "agent": str(intent.agent_id),
            "credential": str(intent.credential_id),
            "decision": intent.decision,
            "digest": intent.digest,
            "number": intent.number,
            "policy_version": intent.policy_version,
            "resource": str(intent.resource_id),
            "session": str(intent.session_id),
            "verb": intent.verb,
        }
    )


@dataclass(slots=True)
class Frame:
    """What was returned for an action, masked and cut to size."""

    columns: Sequence[dict[str, object]]
    rows: Sequence[Sequence[str | None]]
    cut: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of a released action. Counts are None where there is nothing new to say."""

    id: UUID
    session_id: UUID
    status: str
    finished_at: datetime | None = None
    rows: int | None = None
    bytes: int | None = None
    masked_values: int = 0
    sqlstate: str = ""
    message: str = ""
    frame: Frame | None = None
    shared: bool = True
    entry_id: UUID | None = field(default=None)


def outcome_record(outcome: Outcome) -> bytes:
    """What a shared entry's Merkle root covers of one outcome; every value is in its row."""
    return canonical({"action": str(outcome.id), **outcome_details(outcome)})


def outcome_details(outcome: Outcome) -> dict[str, object]:
    """What an entry says of one outcome."""
    return {
        "bytes": outcome.bytes,
        "masked": outcome.masked_values,
        "rows": outcome.rows,
        "sqlstate": outcome.sqlstate,
        "status": outcome.status,
    }


def finish_columns(outcomes: Sequence[Outcome]) -> tuple[list[object], ...]:
    """The parameters of FINISH_SQL."""
    rows = [
        (one.id, one.status, one.finished_at, one.rows, one.bytes, one.masked_values, one.sqlstate, one.message[:500], one.entry_id)
        for one in outcomes
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))


def frame_line(outcome: Outcome, frame: Frame) -> str:
    """The row for COPY_FRAMES."""
    columns, rows = json.dumps(frame.columns, ensure_ascii=False), json.dumps(frame.rows, ensure_ascii=False)
    cut = "t" if frame.cut else "f"
    return f"{outcome.id}\t{outcome.session_id}\t{_jsonb(columns)}\t{_jsonb(rows)}\t{cut}\n"


def _jsonb(text: str) -> str:
    r"""JSON for a jsonb column, which refuses the escape \u0000."""
    return escaped(text.replace("\\u0000", "\\ufffd"))
