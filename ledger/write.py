"""How entries come into the ledger: into the outbox, in the transaction of what they record.

Django calls `record`. The gateway, which uses no ORM on its way, calls `append` on its own connection. Both
take gapless numbers of a node; a transaction that rolls back gives its numbers back.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.db import connection
from psycopg import AsyncConnection

from core.db import prepared
from core.errors import NarrowgateError
from core.ids import new_id
from ledger.entries import NO_NAMES, Actor, Draft, Subject, leaf
from ledger.events import Event
from ledger.personal import commitments_to, without_words

TAKE_SQL: LiteralString = """
INSERT INTO ledger_node AS node (name, seq) VALUES (%s, %s)
ON CONFLICT (name) DO UPDATE SET seq = node.seq + excluded.seq
RETURNING seq, clock_timestamp()
"""

# A lane that another transaction holds is passed over, so writers never wait for each other.
TAKE_LANE_SQL: LiteralString = """
UPDATE ledger_node SET seq = seq + %s WHERE name = (
    SELECT name FROM ledger_node WHERE starts_with(name, %s) ORDER BY name LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING name, seq, clock_timestamp()
"""

INSERT_SQL: LiteralString = """
INSERT INTO ledger_outbox (node, node_seq, event, leaf)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::bytea[])
"""

# For many: neither side makes or reads a statement's text of them
COPY_SQL: LiteralString = "COPY ledger_outbox (node, node_seq, event, leaf) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ["varchar", "int8", "varchar", "bytea"]
MANY = 8


class OutboxRow(NamedTuple):
    """One row of the outbox."""

    node: str
    node_seq: int
    event: str
    leaf: bytes


class Said(TypedDict, total=False):
    """What an entry may say besides its event, actor and subject."""

    details: Mapping[str, object]
    session: UUID | str | None
    action: UUID | str | None
    digest: str | None
    policy_version: int | None
    source: str | None
    on_behalf_of: Actor | None
    occurred: datetime


def draft(event: Event, *, actor: Actor, subject: Subject, **said: Unpack[Said]) -> Draft:
    """An entry with an identifier, and the present as its time unless `occurred` says another."""
    said.setdefault("occurred", datetime.now(UTC))
    return Draft(id=new_id(), event=event, actor=actor, subject=subject, **said)


def record(event: Event, *, actor: Actor, subject: Subject, **said: Unpack[Said]) -> UUID:
    """Write an entry in the caller's transaction and give its identifier. Never waits for another transaction.

    Raises ValueError for details that JSON cannot say, NarrowgateError outside a transaction.
    """
    new = draft(event, actor=actor, subject=subject, **said)
    record_all([new])
    return new.id


def record_all(drafts: Sequence[Draft]) -> None:
    """Write entries in the caller's transaction, in the order given: many cost little more than one. People's names and words stay beside the log.

    Raises ValueError for details that JSON cannot say, NarrowgateError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise NarrowgateError("An entry is recorded in the transaction of what it records, and there is none.")
    if not drafts:
        return
    names, drafts = commitments_to(drafts), without_words(drafts)
    taken = prepared(TAKE_LANE_SQL, [len(drafts), f"{settings.NODE_NAME}/lane-"]).fetchone()
    node, last, recorded = taken or _new_lane(len(drafts))
    _put(rows(drafts, node, last, recorded, names))


def _new_lane(number: int) -> tuple[str, int, datetime]:
    """A lane beside those that others hold, with its last number and the database's time."""
    lane = f"{settings.NODE_NAME}/lane-{secrets.token_hex(4)}"
    taken = prepared(TAKE_SQL, [lane, number]).fetchone()
    if taken is None:
        raise NarrowgateError("The database gave no number for an entry.")
    return lane, *taken


def _put(new: Sequence[OutboxRow]) -> None:
    if len(new) < MANY:
        prepared(INSERT_SQL, columns(new))
        return
    with connection.cursor() as cursor, cursor.copy(COPY_SQL) as copy:
        copy.set_types(COPY_TYPES)
        for row in new:
            copy.write_row(row)


async def append(connection: AsyncConnection[Any], node: str, drafts: Sequence[Draft]) -> None:
    """Write entries in the open transaction of `connection`, numbered by `node`, in the order given. They name no people.

    Holds the node's row until the transaction ends: one transaction of a node at a time. Raises ValueError for
    details that JSON cannot say, before anything was sent.
    """
    if not drafts:
        return
    taken = await (await connection.execute(TAKE_SQL, [node, len(drafts)])).fetchone()
    if taken is None:
        raise NarrowgateError("The database gave no number for an entry.")
    await connection.execute(INSERT_SQL, columns(rows(drafts, node, *taken)))


def rows(
    drafts: Sequence[Draft],
    node: str,
    last_seq: int,
    recorded: datetime,
    names: Mapping[tuple[str, str], str] = NO_NAMES,
) -> list[OutboxRow]:
    """Rows for `drafts`, whose last gets the number `last_seq` of `node`; `names` has what stands for people's names."""
    first = last_seq - len(drafts) + 1
    return [
        OutboxRow(node, seq, new.event.value, leaf(new, node=node, node_seq=seq, recorded=recorded, names=names))
        for seq, new in enumerate(drafts, start=first)
    ]


def columns(rows: Sequence[OutboxRow]) -> tuple[list[str], list[int], list[str], list[bytes]]:
    """The parameters of INSERT_SQL."""
    return (
        [row.node for row in rows],
        [row.node_seq for row in rows],
        [row.event for row in rows],
        [row.leaf for row in rows],
    )
